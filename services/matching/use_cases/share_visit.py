"""A registration was merged with others of its organisation, or taken apart from them."""

from __future__ import annotations

from services.matching.domain.pool import keys_of_visit
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import Party


async def share_visit(uow: MatchingUnitOfWork, party: Party, *, version: int) -> None:
    """Claim by the party's keys from now on; older news changes nothing.

    Its place in the pool and its matches stay as they are. Two open matches of merged registrations
    compete like two of one registration: at the last approval one wins. What its approved match has
    claimed by a key it has no longer is given back: that is another organisation's visit.
    """
    candidate = await uow.candidates.named(party.registration_id)
    if not candidate.is_news(version):
        return
    before = candidate.party.identifiers if candidate.party else []
    lost = {*keys_of_visit(candidate.id, before)} - {*keys_of_visit(candidate.id, party.identifiers)}
    claims = await uow.claims.get_all(sorted(lost))

    candidate.share_visit(party, version=version)
    for engagement in candidate.engagements:
        if engagement.side == "visitor" and engagement.approved:
            for claim in claims:
                claim.give_back(engagement.match_id)
