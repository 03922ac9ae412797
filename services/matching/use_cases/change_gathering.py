"""Staff change what a group event says; moved to other days, each visitor gets a match for those."""

from __future__ import annotations

import asyncio

from services.matching.domain import words
from services.matching.domain.gathering import Gathering, Programme
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.sign_up import seat_visitor
from shared.errors import RuleBroken
from shared.security import Caller


async def change_gathering(
    uow: MatchingUnitOfWork, gathering_id: str, programme: Programme, *, by: Caller
) -> Gathering:
    """Take the place of what it said before.

    A match is for certain days, and so are its lump sum and its commitment: when the event is moved, each
    is cancelled and made anew. A visitor that a rule keeps from the new days loses its place.
    """
    gathering = await uow.gatherings.get_visible_to(by, gathering_id)
    by.require_staff_of(gathering.partnership)
    if gathering.rewrite(programme, uow.today):
        await _move_visitors(uow, gathering)
    return gathering


async def _move_visitors(uow: MatchingUnitOfWork, gathering: Gathering) -> None:
    days = words.days(gathering.days.first_day, gathering.days.last_day)
    matches = await uow.matches.get_all(one.match_id for one in gathering.seated if one.match_id)
    for case in await asyncio.gather(*(uow.case_of(match) for match in matches)):
        visitor = case.visitor
        # Its place stays its own while there is no match.
        gathering.come_by(visitor.id, None)
        case.cancel(f"“{gathering.title}” was moved to {days}.")
        try:
            await seat_visitor(uow, gathering, visitor)
        except RuleBroken as broken:
            gathering.leave(visitor.id, broken.detail)
            visitor.stay_away(gathering.id)
