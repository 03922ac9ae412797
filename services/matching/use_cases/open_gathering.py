"""Staff open a group event for sign-ups, or close it."""

from __future__ import annotations

from services.matching.domain.gathering import Gathering
from services.matching.repositories import MatchingUnitOfWork
from shared.security import Caller


async def open_gathering(uow: MatchingUnitOfWork, gathering_id: str, *, by: Caller) -> Gathering:
    """From now on organisations may sign up."""
    gathering = await uow.gatherings.get_visible_to(by, gathering_id)
    by.require_staff_of(gathering.partnership)
    gathering.open(uow.today)
    return gathering


async def close_gathering(uow: MatchingUnitOfWork, gathering_id: str, *, by: Caller) -> Gathering:
    """Nobody signs up any more; who waits may still move up, and staff may open it again."""
    gathering = await uow.gatherings.get_visible_to(by, gathering_id)
    by.require_staff_of(gathering.partnership)
    gathering.close()
    return gathering
