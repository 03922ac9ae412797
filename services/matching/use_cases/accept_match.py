"""An organisation that was asked says yes."""

from __future__ import annotations

from services.matching.access import side_of
from services.matching.domain.match import Match
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.approve_automatically import approve_automatically
from shared.security import Caller


async def accept_match(uow: MatchingUnitOfWork, match_id: str, *, by: Caller) -> Match:
    """Agree; a match the two had before they registered may be approved at once by the partnerships' rule."""
    match = await uow.matches.get_visible_to(by, match_id)
    case = await uow.case_of(match)
    case.accept(side_of(by, match), uow.answers, uow.today)
    if match.pre_agreed:
        approve_automatically(uow, case, await uow.rivals_of(match_id, case.visitor))
    return match
