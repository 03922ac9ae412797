"""Funding's contracts: the lump sum of an approved match, from its hold on the budget to the bank's answer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from shared.contracts.common import Euros, Party, Receipt, Window
from shared.contracts.envelope import Contract, Event
from shared.contracts.types import EventType
from shared.contracts.vocabulary import GateName, GateState, GrantState


class Gate(Contract):
    """One of the three things that must be done before a lump sum is paid."""

    state: GateState
    """Whose turn it is, or that it is done."""
    since: datetime
    """Since when it is so."""


class Gates(Contract):
    """The three gates of a grant."""

    agreement: Gate
    """The financial agreement, signed by the visitor and then by its partnership."""
    report: Gate
    """The visitor's report, validated by its partnership."""
    evidence: Gate
    """What shows that the stay took place, accepted by the visitor's partnership."""
    passed_at: datetime | None = None
    """When the last of the three was passed; absent while one is open."""


class GrantEvent(Event):
    """What every event of a grant carries."""

    grant_id: str
    """The id of the grant."""
    match_id: str
    """The match it is for."""
    partnership: str
    """The one that manages the visitor, and pays."""
    visitor: Party
    """Who travels and is paid."""
    host: Party
    """Who receives the visitor; its country sets the rate."""
    stay: Window
    """The planned days at the host."""


class GrantReserved(GrantEvent):
    """The lump sum is computed and set aside in the partnership's budget."""

    TYPE = EventType.GRANT_RESERVED

    amount: Euros
    """The lump sum in EUR."""
    receipt: Receipt
    """How it was computed."""


class GrantAwaitingBudget(GrantEvent):
    """The lump sum is computed, the budget is short; it goes on by itself when money is freed."""

    TYPE = EventType.GRANT_AWAITING_BUDGET

    amount: Euros
    """The lump sum in EUR."""
    receipt: Receipt
    """How it was computed."""


class GrantNeedsReview(GrantEvent):
    """The lump sum cannot be computed without a person; the receipt says what is missing."""

    TYPE = EventType.GRANT_NEEDS_REVIEW

    receipt: Receipt
    """What is known, and what is missing."""


class GrantRefused(GrantEvent):
    """The scheme pays nothing for this stay; the receipt says why."""

    TYPE = EventType.GRANT_REFUSED

    receipt: Receipt
    """Which rule forbids it."""


class GrantCancelled(GrantEvent):
    """The match ended; what was reserved is free again."""

    TYPE = EventType.GRANT_CANCELLED

    freed: Euros
    """What goes back to the budget, in EUR; 0 where nothing was reserved."""
    reason: str
    """Why the match ended, in plain words."""


class GrantRecalculated(GrantEvent):
    """The lump sum was computed again, on the real days or on corrected facts."""

    TYPE = EventType.GRANT_RECALCULATED

    change: Literal["more", "less", "same", "settled", "refused"]
    """Whether it became more or less; settled: there was no certain amount before; refused: none is due now."""
    amount_before: Euros | None = None
    """The lump sum before, in EUR; absent where none was certain."""
    amount: Euros
    """The lump sum now, in EUR."""
    real_stay: Window | None = None
    """The days as they were; absent while only the planned ones are known."""
    difference: str
    """What makes the difference, in plain words."""
    reason: str
    """Why it was computed again, in plain words."""
    receipt: Receipt
    """How it was computed this time."""


class GrantCommitted(GrantEvent):
    """The financial agreement is signed: the amount is promised."""

    TYPE = EventType.GRANT_COMMITTED

    amount: Euros
    """The lump sum in EUR."""


class GrantPayable(GrantEvent):
    """All three gates are passed: the amount is to be paid."""

    TYPE = EventType.GRANT_PAYABLE

    amount: Euros
    """The lump sum in EUR."""
    due: date
    """The last day for the payment: ten calendar days after the last gate."""
    strict_due: date
    """By the stricter reading: ten calendar days after the last day of the stay."""


class GrantReopened(GrantEvent):
    """A gate that had been passed is open again; what depends on it waits."""

    TYPE = EventType.GRANT_REOPENED

    gate: GateName
    """Which one."""
    waits_for: Literal["visitor", "partnership"]
    """Whose turn it is there."""
    state: GrantState
    """Where the grant stands now."""
    reason: str | None = None
    """Why, in plain words, where somebody said so."""


class GrantPrepared(GrantEvent):
    """An officer put the amount into a payment; another one releases it."""

    TYPE = EventType.GRANT_PREPARED

    payment_id: str
    """The id of the payment."""
    amount: Euros
    """The lump sum in EUR."""


class GrantUnprepared(GrantEvent):
    """The amount was taken out of a payment that was not released."""

    TYPE = EventType.GRANT_UNPREPARED

    payment_id: str
    """The id of the payment it was in."""
    amount: Euros
    """The lump sum in EUR."""
    reason: str
    """Why, in plain words."""


class GrantReleased(GrantEvent):
    """The payment was released: its file is for the bank."""

    TYPE = EventType.GRANT_RELEASED

    payment_id: str
    """The id of the payment."""
    amount: Euros
    """The lump sum in EUR."""


class GrantPaid(GrantEvent):
    """The bank says that the amount is paid."""

    TYPE = EventType.GRANT_PAID

    payment_id: str
    """The id of the payment."""
    amount: Euros
    """What was paid, in EUR."""
    paid_on: date
    """The day it was booked."""
    reference: str
    """What it is called at the bank."""


class GrantPaymentFailed(GrantEvent):
    """The bank did not carry the payment out, or sent it back: the amount is to be paid still."""

    TYPE = EventType.GRANT_PAYMENT_FAILED

    payment_id: str
    """The id of the payment."""
    amount: Euros
    """The lump sum in EUR."""
    reason: str
    """What the bank said, in plain words."""


class GrantMatchEnded(GrantEvent):
    """The match ended after its amount had been put into a payment: the money is as it was, staff must act."""

    TYPE = EventType.GRANT_MATCH_ENDED

    state: Literal["prepared", "released", "paid"]
    """Where the payment stands: it can be taken back, only awaited, or claimed back."""
    amount: Euros
    """What is on its way or paid, in EUR."""
    reason: str
    """Why the match ended, in plain words."""


class GrantClaimedBack(GrantEvent):
    """The partnership wants an amount back that was paid."""

    TYPE = EventType.GRANT_CLAIMED_BACK

    amount: Euros
    """What is to be returned, in EUR."""
    return_by: date
    """The last day for it."""
    reason: str
    """Why, in plain words."""


class GrantRecovered(GrantEvent):
    """Money that was paid came back, all of it or a part; it is free in the budget again."""

    TYPE = EventType.GRANT_RECOVERED

    amount: Euros
    """What came back now, in EUR."""
    left: Euros
    """What the visitor keeps, or has still to return, in EUR."""
    reason: str
    """Why, in plain words."""


class LedgerDifference(Contract):
    """One account of which two reckonings disagree."""

    account: str
    """Which one: available, reserved, committed or paid."""
    budget: Euros
    """What the budget says, in EUR."""
    ledger: Euros
    """What the entries of the ledger add up to, in EUR."""
    grants: Euros
    """What the grants add up to, in EUR."""


class LedgerDiffered(Event):
    """Budget, ledger and grants of a partnership do not add up: a fault of the platform, to be looked into."""

    TYPE = EventType.LEDGER_DIFFERED

    partnership: str
    """Whose money it is."""
    differences: list[LedgerDifference]
    """The accounts that differ."""
    missing: list[int]
    """Numbers missing from the ledger, the first ten of them."""
