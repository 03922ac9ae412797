"""Funding's contracts: the lump sum of an approved match, from its hold on the budget to the payment."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from shared.contracts.common import Euros, Party, Receipt, Window
from shared.contracts.envelope import Contract, Event
from shared.contracts.matching import SigningRole
from shared.contracts.types import EventType
from shared.contracts.vocabulary import EvidenceKind, GateName, GateState, GrantState


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
    """More or less than before; settled: none was certain or due before; refused: none is due now."""
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
    """The match ended though its amount is in a payment: the money is as it was, and staff must act."""

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


class GrantPaymentOverdue(GrantEvent):
    """The last day for the payment is over, and the visitor is not paid; told once for each due date."""

    TYPE = EventType.GRANT_PAYMENT_OVERDUE

    state: GrantState
    """How far it has come: payable, prepared or released."""
    amount: Euros
    """The lump sum in EUR."""
    due: date
    """The last day for the payment, which is over."""
    strict_due: date
    """By the stricter reading: ten calendar days after the last day of the stay."""
    payment_id: str | None = None
    """The payment it is in, if it is in one."""


class AgreementEvent(GrantEvent):
    """What every event of the financial agreement of a grant carries."""

    agreement_id: str
    """The id of the agreement; a grant has one."""
    stay: Window
    """The days at the host it is for: as planned, or as they were where it was drawn up anew for these."""
    number: str
    """What people call it by."""
    edition: int
    """Counts how often it was drawn up, from 1."""
    amount: Euros
    """The lump sum it promises, in EUR."""
    document_sha256: str
    """The hash of the content, in hexadecimal: what is signed."""
    missing: list[SigningRole]
    """Whose signature is missing: the visiting organisation's (VO), its partnership's (VOP)."""


class AgreementDrawnUp(AgreementEvent):
    """There is a financial agreement to sign: the first one of a grant, or another edition of it."""

    TYPE = EventType.AGREEMENT_DRAWN_UP


class AgreementSigned(AgreementEvent):
    """The visitor signed, or after it the partnership; with both, the grant is committed."""

    TYPE = EventType.AGREEMENT_SIGNED

    signed_as: SigningRole
    """VO or VOP."""
    signed_for: str
    """The organisation or partnership it was signed for."""
    signed_at: datetime
    """When."""


class AgreementVoided(AgreementEvent):
    """An edition does not hold any more: days, amount or parties have changed, or the grant has ended."""

    TYPE = EventType.AGREEMENT_VOIDED

    reason: str
    """What has changed, in plain words."""
    voided: list[SigningRole]
    """Who had signed it."""
    was_complete: bool
    """Whether both had."""
    final: bool
    """Whether there is nothing to sign instead; else the next edition follows."""


class ReportSubmitted(GrantEvent):
    """The visitor handed in the report on its stay; its partnership validates it, or returns it."""

    TYPE = EventType.REPORT_SUBMITTED

    real_stay: Window
    """The days as they were, as the visitor says."""


class ReportReturned(GrantEvent):
    """The partnership returned the report, to be corrected; one that was validated counts no longer."""

    TYPE = EventType.REPORT_RETURNED

    reason: str
    """What is to be corrected, in plain words."""
    was_validated: bool
    """Whether it had been validated before."""


class ReportValidated(GrantEvent):
    """The partnership stands by the report; the lump sum is computed on the real days."""

    TYPE = EventType.REPORT_VALIDATED

    real_stay: Window
    """The days as they were."""
    amount: Euros
    """The lump sum on these days, in EUR; 0 where none is due."""
    difference: str
    """What became of the lump sum by the real days, in plain words."""
    counts: bool
    """Whether the exchange counts for the partnership; one for which nothing is due does not."""


class ReportReminded(GrantEvent):
    """The stay is over for some time and no report has come: the visitor is asked for it."""

    TYPE = EventType.REPORT_REMINDED

    ended: date
    """The last day of the stay."""
    number: int
    """Which reminder it is, from 1."""
    last: bool
    """Whether none follows."""
    begun: bool
    """Whether something of the report is saved."""


class EvidenceSubmitted(GrantEvent):
    """The visitor handed in what shows that the stay took place."""

    TYPE = EventType.EVIDENCE_SUBMITTED

    kinds: list[EvidenceKind]
    """What the files are, one entry a file."""


class FileReturned(Contract):
    """A file of evidence that will not do."""

    name: str
    """Its name."""
    kind: EvidenceKind
    """What the visitor says it is."""
    reason: str
    """Why it will not do, in plain words."""


class EvidenceReturned(GrantEvent):
    """The partnership does not take the evidence as it is."""

    TYPE = EventType.EVIDENCE_RETURNED

    reason: str | None = None
    """What is missing, beside what is said of each file, in plain words."""
    files: list[FileReturned]
    """The files that will not do; none where only something is missing."""
    was_accepted: bool
    """Whether it had been accepted before."""


class FileAccepted(Contract):
    """A file of evidence that was accepted."""

    kind: EvidenceKind
    """What it is."""
    sha256: str
    """Of its content, in hexadecimal."""


class EvidenceAccepted(GrantEvent):
    """The partnership accepts the evidence: the stay took place."""

    TYPE = EventType.EVIDENCE_ACCEPTED

    files: list[FileAccepted]
    """All of it."""


class ForecastConcern(Contract):
    """One thing that is out of reach: it comes about in fewer than one of ten runs of the simulation."""

    code: str
    """`objective_over_budget`, `objective_late`, `queue_over_budget`, `budget_unspent`, or a later one."""
    sentence: str
    """What is out of reach, by what figures, and what can be done."""


class ForecastWarning(Event):
    """The objective or the budget of a partnership came out of reach, or into it again."""

    TYPE = EventType.FORECAST_WARNING

    partnership: str
    """Whose forecast it is."""
    on: date
    """The day of the forecast."""
    concerns: list[ForecastConcern]
    """All that is out of reach now; empty when nothing is any more."""
    new: list[str] = Field(default_factory=list)
    """The codes of those that were not there before."""
    cleared: list[str] = Field(default_factory=list)
    """The codes of those that are gone."""


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
    """Budget, ledger and grants of a partnership do not add up: a fault of the platform to look into."""

    TYPE = EventType.LEDGER_DIFFERED

    partnership: str
    """Whose money it is."""
    differences: list[LedgerDifference]
    """The accounts that differ."""
    missing: list[int]
    """Numbers missing from the ledger, the first ten of them."""


class BankAccountGiven(GrantEvent):
    """The visitor said which account it is to be paid to, or changed that; not a digit of it is told."""

    TYPE = EventType.BANK_ACCOUNT_GIVEN

    changed: bool
    """Whether there was another one before."""


class PaymentEvent(Event):
    """What every event of a payment carries: transfers of one partnership, in one file for its bank."""

    payment_id: str
    """The id of the payment."""
    partnership: str
    """The one that pays."""
    grants: list[str]
    """The grants concerned."""
    total: Euros
    """What they add up to, in EUR."""


class PaymentPrepared(PaymentEvent):
    """An officer prepared a payment; another one releases it."""

    TYPE = EventType.PAYMENT_PREPARED


class PaymentReleased(PaymentEvent):
    """Another officer released the payment: its file is fixed, and can be handed to the bank."""

    TYPE = EventType.PAYMENT_RELEASED

    execute_on: date
    """The day the bank is asked to carry it out."""
    file_sha256: str
    """Of the file, in hexadecimal."""


class PaymentWithdrawn(PaymentEvent):
    """A payment that was not released was taken back, all of it or the grants named."""

    TYPE = EventType.PAYMENT_WITHDRAWN

    left: int
    """How many grants stay in it."""
    reason: str
    """Why, in plain words."""
