"""The budget of a partnership: what is reserved, what is free, and who waits for how much."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Final, Self

from shared.aggregate import Aggregate
from shared.errors import RuleBroken

ZERO: Final = Decimal("0.00")


class BudgetBelowReserved(RuleBroken):
    """A budget cannot be cut below what is reserved in it already."""

    code = "budget-below-reserved"


class BudgetUnbalanced(RuntimeError):
    """More is given back than was taken: a fault of this platform, never of its users."""


class Budget(Aggregate):
    """Money of one partnership, EUR; its id is the partnership's. Never more reserved than there is.

    Waiting grants keep their place in the queue themselves, the budget only counts them: it stays
    small however many wait. Whoever queues or takes money changes its version, so that of two
    who do it at once one is run again.
    """

    COLLECTION: ClassVar[str] = "budgets"

    total: Decimal
    reserved: Decimal = ZERO
    awaiting: int = 0
    """How many grants wait for money."""
    awaiting_amount: Decimal = ZERO
    last_position: int = 0
    """The place in the queue given out last."""

    @classmethod
    def open(cls, partnership: str, total: Decimal) -> Self:
        """A partnership's budget at its first use."""
        budget = cls(id=partnership, total=total)
        budget._touch()
        return budget

    @property
    def available(self) -> Decimal:
        """What can still be reserved, EUR."""
        return self.total - self.reserved

    def reserve(self, amount: Decimal) -> bool:
        """Set the amount aside if it is there and nobody waits: first come, first served.

        A small grant does not overtake a large one that waits, else large ones might wait for ever.
        """
        if self.awaiting or amount > self.available:
            return False
        self.reserved += amount
        self._changed()
        return True

    def queue(self, amount: Decimal) -> int:
        """Count one more who waits for the amount; returns its place in the queue."""
        self.awaiting += 1
        self.awaiting_amount += amount
        self.last_position += 1
        self._changed()
        return self.last_position

    def serve(self, amount: Decimal) -> bool:
        """Reserve the amount for the first in the queue, if it is there."""
        if amount > self.available:
            return False
        self.reserved += amount
        self.leave_queue(amount)
        return True

    def leave_queue(self, amount: Decimal) -> None:
        """One who waited for the amount waits no longer."""
        self.awaiting -= 1
        self.awaiting_amount -= amount
        self._changed()

    def release(self, amount: Decimal) -> None:
        """Give back what was reserved."""
        self.reserved -= amount
        self._changed()

    def set_total(self, total: Decimal) -> None:
        """Raise or cut the budget; raises `BudgetBelowReserved` when it is cut too far."""
        if total < self.reserved:
            raise BudgetBelowReserved(
                f"The budget of {self.id} cannot be set to EUR {total:.2f}: EUR {self.reserved:.2f} are "
                f"reserved already. It stays at EUR {self.total:.2f}."
            )
        self.total = total
        self._changed()

    def _changed(self) -> None:
        if not ZERO <= self.reserved <= self.total or self.awaiting < 0 or self.awaiting_amount < ZERO:
            raise BudgetUnbalanced(f"budget {self.id} does not add up: {self!r}")
        self._touch()
