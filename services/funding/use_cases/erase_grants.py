"""A registration was erased: its personal data leave the grants, what is owed to it stays accounted for."""

from __future__ import annotations

from services.funding.agreements import renew_agreements
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.forget_bank_data import erase_bank_account


async def erase_grants(uow: FundingUnitOfWork, registration_id: str) -> None:
    """Let go of the data in every grant of the registration, and of what is heard of it later."""
    grants = await uow.grants.naming(registration_id)
    await uow.erasures.note(registration_id, uow.now)
    for grant in grants:
        grant.erase(registration_id)
    await renew_agreements(uow, grants)
    await erase_bank_account(uow, registration_id, grants)
