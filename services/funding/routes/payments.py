"""Payments: prepared by one officer, released by another, answered by the bank."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.funding.bank_messages import read_bank_message
from services.funding.bootstrap import Funding
from services.funding.domain.bank_answer import AnswerOutcome
from services.funding.domain.payment import MOST_TRANSFERS, Payment, PaymentState, TransferState
from services.funding.routes.root import Root, change
from services.funding.use_cases.apply_bank_answers import Taken, apply_bank_answers, require_may_take_in
from services.funding.use_cases.give_up_payment import give_up_payment
from services.funding.use_cases.prepare_payment import prepare_payment
from services.funding.use_cases.release_payment import read_payment_file, release_payment
from services.funding.use_cases.withdraw_payment import withdraw_payment
from shared.contracts.vocabulary import Day, Line, OnceEach
from shared.http import After, Authenticated, Limit, next_of, problem_responses
from shared.words import counted, listed

router = APIRouter(tags=["payments"])

XML: Final = "application/xml"
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}

ANSWER_BYTES: Final = 10 * 2**20
"""What a bank's file may have."""


class TransferView(BaseModel):
    """One grant's part of a payment; `amount` in EUR."""

    grant_id: str
    match_id: str
    visitor: str
    """The organisation that is paid."""
    end_to_end_id: str
    """Names it in what the bank answers."""
    amount: Decimal
    account: str = Field(examples=["PT50 •••• … 0154"])
    """Where it goes, masked; empty once bank data are no longer kept."""
    state: TransferState
    on: date | None
    """The day the bank booked it."""
    reference: str | None
    """The bank's own."""
    reason: str | None
    """Why it was rejected or returned."""


class PaymentLine(BaseModel):
    """A payment in a list; `total` in EUR."""

    id: str
    partnership: str
    state: PaymentState
    grants: int
    total: Decimal
    prepared_by: str
    prepared_at: datetime
    released_by: str | None
    released_at: datetime | None
    execute_on: date | None
    """The day the bank is asked to carry it out."""

    @classmethod
    def of(cls, payment: Payment) -> Self:
        """The line for this payment."""
        return cls(**_line(payment))


class PaymentView(PaymentLine):
    """A payment with its transfers."""

    version: int
    message_id: str
    """Names its file in what the bank answers."""
    file_sha256: str | None
    """Of the file, from the release on."""
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    given_up_by: str | None
    given_up_at: datetime | None
    """When it was said that the bank had not taken the file."""
    reason: str | None
    """Why it was withdrawn, or given up."""
    settled_at: datetime | None
    """When the bank had answered for each transfer."""
    transfers: list[TransferView]

    @classmethod
    def of_all(cls, payment: Payment, visitors: Mapping[str, str], **more: Any) -> Self:
        """The payment as its partnership sees it; `visitors` are named by their grants."""
        return cls(
            **_line(payment),
            version=payment.version,
            message_id=payment.message_id,
            file_sha256=payment.file_sha256,
            withdrawn_by=payment.withdrawn_by,
            withdrawn_at=payment.withdrawn_at,
            given_up_by=payment.given_up_by,
            given_up_at=payment.given_up_at,
            reason=payment.reason,
            settled_at=payment.settled_at,
            transfers=[
                TransferView(
                    **transfer.model_dump(exclude={"registration_id"}), visitor=visitors[transfer.grant_id]
                )
                for transfer in payment.transfers
            ],
            **more,
        )


class PaymentPage(BaseModel):
    """A page of payments, the oldest first; `next` is `after` of the following page."""

    items: list[PaymentLine]
    next: str | None


class PreparedView(PaymentView):
    """A payment that was prepared, and what could have been in it."""

    without_account: list[str]
    """Grants that are payable, and left out as the visitor has given no account yet."""


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


Grants = Annotated[
    list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=MOST_TRANSFERS), OnceEach
]


class PaymentSent(_Sent):
    """What is to be paid."""

    grants: Grants | None = None
    """Their ids, all of them or none; without the field, all that the partnership can pay now."""


class ReleaseSent(_Sent):
    """When the bank is to carry it out."""

    execute_on: Day | None = None
    """Today unless given; banks move it to their next working day."""


class WithdrawalSent(_Sent):
    """What is taken back, and why."""

    reason: Line
    grants: Grants | None = None
    """Those that are taken out; without the field, all of it."""


class GivingUpSent(_Sent):
    """What the bank said."""

    reason: Line


class AnswerLine(BaseModel):
    """What became of one statement of the bank; `amount` in EUR as we know it, else as the bank says."""

    outcome: AnswerOutcome
    says: str = Field(examples=["booked"])
    """What the bank says."""
    end_to_end_id: str | None
    message_id: str | None
    payment_id: str | None
    grant_id: str | None
    amount: Decimal | None
    sentence: str

    @classmethod
    def of(cls, taken: Taken) -> Self:
        """The line for this answer."""
        return cls(
            outcome=taken.outcome,
            says=taken.answer.says.value,
            end_to_end_id=taken.answer.end_to_end_id,
            message_id=taken.answer.message_id,
            payment_id=taken.payment_id,
            grant_id=taken.grant_id,
            amount=taken.amount,
            sentence=taken.sentence,
        )


class AnswersView(BaseModel):
    """What became of a bank's file."""

    sentence: str = Field(examples=["2 answers: 1 applied, 1 already known."])
    applied: int
    already_known: int
    nothing_to_do: int
    not_ours: int
    amount_differs: int
    contradicts: int
    """To be looked at: it does not fit what is known here."""
    answers: list[AnswerLine]

    @classmethod
    def of(cls, taken: Sequence[Taken]) -> Self:
        """The report on all of them."""
        many = Counter(one.outcome for one in taken)
        parts = [
            f"{many[outcome]} {outcome.value.replace('_', ' ')}" for outcome in AnswerOutcome if many[outcome]
        ]
        said = f": {listed(parts)}" if parts else ""
        unchanged = "" if many[AnswerOutcome.APPLIED] else " Nothing was changed."
        return cls(
            sentence=f"{counted(len(taken), 'answer')}{said}.{unchanged}",
            **{outcome.value: many[outcome] for outcome in AnswerOutcome},
            answers=[AnswerLine.of(one) for one in taken],
        )


@router.get(
    "/payments",
    summary="List payments",
    response_description="A page in the order of time.",
    responses=problem_responses(401, 422),
)
async def page(
    caller: Authenticated,
    funding: Root,
    state: PaymentState | None = None,
    limit: Limit = 50,
    after: After = None,
) -> PaymentPage:
    """Staff see their partnership's, the support office and auditors all, everyone else none."""
    found = await funding.transactions.read(
        lambda uow: uow.payments.page(caller, state=state, after=after, limit=limit)
    )
    return PaymentPage(items=[PaymentLine.of(payment) for payment in found], next=next_of(found, limit))


@router.post(
    "/payments",
    status_code=201,
    summary="Prepare a payment",
    response_description="The payment, for another officer to release.",
    responses=problem_responses(401, 403, 404, 409, 422, 503),
)
async def prepare(
    caller: Authenticated,
    funding: Root,
    request: Request,
    sent: PaymentSent | None = None,
) -> PreparedView:
    """Put grants of the officer's partnership into one payment, whose file goes to its bank.

    A grant must have passed its three gates and have an account; it is in one payment at a time. Where one
    of those named cannot be paid nothing is prepared, and `errors` says of each which gate is open, or
    what else is missing. What is paid to whom is fixed from now on.
    """
    prepared = await change(
        funding,
        request,
        lambda uow: prepare_payment(
            uow, sent.grants if sent else None, by=caller, debtors=funding.debtors, vault=funding.vault
        ),
    )
    return PreparedView.of_all(
        prepared.payment,
        await _visitors(funding, prepared.payment),
        without_account=[grant.id for grant in prepared.left_out],
    )


@router.get(
    "/payments/{id}",
    summary="Read a payment",
    response_description="The payment with its transfers.",
    responses=problem_responses(401, 404),
)
async def read(id: str, caller: Authenticated, funding: Root) -> PaymentView:
    """For staff of the partnership, the support office and auditors; accounts are masked."""
    return await _shown(
        funding, await funding.transactions.read(lambda uow: uow.payments.get_visible_to(caller, id))
    )


@router.post(
    "/payments/{id}/release",
    summary="Release a payment",
    response_description="The payment; its file can be fetched now.",
    responses=problem_responses(401, 403, 404, 409, 422, 503),
)
async def release(
    id: str,
    caller: Authenticated,
    funding: Root,
    request: Request,
    sent: ReleaseSent | None = None,
) -> PaymentView:
    """By another officer than the one who prepared it, as their tokens' subjects say.

    From now on it never changes, and its grants only by the bank's answers. Refused when it was
    released before, and when a match was cancelled meanwhile: take that grant out first.
    """
    payment = await change(
        funding,
        request,
        lambda uow: release_payment(
            uow, id, by=caller, on=sent.execute_on if sent else None, vault=funding.vault
        ),
    )
    return await _shown(funding, payment)


@router.post(
    "/payments/{id}/withdraw",
    summary="Withdraw a payment, or part of it",
    response_description="The payment as it is now.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def withdraw(
    id: str, sent: WithdrawalSent, caller: Authenticated, funding: Root, request: Request
) -> PaymentView:
    """Before it is released, by any officer of the partnership; its grants can be prepared again."""
    payment = await change(
        funding,
        request,
        lambda uow: withdraw_payment(uow, id, sent.grants, reason=sent.reason, by=caller),
    )
    return await _shown(funding, payment)


@router.post(
    "/payments/{id}/give-up",
    summary="Say that the bank did not take the file",
    response_description="The payment; its grants can be prepared again.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def give_up(
    id: str, sent: GivingUpSent, caller: Authenticated, funding: Root, request: Request
) -> PaymentView:
    """Where a bank refuses a file as a whole and sends no message about it, or it was never handed over.

    By another officer than the one who released it, while the bank has answered for none of its transfers.
    The file is not given out any more: it must not be handed over after all. What the bank books all the
    same is paid, unless it is in another payment by then: that is a contradiction, and is not released.
    """
    payment = await change(
        funding, request, lambda uow: give_up_payment(uow, id, reason=sent.reason, by=caller)
    )
    return await _shown(funding, payment)


@router.get(
    "/payments/{id}/pain.001.xml",
    summary="Fetch the file for the bank",
    response_class=Response,
    response_description="SEPA credit transfers, ISO 20022 pain.001.001.09; the same bytes each time.",
    responses={200: {"content": {XML: _FILE}}, **problem_responses(401, 403, 404, 409, 503)},
)
async def file(id: str, caller: Authenticated, funding: Root) -> Response:
    """For staff of the partnership alone: it holds account numbers. There is one from the release on.

    Hand it to the bank once; a bank that gets it twice refuses the second by its message id.

        curl -OJ -H "Authorization: Bearer $TOKEN" "$API/payments/$ID/pain.001.xml"
    """
    content = await funding.transactions.read(
        lambda uow: read_payment_file(uow, id, by=caller, vault=funding.vault)
    )
    return Response(
        content,
        media_type=XML,
        headers={
            "Content-Disposition": f'attachment; filename="pain.001-{id}.xml"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-store",
        },
    )


@router.post(
    "/payments/bank-answers",
    summary="Take in what the bank answered",
    response_description="What became of each of its statements.",
    responses=problem_responses(401, 403, 409, 413, 422, 503),
    openapi_extra={"requestBody": {"required": True, "content": {XML: _FILE}}},
)
async def take_in(caller: Authenticated, funding: Root, request: Request) -> AnswersView:
    """The bank's file is the body: a payment status report (pain.002) or notifications (camt.054).

    A booked debit, or a status of settled, makes a transfer paid; rejected or returned, its grant is
    payable again, with the bank's reason. Each statement is matched by its end-to-end id, amount and
    currency, with the payments of the officer's partnership. What does not fit is listed, and
    changes nothing; nor does the same file a second time.

        curl --data-binary @camt.054.xml -H "Content-Type: application/xml" \\
            -H "Authorization: Bearer $TOKEN" "$API/payments/bank-answers"
    """
    require_may_take_in(caller)  # who may not is told before the file is read
    content = b"".join([chunk async for chunk in request.stream()])
    answers = await asyncio.to_thread(read_bank_message, content)
    taken = await change(funding, request, lambda uow: apply_bank_answers(uow, answers, by=caller))
    return AnswersView.of(taken)


async def _shown(funding: Funding, payment: Payment) -> PaymentView:
    return PaymentView.of_all(payment, await _visitors(funding, payment))


async def _visitors(funding: Funding, payment: Payment) -> dict[str, str]:
    ids = [transfer.grant_id for transfer in payment.transfers]
    return await funding.transactions.read(lambda uow: uow.grants.visitors_of(ids))


def _line(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "partnership": payment.partnership,
        "state": payment.state,
        "grants": len(payment.transfers),
        "total": payment.total,
        "prepared_by": payment.prepared_by,
        "prepared_at": payment.prepared_at,
        "released_by": payment.released_by,
        "released_at": payment.released_at,
        "execute_on": payment.execute_on,
    }
