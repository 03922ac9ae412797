"""A partnership approves an agreed match; the last word claims the visitor's one visit of the scheme."""

from __future__ import annotations

from services.matching.access import partnership_of
from services.matching.domain.match import Match
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.draw_up_commitment import draw_up_commitment
from shared.contracts.vocabulary import MatchState
from shared.security import Caller


async def approve_match(uow: MatchingUnitOfWork, match_id: str, *, by: Caller) -> Match:
    """Approve for the caller's partnership.

    Where it manages both sides, its one word is enough. With the last word the visitor's other open
    matches end. Of two matches of one visitor approved at the same moment one wins; the other raises
    `VisitAlreadyClaimed`, or `MatchStateForbids` where it was ended already.
    """
    match = await uow.matches.get_visible_to(by, match_id)
    partnership = partnership_of(by, match)
    case = await uow.case_of(match)
    case.approve(partnership, await uow.rivals_of(match_id, case.visitor))
    if match.state is MatchState.APPROVED:
        draw_up_commitment(uow, case)
    return match
