"""The budget of a partnership: how much of it is where, who waits, and the one way by which money moves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Self

from pydantic import PrivateAttr

from services.funding.domain.grant import Grant
from services.funding.domain.ledger import ZERO, Account, Holding, LedgerEntry, Why
from shared.aggregate import Aggregate
from shared.contracts.vocabulary import GrantState
from shared.errors import RuleBroken


class BudgetBelowReserved(RuleBroken):
    """A budget cannot be cut below what is promised or paid from it already."""

    code = "budget-below-reserved"


class BudgetExceeded(RuleBroken):
    """A grant needs more than is left in the budget."""

    code = "budget-exceeded"


class BudgetUnbalanced(RuntimeError):
    """Money moved that was not there: a fault of this platform, never of its users."""


class Budget(Aggregate):
    """Money of one partnership, EUR; its id is the partnership's.

    Each euro of the total is available, reserved, committed or paid. It moves in one way only, by `book`:
    a grant says what it holds, the budget compares that with what it held when it was booked last, and
    moves the difference, here and as entries of the ledger. Both are stored in the transaction that
    stores the grant, so that the three cannot come to disagree.

    Waiting grants keep their place in the queue themselves, the budget only counts them: it stays
    small however many wait. Whoever queues or takes money changes its version, so that of two
    who do it at once one is run again.
    """

    COLLECTION: ClassVar[str] = "budgets"

    total: Decimal
    reserved: Decimal = ZERO
    committed: Decimal = ZERO
    paid: Decimal = ZERO
    """What visitors got and have not returned."""
    awaiting: int = 0
    """How many grants wait for money."""
    awaiting_amount: Decimal = ZERO
    last_position: int = 0
    """The place in the queue given out last."""
    entries: int = 0
    """The number of the ledger's last entry; 0 where the ledger is not opened yet."""

    _new_entries: list[LedgerEntry] = PrivateAttr(default_factory=list)
    _worth_serving: bool = PrivateAttr(default=False)

    @classmethod
    def open(cls, partnership: str, total: Decimal, *, at: datetime) -> Self:
        """A partnership's budget at its first use."""
        budget = cls(id=partnership, total=total)
        budget._enter(Account.BUDGET, Account.AVAILABLE, total, Why.BUDGET_SET, at)
        budget._changed()
        return budget

    @property
    def available(self) -> Decimal:
        """What can still be reserved, EUR."""
        return self.total - self.reserved - self.committed - self.paid

    @property
    def new_entries(self) -> list[LedgerEntry]:
        """The ledger's entries since the budget was loaded or made, in order."""
        return list(self._new_entries)

    @property
    def worth_serving(self) -> bool:
        """Whether there is, since it was loaded, more money, or another one first in the queue."""
        return self._worth_serving and self.awaiting > 0

    def has_room(self, amount: Decimal) -> bool:
        """Whether a new grant gets the amount: if it is there and nobody waits, first come, first served.

        A small grant does not overtake a large one that waits, else large ones might wait for ever.
        """
        return not self.awaiting and amount <= self.available

    def next_position(self) -> int:
        """A place at the end of the queue."""
        self.last_position += 1
        self._changed()
        return self.last_position

    def book(self, grant: Grant, *, at: datetime) -> None:
        """Move what the grant took or let go of since it was booked last; a second time moves nothing.

        Raises `BudgetExceeded` when it took more than there is.
        """
        assert grant.partnership == self.id, f"{grant.id} is not of {self.id}"
        before, after = grant.booked, grant.holding
        if before == after:
            return
        more = after.amount - before.amount
        if more > self.available:
            raise BudgetExceeded(
                f"Grant {grant.id} needs EUR {more:.2f} more, and EUR {self.available:.2f} are left in the "
                f"budget of {self.id}. Nothing was changed. Raise the budget, or free money by cancelling "
                "what will not take place, and try again."
            )
        carried = min(before.amount, after.amount)
        why = _why(before, after, grant.state)
        # Beside what goes from one account to the other, the amount itself may have changed.
        rest = Why.RECALCULATED if carried and before.account is not after.account else why
        self._move(before.account, after.account, carried, why, at, grant)
        self._move(before.account, Account.AVAILABLE, before.amount - carried, rest, at, grant)
        self._move(Account.AVAILABLE, after.account, after.amount - carried, rest, at, grant)
        self._count_waiting(before, after)
        self._worth_serving |= more < ZERO
        grant.now_booked()
        self._changed()

    def set_total(self, total: Decimal, *, at: datetime) -> None:
        """Raise or cut the budget; raises `BudgetBelowReserved` when it is cut too far."""
        promised = self.total - self.available
        if total < promised:
            raise BudgetBelowReserved(
                f"The budget of {self.id} cannot be set to EUR {total:.2f}: EUR {promised:.2f} are "
                f"{'reserved' if promised == self.reserved else 'reserved, committed or paid'} already. "
                f"It stays at EUR {self.total:.2f}."
            )
        self._require_ledger()
        more = total - self.total
        self.total = total
        if more > ZERO:
            self._enter(Account.BUDGET, Account.AVAILABLE, more, Why.BUDGET_SET, at)
        else:
            self._enter(Account.AVAILABLE, Account.BUDGET, -more, Why.BUDGET_SET, at)
        self._worth_serving |= more > ZERO
        self._changed()

    def bring_forward(self, grants: Iterable[Grant], *, at: datetime) -> None:
        """Open the ledger of a budget from before there was one, with what its grants hold; once."""
        if self.entries:
            return
        self._enter(Account.BUDGET, Account.AVAILABLE, self.total, Why.BROUGHT_FORWARD, at)
        for grant in grants:
            if (account := grant.holding.account) is not None:
                amount = grant.holding.amount
                self._enter(Account.AVAILABLE, account, amount, Why.BROUGHT_FORWARD, at, grant)
        self._changed()

    def queue_served(self) -> None:
        """Whoever could be served was."""
        self._worth_serving = False

    def _count_waiting(self, before: Holding, after: Holding) -> None:
        if before.awaits is not None:
            self.awaiting -= 1
            self.awaiting_amount -= before.awaits
            self._worth_serving = True
        if after.awaits is not None:
            self.awaiting += 1
            self.awaiting_amount += after.awaits

    def _move(
        self,
        source: Account | None,
        target: Account | None,
        amount: Decimal,
        why: Why,
        at: datetime,
        grant: Grant,
    ) -> None:
        if not amount or source is target:
            return
        assert source is not None
        assert target is not None
        self._require_ledger()
        for account, change in ((source, -amount), (target, amount)):
            match account:
                case Account.RESERVED:
                    self.reserved += change
                case Account.COMMITTED:
                    self.committed += change
                case Account.PAID:
                    self.paid += change
        self._enter(source, target, amount, why, at, grant)

    def _enter(
        self,
        source: Account,
        target: Account,
        amount: Decimal,
        why: Why,
        at: datetime,
        grant: Grant | None = None,
    ) -> None:
        if not amount:
            return
        self.entries += 1
        self._new_entries.append(
            LedgerEntry.of(
                self.id,
                self.entries,
                at=at,
                debit=target,
                credit=source,
                amount=amount,
                why=why,
                grant=grant.id if grant else None,
                grant_version=grant.version if grant else None,
            )
        )

    def _require_ledger(self) -> None:
        if not self.entries and self.total:
            raise BudgetUnbalanced(f"the ledger of {self.id} is not opened; start the service again")

    def _changed(self) -> None:
        balances = (self.available, self.reserved, self.committed, self.paid, self.awaiting_amount)
        if min(balances) < ZERO or self.awaiting < 0:
            raise BudgetUnbalanced(f"budget {self.id} does not add up: {self!r}")
        self._touch()


def _why(before: Holding, after: Holding, state: GrantState) -> Why:
    match before.account, after.account:
        case (None, _):
            return Why.RESERVED
        case (Account.RESERVED, Account.COMMITTED):
            return Why.COMMITTED
        case (Account.COMMITTED, Account.RESERVED):
            return Why.REOPENED
        case (Account.PAID, Account.PAID):
            return Why.RECOVERED
        case (_, Account.PAID):
            return Why.PAID
        case (Account.PAID, Account.COMMITTED):
            return Why.RETURNED
        case (_, None) if state is GrantState.CANCELLED:
            return Why.CANCELLED
        case (Account.PAID, _):
            return Why.RECOVERED
        case (_, None):
            return Why.REFUSED
        case _:
            return Why.RECALCULATED
