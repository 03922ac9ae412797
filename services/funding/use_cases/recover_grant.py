"""What was paid is claimed back, and noted when it has come."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from services.funding.access import grant_as_payer
from services.funding.domain.grant import Grant
from services.funding.repositories import FundingUnitOfWork
from shared.errors import RuleBroken
from shared.security import Caller


class ReturnByPast(RuleBroken):
    """Nobody can return money before today."""

    code = "return-by-past"


async def claim_back(
    uow: FundingUnitOfWork, id: str, amount: Decimal, reason: str, *, return_by: date, by: Caller
) -> Grant:
    """The grant, with the claim the visitor is told of; its money is paid until it is back.

    Raises `ReturnByPast`, `RecoveryTooLarge`, or what forbids it.
    """
    grant = await grant_as_payer(uow, id, by)
    if return_by < uow.now.date():
        raise ReturnByPast(f"{return_by} is past: give a day on which the money can still be returned.")
    grant.claim_back(amount, reason, return_by=return_by)
    return grant


async def recover_grant(
    uow: FundingUnitOfWork, id: str, amount: Decimal, reason: str, *, reference: str, by: Caller
) -> Grant:
    """The grant, with less of it paid: what came back is free for whoever waits for budget.

    Raises `RecoveryTooLarge`, `RecoveryNoted`, or what forbids it.
    """
    grant = await grant_as_payer(uow, id, by)
    grant.recover(amount, reason, reference=reference)
    return grant
