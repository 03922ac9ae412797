"""A registration was accepted anew: the commitments of its approved matches say what it says now."""

from __future__ import annotations

from services.matching.domain.candidate import Candidate
from services.matching.repositories import MatchingUnitOfWork


async def renew_commitments(uow: MatchingUnitOfWork, candidate: Candidate) -> None:
    """Bring them up to date; signatures on what reads otherwise by now do not hold any more."""
    approved = [engagement.match_id for engagement in candidate.engagements if engagement.approved]
    if not approved:
        return
    matches = {match.id: match for match in await uow.matches.get_all(approved)}
    commitments = await uow.commitments.of(*approved)
    party, _ = candidate.require_in_pool()
    for commitment in commitments:
        side = matches[commitment.match_id].side_of(candidate.id)
        commitment.follow(
            party if side == "visitor" else commitment.visitor,
            party if side == "host" else commitment.host,
            matches[commitment.match_id].stay,
            partnership_names=uow.partnership_name,
            reason=f"The registration of {party.organisation} was changed and accepted anew.",
            today=uow.today,
        )
