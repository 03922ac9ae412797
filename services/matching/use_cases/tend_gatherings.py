"""Group events are closed and over in time, and who waits for a place that is free moves up."""

from __future__ import annotations

from collections.abc import Sequence

from services.matching.domain.errors import NotInPool
from services.matching.domain.gathering import Gathering
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.sign_up import seat
from shared.errors import RuleBroken


async def tend_gatherings(uow: MatchingUnitOfWork, ids: Sequence[str]) -> None:
    """Do with each of them what is due, if anything still is."""
    for gathering in await uow.gatherings.get_all(ids):
        gathering.come_due(uow.today)
        await _let_move_up(uow, gathering)


async def _let_move_up(uow: MatchingUnitOfWork, gathering: Gathering) -> None:
    """Whoever a rule keeps away by now leaves the list; who is to be accepted anew is passed over."""
    for waiting in gathering.first_in_line(uow.today):
        candidate = await uow.candidates.get(waiting.registration_id)
        try:
            await seat(uow, gathering, candidate)
        except NotInPool:
            continue
        except RuleBroken as broken:
            gathering.leave(candidate.id, broken.detail)
            candidate.stay_away(gathering.id)
