"""What the bank answered is taken in: transfers are paid, or failed and payable once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.funding.domain.bank_answer import Answer, AnswerOutcome, Says
from services.funding.domain.payment import Payment, Transfer, TransferState
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.vocabulary import GrantState
from shared.errors import Forbidden, RuleBroken
from shared.security import Caller, CallerRole
from shared.words import eur


@dataclass(frozen=True)
class Taken:
    """What became of one answer; `amount` in EUR, as we know it, else as the bank says."""

    answer: Answer
    outcome: AnswerOutcome
    sentence: str
    payment_id: str | None = None
    grant_id: str | None = None
    amount: Decimal | None = None


async def apply_bank_answers(uow: FundingUnitOfWork, answers: Sequence[Answer], *, by: Caller) -> list[Taken]:
    """What became of each, about the payments of the officer's own partnership; others are not ours.

    Taken in again, the same answers change nothing. Raises `Forbidden`, `UnknownPartnership`.
    """
    partnership = uow.partnerships.require(require_may_take_in(by))
    return await take_in_answers(
        uow, answers, await uow.payments.named_in(answers, partnership=partnership.id)
    )


async def take_in_answers(
    uow: FundingUnitOfWork, answers: Sequence[Answer], payments: Sequence[Payment]
) -> list[Taken]:
    """What became of each answer about these payments."""
    ids = [transfer.grant_id for payment in payments for transfer in payment.transfers]
    grants = {grant.id: grant for grant in await uow.grants.get_all(ids)}
    accounts = await uow.bank_accounts.of(*grants.values())

    taken: list[Taken] = []
    for answer, payment, transfer in _sorted_out(answers, payments):
        if payment is None:
            taken.append(Taken(answer, AnswerOutcome.NOT_OURS, _not_ours(answer), amount=answer.amount))
            continue
        if transfer is None:
            outcome, sentence = _of_the_whole(answer, payment)
            taken.append(Taken(answer, outcome, sentence, payment.id, amount=payment.total))
            continue
        outcome, sentence = payment.judge(transfer, answer)
        if outcome is AnswerOutcome.APPLIED:
            grant = grants[transfer.grant_id]
            failed_before = transfer.state is TransferState.REJECTED
            assert failed_before or grant.payment_id == payment.id, f"{grant.id} is not in {payment.id}"
            on, reference = answer.on or uow.now.date(), answer.reference or transfer.end_to_end_id
            try:
                if answer.says is not Says.BOOKED:
                    grant.mark_failed(answer.reason or "the bank gives no reason")
                elif failed_before:
                    grant.mark_paid_after_all(payment.id, transfer.amount, on, reference)
                else:
                    grant.mark_paid(on, reference)
            except RuleBroken as refusal:
                outcome, sentence = AnswerOutcome.CONTRADICTS, refusal.detail
                if failed_before:
                    grant.keep_unpaid(payment.id)
                    sentence = f"it had been rejected before, and the money has left now. {sentence}"
            else:
                payment.settle(transfer, answer, at=uow.now)
                if grant.id in accounts:
                    accounts[grant.id].let_go(transfer.end_to_end_id, at=uow.now)
                if grant.state is GrantState.CANCELLED:
                    sentence = f"{answer.says.value}: {answer.reason}; its match had ended, the money is free"
        taken.append(Taken(answer, outcome, sentence, payment.id, transfer.grant_id, transfer.amount))
    return taken


def require_may_take_in(by: Caller) -> str:
    """The partnership whose bank's answers the caller may take in; raises `Forbidden`."""
    if by.role is not CallerRole.STAFF or by.partnership is None:
        raise Forbidden("Only staff of a partnership take in what its bank answers.")
    return by.partnership


Of = tuple[Answer, Payment | None, Transfer | None]


def _sorted_out(answers: Sequence[Answer], payments: Sequence[Payment]) -> Iterator[Of]:
    """Each answer with the transfer it is about: one about a whole file with each that it settles.

    Transfers are looked up when their turn comes: an answer before may have changed them.
    """
    by_transfer = {one.end_to_end_id: payment for payment in payments for one in payment.transfers}
    by_message = {payment.message_id: payment for payment in payments}
    singly = {answer.end_to_end_id for answer in answers}
    said = set()
    for answer in answers:
        if answer.end_to_end_id is not None:
            payment = by_transfer.get(answer.end_to_end_id)
            yield answer, payment, payment.of(answer.end_to_end_id) if payment else None
            continue
        payment = by_message.get(answer.message_id or "")
        if payment is not None:
            # Said again of all its transfers, it would fill the answer with what is known already.
            if (word := (answer.message_id, answer.says, answer.amount)) in said:
                continue
            said.add(word)
        meant = payment.summing_to(answer.amount) if payment else []
        if payment is None or answer.says is Says.ACCEPTED or not meant:
            yield answer, payment, None
            continue
        for id in [one.end_to_end_id for one in meant if one.end_to_end_id not in singly]:
            yield answer, payment, payment.of(id)


def _of_the_whole(answer: Answer, payment: Payment) -> tuple[AnswerOutcome, str]:
    if answer.says is Says.ACCEPTED:
        return AnswerOutcome.NOTHING_TO_DO, "the bank has the file, and has not booked it"
    assert answer.amount is not None
    return (
        AnswerOutcome.AMOUNT_DIFFERS,
        f"the bank speaks of {eur(answer.amount)}, the payment is of {eur(payment.total)}",
    )


def _not_ours(answer: Answer) -> str:
    if answer.end_to_end_id is None and answer.message_id is None:
        return "it names no transfer"
    return "no payment of your partnership has it"
