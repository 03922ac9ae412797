"""A partnership refuses a match, with its reason."""

from __future__ import annotations

from services.matching.access import partnership_of
from services.matching.domain.match import Match
from services.matching.repositories import MatchingUnitOfWork
from shared.security import Caller


async def refuse_match(uow: MatchingUnitOfWork, match_id: str, *, by: Caller, reason: str) -> Match:
    """Refuse for the caller's partnership; possible until the match is approved."""
    match = await uow.matches.get_visible_to(by, match_id)
    partnership = partnership_of(by, match)
    case = await uow.case_of(match)
    case.refuse(partnership, reason)
    return match
