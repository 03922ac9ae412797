"""A prepared payment, or part of it, is taken back before it is released."""

from __future__ import annotations

from collections.abc import Sequence

from services.funding.domain.payment import Payment
from services.funding.repositories import FundingUnitOfWork
from shared.security import Caller


async def withdraw_payment(
    uow: FundingUnitOfWork, id: str, grants: Sequence[str] | None, *, reason: str, by: Caller
) -> Payment:
    """The payment without these grants, or withdrawn where none is left or none is named.

    Raises `NotFound`, `Forbidden`, `PaymentStateForbids`, `NotInPayment`.
    """
    payment = await uow.payments.get_visible_to(by, id)
    by.require_staff_of(payment.partnership)
    wanted = grants if grants is not None else [transfer.grant_id for transfer in payment.transfers]
    found = await uow.grants.get_all(transfer.grant_id for transfer in payment.transfers)
    accounts = await uow.bank_accounts.of(*found)

    gone = payment.withdraw(wanted, reason, by=by.subject, at=uow.now)
    by_id = {grant.id: grant for grant in found}
    for transfer in gone:
        by_id[transfer.grant_id].unprepare(reason)
        if transfer.grant_id in accounts:
            accounts[transfer.grant_id].let_go(transfer.end_to_end_id, at=uow.now)
    return payment
