"""An organisation that was asked names other days."""

from __future__ import annotations

from services.matching.access import side_of
from services.matching.domain.match import Match
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import Window
from shared.security import Caller


async def counter_match(
    uow: MatchingUnitOfWork, match_id: str, stay: Window, *, by: Caller, reason: str = ""
) -> Match:
    """Say yes to the partner and ask for these days; the other side answers then, with the whole time."""
    match = await uow.matches.get_visible_to(by, match_id)
    case = await uow.case_of(match)
    case.counter(side_of(by, match), stay, reason, uow.answers, uow.today)
    return match
