"""The bank did not take the file of a released payment: its grants are payable once more."""

from __future__ import annotations

from services.funding.domain.payment import Payment
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.apply_bank_answers import take_in_answers
from shared.security import Caller


async def give_up_payment(uow: FundingUnitOfWork, id: str, *, reason: str, by: Caller) -> Payment:
    """The payment, each transfer of it rejected with this reason.

    Raises `NotFound`, `Forbidden`, `PaymentStateForbids`, `SameOfficer`.
    """
    payment = await uow.payments.get_visible_to(by, id)
    by.require_staff_of(payment.partnership)
    await take_in_answers(uow, payment.give_up(reason, by=by.subject, at=uow.now), [payment])
    return payment
