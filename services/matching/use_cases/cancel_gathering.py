"""A group event will not be held: each visitor's match is cancelled as any other is."""

from __future__ import annotations

import asyncio

from services.matching.domain.gathering import Gathering
from services.matching.repositories import MatchingUnitOfWork
from shared.security import Caller


async def cancel_gathering(
    uow: MatchingUnitOfWork, gathering_id: str, *, by: Caller, reason: str
) -> Gathering:
    """Call it off, for staff of its partnership; budgets, visit rights and who waits are free again."""
    gathering = await uow.gatherings.get_visible_to(by, gathering_id)
    by.require_staff_of(gathering.partnership)
    matches = await uow.matches.get_all(one.match_id for one in gathering.seated if one.match_id)
    cases = await asyncio.gather(*(uow.case_of(match) for match in matches))
    gathering.cancel(reason)
    for case in cases:
        case.cancel(f"“{gathering.title}” is cancelled: {reason}")
    return gathering
