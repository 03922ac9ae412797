"""Either organisation, or staff of either partnership, ends a match before the stay."""

from __future__ import annotations

from services.matching.access import require_party_to
from services.matching.domain.match import Match
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import ERASED
from shared.security import Caller


async def cancel_match(uow: MatchingUnitOfWork, match_id: str, *, by: Caller, reason: str) -> Match:
    """Cancel; an approved match gives the visit right and the host's place back."""
    match = await uow.matches.get_visible_to(by, match_id)
    require_party_to(by, match)
    case = await uow.case_of(match)
    case.cancel(reason)
    if match.visitor.organisation == ERASED:
        # Its visitor is erased: an identifier that no match uses serves nobody any more.
        for claim in case.claims:
            uow.claims.remove(claim)
    return match
