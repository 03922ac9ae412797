"""A payment: the transfers of one file to the bank, prepared by one officer and released by another."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from pydantic import ConfigDict

from services.funding.domain.bank_account import AccountDetails
from services.funding.domain.bank_answer import Answer, AnswerOutcome, Says
from services.funding.domain.credit_transfer import CreditTransfer, credit_transfers
from services.funding.domain.sealed import Sealed
from shared.aggregate import Aggregate
from shared.contracts.common import Euros
from shared.contracts.envelope import Contract
from shared.contracts.funding import PaymentPrepared, PaymentReleased, PaymentWithdrawn
from shared.errors import RuleBroken
from shared.words import day, eur

MOST_TRANSFERS: Final = 500
"""Of one payment: all of it is one transaction."""

_AHEAD: Final = timedelta(days=30)


class SameOfficer(RuleBroken):
    """Who prepares a payment does not release it."""

    code = "same-officer"


class PaymentStateForbids(RuleBroken):
    """The payment is in a state in which this cannot be done."""

    code = "payment-state-forbids"


class DayNotPossible(RuleBroken):
    """A bank carries out nothing on a day that is over, and who gives a far one has mistyped it."""

    code = "day-not-possible"


class NotInPayment(RuleBroken):
    """What is to be taken out of a payment is not in it."""

    code = "not-in-payment"


class PaymentState(StrEnum):
    """Where a payment stands."""

    PREPARED = "prepared"
    WITHDRAWN = "withdrawn"
    RELEASED = "released"
    SETTLED = "settled"
    """The bank has answered for each transfer."""


class TransferState(StrEnum):
    """What is known of one transfer."""

    PENDING = "pending"
    PAID = "paid"
    REJECTED = "rejected"
    RETURNED = "returned"


class Transfer(Contract):
    """One grant's part of a payment."""

    grant_id: str
    match_id: str
    registration_id: str
    """The visitor's."""
    end_to_end_id: str
    """Names the transfer on its whole way, and in what the bank answers."""
    amount: Euros
    account: str
    """The IBAN, masked."""
    state: TransferState = TransferState.PENDING
    on: date | None = None
    """The day the bank booked it."""
    reference: str | None = None
    """The bank's own."""
    reason: str | None = None
    """Why it was rejected or returned."""


class Creditor(Contract):
    """Who a transfer goes to, and what they read beside the amount."""

    account: AccountDetails
    remittance: str


class Instruction(Contract):
    """What the file is made of beside the transfers; kept closed."""

    model_config = ConfigDict(hide_input_in_errors=True)

    debtor: AccountDetails
    creditors: dict[str, Creditor]
    """By the grant."""


def end_to_end_id(payment_id: str, grant_id: str) -> str:
    """Unique for a grant's transfer in this payment, and the same whenever it is asked for; 35 characters.

    A grant whose transfer failed is paid under another one, so that a late answer is not taken for the
    new transfer's.
    """
    return "CXC" + hashlib.sha256(f"{payment_id}/{grant_id}".encode()).hexdigest()[:32]


class Payment(Aggregate):
    """Transfers of one partnership, in one file; EUR.

    What is paid to whom is fixed when it is prepared; when it is released, so is the file, for good.
    """

    COLLECTION: ClassVar[str] = "payments"

    partnership: str
    state: PaymentState
    prepared_by: str
    """The subject of the officer's token; likewise below."""
    prepared_at: datetime
    transfers: list[Transfer]
    instruction: Sealed | None
    """`Instruction`, until the file is made of it."""
    released_by: str | None = None
    released_at: datetime | None = None
    execute_on: date | None = None
    """The day the bank is asked to carry it out."""
    file: Sealed | None = None
    """The file for the bank, byte for byte."""
    file_sha256: str | None = None
    message_id: str
    """Names the file in what the bank answers."""
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None
    given_up_by: str | None = None
    given_up_at: datetime | None = None
    """When it was said that the bank had not taken the file."""
    reason: str | None = None
    """Why it was withdrawn, or given up."""
    settled_at: datetime | None = None

    @classmethod
    def prepare(
        cls,
        id: str,
        partnership: str,
        transfers: Sequence[Transfer],
        instruction: Sealed,
        *,
        by: str,
        at: datetime,
    ) -> Self:
        """One officer says what is to be paid."""
        payment = cls(
            id=id,
            partnership=partnership,
            state=PaymentState.PREPARED,
            prepared_by=by,
            prepared_at=at,
            transfers=list(transfers),
            instruction=instruction,
            message_id=id.replace("-", "")[:35],
        )
        payment._record(PaymentPrepared(**payment._facts(payment.transfers)))
        return payment

    @property
    def total(self) -> Decimal:
        """EUR."""
        return _sum(self.transfers)

    def of(self, end_to_end_id: str) -> Transfer:
        """The transfer of that name."""
        return next(one for one in self.transfers if one.end_to_end_id == end_to_end_id)

    def summing_to(self, amount: Decimal | None) -> list[Transfer]:
        """Which transfers a sum is of: all, or all that were not rejected; none where it is neither."""
        carried_out = [one for one in self.transfers if one.state is not TransferState.REJECTED]
        if amount in (None, self.total):
            return self.transfers
        return carried_out if amount == _sum(carried_out) else []

    def require_releasable(self, by: str, on: date, today: date) -> None:
        """Raises `PaymentStateForbids`, `SameOfficer` and `DayNotPossible`."""
        self._require_prepared("released")
        if by == self.prepared_by:
            raise SameOfficer(
                "You prepared this payment; another officer of your partnership must release it. "
                "You can withdraw it."
            )
        if not today <= on <= today + _AHEAD:
            raise DayNotPossible(
                f"The bank cannot be asked to carry it out on {day(on)}: give a day from {day(today)} to "
                f"{day(today + _AHEAD)}."
            )

    def written(self, instruction: Instruction, *, on: date, at: datetime) -> bytes:
        """The file for the bank: the same answers to the same arguments, byte for byte."""
        return credit_transfers(
            message_id=self.message_id,
            created=at,
            execute_on=on,
            debtor=instruction.debtor,
            transfers=[
                CreditTransfer(
                    end_to_end_id=transfer.end_to_end_id,
                    amount=transfer.amount,
                    to=instruction.creditors[transfer.grant_id].account,
                    remittance=instruction.creditors[transfer.grant_id].remittance,
                )
                for transfer in self.transfers
            ],
        )

    def release(self, *, by: str, at: datetime, on: date, file: Sealed, sha256: str) -> None:
        """Another officer lets it go to the bank; from now on it never changes."""
        self.require_releasable(by, on, at.date())
        self.state = PaymentState.RELEASED
        self.released_by, self.released_at, self.execute_on = by, at, on
        self.file, self.file_sha256, self.instruction = file, sha256, None
        self._record(PaymentReleased(**self._facts(self.transfers), execute_on=on, file_sha256=sha256))

    def withdraw(self, grants: Collection[str], reason: str, *, by: str, at: datetime) -> list[Transfer]:
        """These of its grants are not to be paid by it after all; returns their transfers.

        Without any left it is over. Raises `NotInPayment`.
        """
        self._require_prepared("withdrawn")
        gone = [transfer for transfer in self.transfers if transfer.grant_id in grants]
        if strangers := set(grants) - {transfer.grant_id for transfer in gone}:
            raise NotInPayment(f"Grant {min(strangers)} is not in this payment. Nothing was changed.")
        left = [transfer for transfer in self.transfers if transfer.grant_id not in grants]
        if left:
            self.transfers = left
        else:
            self.state = PaymentState.WITHDRAWN
            self.withdrawn_by, self.withdrawn_at, self.reason = by, at, reason
            self.instruction = None
        self._record(PaymentWithdrawn(**self._facts(gone), left=len(left), reason=reason))
        return gone

    def judge(self, transfer: Transfer, answer: Answer) -> tuple[AnswerOutcome, str]:
        """What the bank's word about one transfer means for what is known of it, with a sentence."""
        if answer.currency not in (None, "EUR"):
            return (
                AnswerOutcome.AMOUNT_DIFFERS,
                f"the bank speaks of {answer.currency}, the transfer is in EUR",
            )
        if answer.end_to_end_id and answer.amount not in (None, transfer.amount):
            assert answer.amount is not None
            return (
                AnswerOutcome.AMOUNT_DIFFERS,
                f"the bank speaks of {eur(answer.amount)}, the transfer is of {eur(transfer.amount)}",
            )
        if self.state in (PaymentState.PREPARED, PaymentState.WITHDRAWN):
            return (
                AnswerOutcome.CONTRADICTS,
                f"payment {self.id} is {self.state.value}: no bank should know it",
            )
        match transfer.state, answer.says:
            case _, Says.ACCEPTED:
                return AnswerOutcome.NOTHING_TO_DO, "the bank has it, and has not booked it"
            case TransferState.PENDING, Says.BOOKED:
                return AnswerOutcome.APPLIED, "paid"
            case TransferState.PENDING | TransferState.PAID, Says.RETURNED if answer.no_return:
                return (
                    AnswerOutcome.CONTRADICTS,
                    "money came in, and the bank does not call it a return: is it the notice of the payee's "
                    "bank? If not, note what came back as recovered",
                )
            case TransferState.PENDING | TransferState.PAID, Says.REJECTED if answer.duplicate:
                return (
                    AnswerOutcome.CONTRADICTS,
                    f"{answer.reason}: the file may have been handed over twice, and the first one counts; "
                    "ask the bank what became of it",
                )
            case TransferState.PENDING, _:
                return (
                    AnswerOutcome.APPLIED,
                    f"{answer.says.value}: {answer.reason}; it can be prepared again",
                )
            case TransferState.PAID, Says.RETURNED:
                return AnswerOutcome.APPLIED, f"returned: {answer.reason}; it can be prepared again"
            case TransferState.PAID, Says.REJECTED:
                return AnswerOutcome.CONTRADICTS, "the bank had booked it before; ask the bank which is true"
            case TransferState.REJECTED, Says.BOOKED:
                return AnswerOutcome.APPLIED, "paid, though it had been rejected before"
            case _:
                return AnswerOutcome.ALREADY_KNOWN, f"it is {transfer.state.value} here already"

    def give_up(self, reason: str, *, by: str, at: datetime) -> list[Answer]:
        """The bank did not take the file at all; returns that as its answers, for each transfer to `settle`.

        A second officer says so, and the file is not handed over any more. Raises `PaymentStateForbids`
        unless all is open still, and `SameOfficer`.
        """
        if self.state is not PaymentState.RELEASED or len(self._pending) < len(self.transfers):
            raise PaymentStateForbids(
                f"This payment is {self.state.value}. Only a released one can be given up, as long as the "
                "bank has answered for none of its transfers."
            )
        if by == self.released_by:
            raise SameOfficer(
                "You released this payment; another officer of your partnership must say that the bank did "
                "not take it."
            )
        self.given_up_by, self.given_up_at, self.reason = by, at, reason
        said = f"the bank did not take the file: {reason}"
        return [
            Answer(Says.REJECTED, end_to_end_id=transfer.end_to_end_id, reason=said)
            for transfer in self.transfers
        ]

    def settle(self, transfer: Transfer, answer: Answer, *, at: datetime) -> None:
        """Take the bank's word, which `judge` found to apply."""
        changed = transfer.model_copy(
            update={
                "state": {
                    Says.BOOKED: TransferState.PAID,
                    Says.REJECTED: TransferState.REJECTED,
                    Says.RETURNED: TransferState.RETURNED,
                }[answer.says],
                "on": transfer.on or answer.on,
                "reference": transfer.reference or answer.reference,
                "reason": answer.reason,
            }
        )
        self.transfers = [changed if one.grant_id == transfer.grant_id else one for one in self.transfers]
        if self.state is PaymentState.RELEASED and not self._pending:
            self.state = PaymentState.SETTLED
            self.settled_at = at
        self._touch()

    def reseal(self, *, instruction: Sealed | None, file: Sealed | None) -> None:
        """The same, closed with the present key."""
        self.instruction, self.file = instruction, file
        self._touch()

    def forget_bank_data(self) -> None:
        """The accounts need it no more: what is left is who was paid how much, when and by whom."""
        self.instruction = self.file = None
        self.transfers = [one.model_copy(update={"account": ""}) for one in self.transfers]
        self._touch()

    @property
    def _pending(self) -> list[Transfer]:
        return [transfer for transfer in self.transfers if transfer.state is TransferState.PENDING]

    def _require_prepared(self, wanted: str) -> None:
        match self.state:
            case PaymentState.PREPARED:
                return
            case PaymentState.WITHDRAWN:
                raise PaymentStateForbids(f"This payment was withdrawn; it cannot be {wanted}.")
            case _:
                assert self.released_at is not None
                raise PaymentStateForbids(
                    f"This payment was released on {day(self.released_at)}; it cannot be {wanted}. "
                    f"Its file is at /payments/{self.id}/pain.001.xml, always the same."
                )

    def _facts(self, transfers: Sequence[Transfer]) -> dict[str, Any]:
        return {
            "payment_id": self.id,
            "partnership": self.partnership,
            "grants": [transfer.grant_id for transfer in transfers],
            "total": _sum(transfers),
        }


def _sum(transfers: Iterable[Transfer]) -> Decimal:
    return sum((transfer.amount for transfer in transfers), Decimal("0.00"))
