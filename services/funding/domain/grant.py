"""The grant of an approved match: its lump sum, what it waits for, and where its money is."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal, Self, cast

from pydantic import PrivateAttr, computed_field

from services.funding.domain.difference import explain_difference
from services.funding.domain.ledger import Account, Holding
from services.funding.domain.lump_sum import NOTHING, LumpSum, Outcome
from services.funding.domain.readiness import BoardPlace, board_place, open_gates
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party, Window
from shared.contracts.funding import (
    Gate,
    Gates,
    GrantAwaitingBudget,
    GrantCancelled,
    GrantClaimedBack,
    GrantCommitted,
    GrantMatchEnded,
    GrantNeedsReview,
    GrantPaid,
    GrantPayable,
    GrantPaymentFailed,
    GrantPaymentOverdue,
    GrantPrepared,
    GrantRecalculated,
    GrantRecovered,
    GrantRefused,
    GrantReleased,
    GrantReopened,
    GrantReserved,
    GrantUnprepared,
)
from shared.contracts.matching import MatchEvent
from shared.contracts.vocabulary import GateName, GateState, GrantState
from shared.errors import RuleBroken

PAID_WITHIN: Final = timedelta(days=10)
"""Calendar days from the last gate to the payment (CXC call, "payment within 10 days"; from which day they
count is this platform's default)."""

UNPREPARED: Final = (
    GrantState.AWAITING_BUDGET,
    GrantState.RESERVED,
    GrantState.COMMITTED,
    GrantState.PAYABLE,
    GrantState.NEEDS_REVIEW,
    GrantState.REFUSED,
)
"""States in which the grant is in no payment: its amount may change, and it may be cancelled."""

WITH_AGREEMENT: Final = (GrantState.RESERVED, GrantState.COMMITTED, GrantState.PAYABLE)
"""States in which there is an agreement to sign, or one that can be drawn up anew."""

_WITH_GATES: Final = (*WITH_AGREEMENT, GrantState.AWAITING_BUDGET, GrantState.NEEDS_REVIEW)
UNPAID: Final = (GrantState.PAYABLE, GrantState.PREPARED, GrantState.RELEASED)
"""States in which the visitor waits for the money, and nobody but the partnership and its bank can act."""
_IN_PAYMENT: Final = (GrantState.PREPARED, GrantState.RELEASED, GrantState.PAID)

NAMELESS: Final = frozenset({GrantState.REFUSED, GrantState.CANCELLED})
"""States in which no money is set aside for the visitor, nor was paid to it."""

_NO_EXCHANGE: Final = frozenset({*NAMELESS, GrantState.RECOVERED})

ACCOUNTS_BY_STATE: Final = {
    GrantState.RESERVED: Account.RESERVED,
    GrantState.COMMITTED: Account.COMMITTED,
    GrantState.PAYABLE: Account.COMMITTED,
    GrantState.PREPARED: Account.COMMITTED,
    GrantState.RELEASED: Account.COMMITTED,
    GrantState.PAID: Account.PAID,
}
"""Where the money of a grant is; in the other states it holds none."""

_GATES_IN_WORDS: Final[dict[GateName, str]] = {
    "agreement": "the financial agreement",
    "report": "the report",
    "evidence": "the evidence",
}


class GrantExists(RuleBroken):
    """A match has one grant; approving it again with other facts changes nothing."""

    code = "grant-exists"


class GrantStateForbids(RuleBroken):
    """The grant is in a state in which this cannot be done."""

    code = "grant-state-forbids"


class GatesOpen(RuleBroken):
    """Nothing is paid before all three gates are passed."""

    code = "gates-open"


class MatchEnded(RuleBroken):
    """The match is cancelled: its grant goes into no payment any more."""

    code = "match-ended"


class BookedBefore(RuleBroken):
    """The bank booked an earlier transfer of it, which had failed: it is not paid a second time."""

    code = "booked-before"


class LumpSumUncertain(RuleBroken):
    """A lump sum that a person must decide on first cannot take the place of one."""

    code = "lump-sum-uncertain"


class RecoveryNoted(RuleBroken):
    """The same payment by the visitor is noted once."""

    code = "recovery-noted"


class RecoveryTooLarge(RuleBroken):
    """No more can come back than was paid."""

    code = "recovery-too-large"


def grant_id(match_id: str) -> str:
    """The id of a match's only grant: however often an approval arrives, it is the same."""
    return f"grant-{match_id}"


class Grant(Aggregate):
    """One match's money; `partnership` manages the visitor, decides and pays.

    `lump_sum` is None only when the match was cancelled before its approval was seen. `erased`, where a
    grant is made, are registrations whose data were erased before the match was heard of.

    What it `holds` of the budget follows from its state and amount alone; `Budget.book` moves the money
    after it, and the unit of work sees to it that no grant is stored unbooked.
    """

    COLLECTION: ClassVar[str] = "grants"

    match_id: str
    partnership: str
    visitor: Party
    host: Party
    stay: Window
    state: GrantState
    lump_sum: LumpSum | None
    position: int | None = None
    """Its place in the partnership's queue, while or after it waited for budget."""
    gates: Gates
    due: date | None = None
    """The last day for the payment, from when all gates are passed."""
    strict_due: date | None = None
    """The last day by the stricter reading, counted from the end of the stay."""
    overdue_told: date | None = None
    """The last day for the payment of which it is said that it is over."""
    real_stay: Window | None = None
    """The days as they were; `stay` are those the match was approved for."""
    payment_id: str | None = None
    """The payment it is in, or was paid by."""
    paid_on: date | None = None
    reference: str | None = None
    """What the bank calls the payment."""
    booked_before: str | None = None
    """The payment whose transfer had failed and was booked all the same, until it is `paid` by that one."""
    claimed: Decimal = NOTHING
    """What is claimed back and has not come yet, EUR."""
    recovered: Decimal = NOTHING
    """What came back of the amount that was paid, EUR."""
    returns: list[str] = []
    """What the bank calls the payments by which it came back."""
    match_ended: datetime | None = None
    """When the match was cancelled though its money was in a payment already."""
    reason: str | None = None
    """Why it was cancelled, or its match ended."""
    counted: bool = False
    """Whether it is in the number of exchanges of its partnership."""
    erased: list[str] = []
    """Registrations of the two whose personal data are gone, or go with the money."""

    _booked: Holding = PrivateAttr(default=Holding())

    @classmethod
    def from_document(cls, document: dict[str, object]) -> Self:
        """The grant as it was stored; one from before there were gates has not passed any."""
        if "gates" not in document:
            # Nobody noted since when; at the latest, the visitor's turn comes with its stay.
            first_day = date.fromisoformat(cast(dict[str, str], document["stay"])["first_day"])
            at = datetime.combine(first_day, time(), UTC)
            document = {**document, "gates": _gates_waiting(at).model_dump(mode="json")}
        grant = super().from_document(document)
        grant._booked = grant.holding
        return grant

    @classmethod
    def reserved(
        cls,
        match: MatchEvent,
        partnership: str,
        lump_sum: LumpSum,
        erased: Collection[str] = (),
        *,
        at: datetime,
    ) -> Self:
        """The amount is set aside."""
        grant = cls._of(match, partnership, GrantState.RESERVED, lump_sum, erased, at)
        grant._record(GrantReserved(**grant.facts(), amount=grant.amount, receipt=lump_sum.receipt))
        return grant

    @classmethod
    def awaiting_budget(
        cls,
        match: MatchEvent,
        partnership: str,
        lump_sum: LumpSum,
        erased: Collection[str] = (),
        *,
        position: int,
        at: datetime,
    ) -> Self:
        """The budget is short; the grant waits at this place in the queue."""
        grant = cls._of(match, partnership, GrantState.AWAITING_BUDGET, lump_sum, erased, at)
        grant.position = position
        grant._record(GrantAwaitingBudget(**grant.facts(), amount=grant.amount, receipt=lump_sum.receipt))
        return grant

    @classmethod
    def needs_review(
        cls,
        match: MatchEvent,
        partnership: str,
        lump_sum: LumpSum,
        erased: Collection[str] = (),
        *,
        at: datetime,
    ) -> Self:
        """A person must decide; no money is set aside."""
        grant = cls._of(match, partnership, GrantState.NEEDS_REVIEW, lump_sum, erased, at)
        grant._record(GrantNeedsReview(**grant.facts(), receipt=lump_sum.receipt))
        return grant

    @classmethod
    def refused(
        cls,
        match: MatchEvent,
        partnership: str,
        lump_sum: LumpSum,
        erased: Collection[str] = (),
        *,
        at: datetime,
    ) -> Self:
        """The scheme pays nothing for this stay."""
        grant = cls._of(match, partnership, GrantState.REFUSED, lump_sum, erased, at)
        grant._record(GrantRefused(**grant.facts(), receipt=lump_sum.receipt))
        return grant

    @classmethod
    def cancelled_unseen(
        cls,
        match: MatchEvent,
        partnership: str,
        reason: str,
        erased: Collection[str] = (),
        *,
        at: datetime,
    ) -> Self:
        """The match ended before its approval arrived here: should that come yet, it finds this grant.

        Nobody was promised anything, so nobody is told.
        """
        grant = cls._of(match, partnership, GrantState.CANCELLED, None, erased, at)
        grant.reason = ERASED if grant.erased else reason
        grant._touch()
        return grant

    @classmethod
    def _of(
        cls,
        match: MatchEvent,
        partnership: str,
        state: GrantState,
        lump_sum: LumpSum | None,
        erased: Collection[str],
        at: datetime,
    ) -> Self:
        grant = cls(
            id=grant_id(match.match_id),
            match_id=match.match_id,
            partnership=partnership,
            visitor=match.visitor,
            host=match.host,
            stay=match.stay,
            state=state,
            lump_sum=lump_sum,
            gates=_gates_waiting(at),
            erased=sorted(erased),
        )
        grant._blank()
        return grant

    @property
    def amount(self) -> Decimal:
        """EUR; 0.00 where none is due, or none is certain."""
        return (self.lump_sum.amount if self.lump_sum else None) or NOTHING

    @property
    def days(self) -> Window:
        """The days of the stay: as they were, else as they are planned."""
        return self.real_stay or self.stay

    @computed_field  # type: ignore[prop-decorator]
    @property
    def board(self) -> BoardPlace | None:
        """Where the readiness board lists it; stored with it, for the board's indexes."""
        strict_due = self.strict_due or self.days.last_day + PAID_WITHIN
        return board_place(self.id, self.state, self.gates, due=self.due, strict_due=strict_due)

    @property
    def counts(self) -> bool:
        """Whether it is an exchange of its partnership: its report is validated, and money goes with it."""
        validated = self.gates.report.state is GateState.PASSED
        return validated and self.state not in _NO_EXCHANGE and self.amount > NOTHING

    def count(self) -> int:
        """By how much the partnership's number of exchanges changes, which has this one right from now on."""
        before, self.counted = self.counted, self.counts
        return self.counted - before

    @property
    def paying(self) -> bool:
        """Whether its amount is in a payment, or paid."""
        return self.state in _IN_PAYMENT

    @property
    def holding(self) -> Holding:
        """Where the money for it is."""
        if self.state is GrantState.AWAITING_BUDGET:
            return Holding(awaits=self.amount)
        account = ACCOUNTS_BY_STATE.get(self.state)
        return Holding(account, self.amount - self.recovered) if account else Holding()

    @property
    def booked(self) -> Holding:
        """Where the money for it was when it was booked last."""
        return self._booked

    def now_booked(self) -> None:
        """The budget and its ledger have the money where the grant has it."""
        self._booked = self.holding

    def names(self, registration_id: str) -> bool:
        """Whether the registration is one of the two."""
        return registration_id in (self.visitor.registration_id, self.host.registration_id)

    def require_same(self, match: MatchEvent) -> None:
        """Raises `GrantExists` unless the match is the very one this grant was made for."""
        if self.state is GrantState.CANCELLED:
            raise GrantExists(
                f"Match {self.match_id} was cancelled; approving it again does not bring its grant back."
            )
        same_parties = (self.visitor.registration_id, self.host.registration_id) == (
            match.visitor.registration_id,
            match.host.registration_id,
        )
        if self.stay != match.stay or not same_parties:
            raise GrantExists(
                f"Match {self.match_id} has a grant for {self.stay.first_day} to {self.stay.last_day}; "
                f"approving it again for {match.stay.first_day} to {match.stay.last_day} changes nothing. "
                "Cancel it first."
            )

    # ── before the payment ───────────────────────────────────────────────────────────────────

    def take_reserved(self, *, at: datetime) -> None:
        """The amount it waited for has been set aside."""
        self._require(GrantState.AWAITING_BUDGET)
        self._set_aside(at)

    def turn_gate(self, name: GateName, state: GateState, *, at: datetime, reason: str | None = None) -> None:
        """Let a gate wait for somebody, pass it, or open it again; the one way in which a gate moves.

        With the agreement the amount is committed, with all three it is payable; a gate that is opened
        again takes that back. Possible until the grant is in a payment. A gate that stands so already
        stays as it is.
        """
        # A stay for which nothing is due may be reported on too: the report may show that something is.
        refusable = (*_WITH_GATES, GrantState.REFUSED)
        self._require(*(WITH_AGREEMENT if name == "agreement" else refusable))
        gate: Gate = getattr(self.gates, name)
        if gate.state is state:
            return
        turned = self.gates.model_copy(update={name: Gate(state=state, since=at), "passed_at": None})
        if not open_gates(turned):
            turned = turned.model_copy(update={"passed_at": at})
        self.gates = turned
        if gate.state is GateState.PASSED and self._fall_back(name):
            waits_for = cast(Literal["visitor", "partnership"], state.value.removeprefix("waits_for_"))
            self._record(
                GrantReopened(**self.facts(), gate=name, waits_for=waits_for, state=self.state, reason=reason)
            )
        else:
            self._touch()
        self._follow_gates()

    def recalculate(
        self,
        lump_sum: LumpSum,
        real_stay: Window | None = None,
        *,
        at: datetime,
        reason: str,
        position: int | None = None,
    ) -> None:
        """Take a lump sum computed on the real days, on corrected facts, or settled by a person.

        `real_stay`: the days as they were, where they are known by now. `position`: the place in the queue
        for a grant that gets an amount only now and finds the budget short. Raises `LumpSumUncertain`;
        what the budget has not, booking refuses.
        """
        self._require(*UNPREPARED)
        if lump_sum.outcome is Outcome.NEEDS_REVIEW:
            raise LumpSumUncertain(
                f"The lump sum of {self.id} stays as it is: {lump_sum.receipt.sentence} Complete the facts, "
                "or settle the amount with a reason."
            )
        before, had_none = self.lump_sum, self.state in (GrantState.NEEDS_REVIEW, GrantState.REFUSED)
        self.lump_sum, self.real_stay = lump_sum, real_stay or self.real_stay
        change = _change(None if had_none else before, lump_sum)
        self._record(
            GrantRecalculated(
                **self.facts(),
                change=change,
                amount_before=before.amount if before else None,
                amount=self.amount,
                real_stay=self.real_stay,
                difference=explain_difference(before, lump_sum),
                reason=reason,
                receipt=lump_sum.receipt,
            )
        )
        if change == "refused":
            self._refuse(at)
        elif had_none and position is None:
            self._set_aside(at)
        elif had_none:
            self._queue(position)
        elif self.state is GrantState.PAYABLE:
            self.strict_due = self.days.last_day + PAID_WITHIN

    def cancel(self, reason: str) -> None:
        """The match ended before a payment was prepared; the event says how much is free again."""
        self._require(*UNPREPARED)
        self._cancel(reason)

    def note_match_ended(self, reason: str, *, at: datetime) -> None:
        """The match ended though its money is in a payment: it stays where it is, and staff are told.

        They take the payment back, wait for the bank's answer, or claim the money back. Should the
        payment come to nothing, the grant is cancelled by itself.
        """
        self._require(*_IN_PAYMENT)
        if self.match_ended is not None:
            raise GrantStateForbids(f"That the match of grant {self.id} ended is noted already.")
        self.match_ended = at
        self.reason = ERASED if self.erased else reason
        self._record(
            GrantMatchEnded(
                **self.facts(),
                state=cast(Literal["prepared", "released", "paid"], self.state.value),
                amount=self.amount - self.recovered,
                reason=reason,
            )
        )

    # ── the payment ──────────────────────────────────────────────────────────────────────────

    def prepare(self, payment_id: str) -> None:
        """An officer puts it into a payment; raises `GatesOpen` naming what is missing."""
        if self.state in _WITH_GATES and (missing := open_gates(self.gates)):
            raise GatesOpen(f"Grant {self.id} cannot be paid yet: {_in_words(self.gates, missing)}.")
        self._require(GrantState.PAYABLE)
        self._require_not_booked_before()
        self.state, self.payment_id = GrantState.PREPARED, payment_id
        self._record(GrantPrepared(**self.facts(), payment_id=payment_id, amount=self.amount))

    def unprepare(self, reason: str) -> None:
        """Taken out of a payment that was not released; cancelled where its match has ended."""
        self._require(GrantState.PREPARED)
        self._record(
            GrantUnprepared(**self.facts(), payment_id=self._payment(), amount=self.amount, reason=reason)
        )
        self._back_to_payable()

    def release(self) -> None:
        """Another officer lets the payment go to the bank; raises `MatchEnded` where there is no visit."""
        self._require(GrantState.PREPARED)
        if self.match_ended is not None:
            raise MatchEnded(
                f"The match of grant {self.id} was cancelled on {self.match_ended:%Y-%m-%d}: take the grant "
                "out of the payment, which cancels it, and release the others."
            )
        self._require_not_booked_before()
        self.state = GrantState.RELEASED
        self._record(GrantReleased(**self.facts(), payment_id=self._payment(), amount=self.amount))

    def mark_paid(self, on: date, reference: str) -> None:
        """The bank booked the payment on that day."""
        self._require(GrantState.RELEASED)
        self._pay(on, reference)

    def mark_paid_after_all(self, payment_id: str, amount: Decimal, on: date, reference: str) -> None:
        """The bank booked a transfer of an earlier payment, which had failed: the grant is paid by that one.

        Raises `GrantStateForbids` unless it is payable, and of that amount.
        """
        self._require(GrantState.PAYABLE)
        if amount != self.amount:
            raise GrantStateForbids(
                f"Grant {self.id} is of EUR {self.amount:.2f} by now, and EUR {amount:.2f} were booked."
            )
        self.payment_id, self.booked_before = payment_id, None
        self._pay(on, reference)

    def keep_unpaid(self, payment_id: str) -> None:
        """The same, where it cannot be marked as paid: no other payment of it is released before it is."""
        if self.state in (*UNPREPARED, GrantState.PREPARED) and self.booked_before != payment_id:
            self.booked_before = payment_id
            self._touch()

    def mark_failed(self, reason: str) -> None:
        """The bank refused the payment, or sent the whole of it back later; payable once more.

        Cancelled instead where its match has ended. What came back in part, or was claimed back, is
        `recover`ed.
        """
        self._require(GrantState.RELEASED, GrantState.PAID)
        if self.recovered:
            raise GrantStateForbids(
                f"EUR {self.recovered:.2f} of grant {self.id} came back already: note what the bank sent "
                "back now as recovered, too."
            )
        if self.claimed and self.match_ended is None:
            raise GrantStateForbids(
                f"EUR {self.claimed:.2f} of grant {self.id} were claimed back: note what the bank sent back "
                "as recovered, so that it is not paid again."
            )
        self._record(
            GrantPaymentFailed(**self.facts(), payment_id=self._payment(), amount=self.amount, reason=reason)
        )
        self._back_to_payable()

    def claim_back(self, amount: Decimal, reason: str, *, return_by: date) -> None:
        """Ask the visitor to return what was paid, all or part; the money is paid until it is back.

        Another claim takes the place of the one before. Raises `RecoveryTooLarge`.
        """
        self._require_recoverable(amount)
        self.claimed = amount
        self._record(GrantClaimedBack(**self.facts(), amount=amount, return_by=return_by, reason=reason))

    def recover(self, amount: Decimal, reason: str, *, reference: str | None = None) -> None:
        """What was paid came back, all or part, claimed or not; recovered once all of it is back.

        `reference`: what the bank calls the incoming payment, which is noted once. Raises
        `RecoveryTooLarge` or `RecoveryNoted`.
        """
        if reference is not None and reference in self.returns:
            raise RecoveryNoted(f"That {reference} came back for grant {self.id} is noted already.")
        self._require_recoverable(amount)
        self.returns = [*self.returns, reference] if reference else self.returns
        self.recovered += amount
        self.claimed = max(NOTHING, self.claimed - amount)
        left = self.amount - self.recovered
        if not left:
            self.state = GrantState.RECOVERED
        self._record(GrantRecovered(**self.facts(), amount=amount, left=left, reason=reason))

    def is_newly_overdue(self, today: date) -> bool:
        """Whether the last day for the payment is over, the visitor not paid, and nobody told of it yet."""
        late = self.state in UNPAID and self.due is not None and self.due < today
        return late and self.overdue_told != self.due

    def tell_overdue(self) -> None:
        """Say that the last day for the payment is over."""
        self._require(*UNPAID)
        assert self.due is not None
        assert self.strict_due is not None
        self.overdue_told = self.due
        self._record(
            GrantPaymentOverdue(
                **self.facts(),
                state=self.state,
                amount=self.amount,
                due=self.due,
                strict_due=self.strict_due,
                payment_id=self.payment_id,
            )
        )

    # ── personal data ────────────────────────────────────────────────────────────────────────

    def erase(self, registration_id: str) -> None:
        """Let go of one side's personal data; amounts, days, countries and the receipt stay.

        The visitor's name stays as long as money is, or may yet be, set aside for it, and where it was
        paid: accounts say whom an amount is for. It goes when the grant is refused or cancelled.
        """
        if registration_id in self.erased:
            return
        self.erased = [*self.erased, registration_id]
        if self.reason is not None:
            self.reason = ERASED  # in words of theirs, which may name anybody
        self._blank()
        self._touch()

    def _blank(self) -> None:
        if self.visitor.registration_id in self.erased:
            named = self.state not in NAMELESS
            kept = {"organisation": self.visitor.organisation} if named else {}
            self.visitor = self.visitor.erased().model_copy(update=kept)
        if self.host.registration_id in self.erased:
            self.host = self.host.erased()

    # ── steps ────────────────────────────────────────────────────────────────────────────────

    def _set_aside(self, at: datetime) -> None:
        assert self.lump_sum is not None
        self.state = GrantState.RESERVED
        self._record(GrantReserved(**self.facts(), amount=self.amount, receipt=self.lump_sum.receipt))
        self._follow_gates()

    def _queue(self, position: int | None) -> None:
        assert self.lump_sum is not None
        self.state, self.position = GrantState.AWAITING_BUDGET, position
        self._record(GrantAwaitingBudget(**self.facts(), amount=self.amount, receipt=self.lump_sum.receipt))

    def _refuse(self, at: datetime) -> None:
        assert self.lump_sum is not None
        self.state, self.due, self.strict_due = GrantState.REFUSED, None, None
        # What was signed promised something; should an amount come of it after all, it is signed anew.
        waits = Gate(state=GateState.WAITS_FOR_VISITOR, since=at)
        self.gates = self.gates.model_copy(update={"agreement": waits, "passed_at": None})
        self._blank()
        self._record(GrantRefused(**self.facts(), receipt=self.lump_sum.receipt))

    def _cancel(self, reason: str) -> None:
        freed = self.holding.amount
        self.state, self.due, self.strict_due = GrantState.CANCELLED, None, None
        self.reason = ERASED if self.erased else reason
        self._blank()
        self._record(GrantCancelled(**self.facts(), freed=freed, reason=reason))

    def _back_to_payable(self) -> None:
        self.payment_id = self.paid_on = self.reference = None
        self.claimed = NOTHING
        if self.match_ended is not None:
            self._cancel(self.reason or "")
        else:
            self.state = GrantState.PAYABLE

    def _follow_gates(self) -> None:
        """Commit what is reserved, and let be paid what is committed, as far as the gates are passed."""
        if self.state is GrantState.RESERVED and self.gates.agreement.state is GateState.PASSED:
            self.state = GrantState.COMMITTED
            self._record(GrantCommitted(**self.facts(), amount=self.amount))
        if self.state is GrantState.COMMITTED and self.gates.passed_at is not None:
            self.state = GrantState.PAYABLE
            self.due = self.gates.passed_at.date() + PAID_WITHIN
            self.strict_due = self.days.last_day + PAID_WITHIN
            self._record(
                GrantPayable(**self.facts(), amount=self.amount, due=self.due, strict_due=self.strict_due)
            )

    def _fall_back(self, name: GateName) -> bool:
        """What a gate that is open again undoes; whether it undoes anything."""
        before = self.state
        if self.state is GrantState.PAYABLE:
            self.state, self.due, self.strict_due = GrantState.COMMITTED, None, None
        if self.state is GrantState.COMMITTED and name == "agreement":
            self.state = GrantState.RESERVED
        return self.state is not before

    def _pay(self, on: date, reference: str) -> None:
        self.state, self.paid_on, self.reference = GrantState.PAID, on, reference
        self._record(
            GrantPaid(
                **self.facts(),
                payment_id=self._payment(),
                amount=self.amount,
                paid_on=on,
                reference=reference,
            )
        )

    def _payment(self) -> str:
        assert self.payment_id is not None
        return self.payment_id

    def _require_not_booked_before(self) -> None:
        if self.booked_before is not None:
            raise BookedBefore(
                f"The bank booked grant {self.id} in payment {self.booked_before}, whose transfer had failed "
                "before. Take it out of any other payment, and take in the bank's notice again: it is paid "
                "then."
            )

    def _require_recoverable(self, amount: Decimal) -> None:
        self._require(GrantState.PAID)
        left = self.amount - self.recovered
        if not NOTHING < amount <= left:
            raise RecoveryTooLarge(
                f"EUR {left:.2f} of grant {self.id} can come back, more than nothing and no more; "
                f"EUR {amount:.2f} cannot."
            )

    def _require(self, *states: GrantState) -> None:
        if self.state in states:
            return
        stands = self.state.value.replace("_", " ")
        if self.state in _IN_PAYMENT:
            payment = f"Grant {self.id} is {stands}, in payment {self.payment_id}: "
            match self.state:
                case GrantState.PREPARED:
                    raise GrantStateForbids(payment + "take it out of the payment first.")
                case GrantState.RELEASED:
                    raise GrantStateForbids(payment + "only the bank's answer changes that.")
                case _:
                    raise GrantStateForbids(payment + "what was paid can only be claimed back.")
        wanted = " or ".join(state.value.replace("_", " ") for state in states)
        if self.state in (GrantState.CANCELLED, GrantState.RECOVERED, GrantState.REFUSED):
            raise GrantStateForbids(f"Grant {self.id} is {stands} already.")
        raise GrantStateForbids(f"Grant {self.id} is {stands}; for this it would have to be {wanted}.")

    def facts(self) -> dict[str, Any]:
        """What every event about it says."""
        return {
            "grant_id": self.id,
            "match_id": self.match_id,
            "partnership": self.partnership,
            "visitor": self.visitor,
            "host": self.host,
            "stay": self.stay,
        }


def _gates_waiting(since: datetime) -> Gates:
    gate = Gate(state=GateState.WAITS_FOR_VISITOR, since=since)
    return Gates(agreement=gate, report=gate, evidence=gate)


def _in_words(gates: Gates, names: Collection[GateName]) -> str:
    waits = (
        f"{_GATES_IN_WORDS[name]} {getattr(gates, name).state.value.replace('_', ' ')}" for name in names
    )
    return ", ".join(f"{words.replace('waits for', 'waits for the')}" for words in waits)


def _change(before: LumpSum | None, after: LumpSum) -> Literal["more", "less", "same", "settled", "refused"]:
    """How a lump sum changed; without one before, it is settled."""
    if after.outcome is Outcome.NOT_ELIGIBLE:
        return "refused"
    if before is None or before.amount is None or after.amount is None:
        return "settled"
    if after.amount == before.amount:
        return "same"
    return "more" if after.amount > before.amount else "less"
