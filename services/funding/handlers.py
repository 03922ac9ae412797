"""What the funding service reacts to: approved matches, those that end, and erased registrations."""

from __future__ import annotations

from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.erase_grants import erase_grants
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.contracts.matching import MatchApproved, MatchCancelled
from shared.contracts.registration import RegistrationErased
from shared.messaging.handlers import Handlers

handlers: Handlers[FundingUnitOfWork] = Handlers("funding")


@handlers.on(MatchApproved)
async def on_match_approved(event: MatchApproved, uow: FundingUnitOfWork) -> None:
    await reserve_lump_sum(uow, event)


@handlers.on(MatchCancelled)
async def on_match_cancelled(event: MatchCancelled, uow: FundingUnitOfWork) -> None:
    await cancel_grant(uow, event)


@handlers.on(RegistrationErased)
async def on_registration_erased(event: RegistrationErased, uow: FundingUnitOfWork) -> None:
    await erase_grants(uow, event.party.registration_id)
