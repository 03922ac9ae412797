"""What the funding service reacts to: approved matches, and those that end."""

from __future__ import annotations

from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.contracts.matching import MatchApproved, MatchCancelled
from shared.messaging.handlers import Handlers

handlers: Handlers[FundingUnitOfWork] = Handlers("funding")


@handlers.on(MatchApproved)
async def on_match_approved(event: MatchApproved, uow: FundingUnitOfWork) -> None:
    await reserve_lump_sum(uow, event)


@handlers.on(MatchCancelled)
async def on_match_cancelled(event: MatchCancelled, uow: FundingUnitOfWork) -> None:
    await cancel_grant(uow, event)
