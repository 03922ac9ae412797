"""Who proposed a match takes the proposal back."""

from __future__ import annotations

from services.matching.access import side_of
from services.matching.domain.match import Match
from services.matching.repositories import MatchingUnitOfWork
from shared.security import Caller


async def withdraw_match(uow: MatchingUnitOfWork, match_id: str, *, by: Caller, reason: str = "") -> Match:
    """Take it back before there is an answer; the pair may try again."""
    match = await uow.matches.get_visible_to(by, match_id)
    case = await uow.case_of(match)
    case.withdraw(side_of(by, match), reason)
    return match
