"""Two who found each other before they registered: their match is made once both are in the pool."""

from __future__ import annotations

import asyncio

from services.matching.domain.case import Case
from services.matching.domain.introduction import introduction
from services.matching.domain.match import match_id, other_side
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.approve_automatically import approve_automatically
from shared.contracts.vocabulary import MatchState


async def introduce_partners(uow: MatchingUnitOfWork, joined_id: str, partner_id: str) -> None:
    """Make the match of a candidate that joined with one it names, or that names it.

    A partner that is not in the pool yet is told who named it. That writes its document, which its
    own joining writes too: of two transactions at the same moment one runs again and sees the other.
    A pair that ever had a match is left alone: what became of it is their own affair.
    """
    joined, partner = await asyncio.gather(uow.candidates.named(joined_id), uow.candidates.named(partner_id))
    if not partner.in_pool:
        if joined.in_pool and joined.names(partner_id):
            partner.be_named_by(joined_id)
        return
    assert joined.party is not None
    assert partner.party is not None
    await asyncio.gather(
        uow.claims.of(joined.party),
        uow.claims.of(partner.party),
        _had_a_match(uow, joined_id, partner_id),
        uow.rivals_of("", joined),
        uow.rivals_of("", partner),
    )

    # All of it is loaded: nothing below waits, so nobody else changes anything in between.
    claims = {
        joined_id: await uow.claims.of(joined.party),
        partner_id: await uow.claims.of(partner.party),
    }
    rivals = {
        joined_id: await uow.rivals_of("", joined),
        partner_id: await uow.rivals_of("", partner),
    }
    had_a_match = await _had_a_match(uow, joined_id, partner_id)
    agreed = introduction(joined, partner)
    if agreed is None or had_a_match:
        return
    case = Case.propose(
        match_id(agreed.visitor.id, agreed.host.id),
        visitor=(agreed.visitor, uow.prospect(agreed.visitor)),
        host=(agreed.host, uow.prospect(agreed.host)),
        claims=claims[agreed.visitor.id],
        stay=agreed.stay,
        by=agreed.proposed_by,
        at=uow.now,
        weights=uow.weights,
        answers=uow.answers,
        pre_agreed=True,
    )
    uow.matches.add(case.match)
    if agreed.mutual and case.match.state is MatchState.PROPOSED:
        case.accept(other_side(agreed.proposed_by), uow.answers, uow.today)
        approve_automatically(uow, case, rivals[agreed.visitor.id])


async def _had_a_match(uow: MatchingUnitOfWork, one_id: str, other_id: str) -> bool:
    ways = ((one_id, other_id), (other_id, one_id))
    return any([await uow.matches.find(match_id(*way)) is not None for way in ways])
