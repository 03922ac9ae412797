"""One organisation asks another to host it, or to visit it, on certain days."""

from __future__ import annotations

import asyncio

from services.matching.domain.candidate import Candidate
from services.matching.domain.case import Case
from services.matching.domain.errors import AlreadyMatched
from services.matching.domain.match import Match
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import Window
from shared.errors import Forbidden, NotFound
from shared.security import Caller


async def propose_match(
    uow: MatchingUnitOfWork, visitor_id: str, host_id: str, stay: Window, *, by: Caller
) -> Match:
    """Make the proposal in the name of the caller's own side.

    Raises `NotFound` for a registration that is not in the pool, `Forbidden` when the caller acts
    for neither side, and the `RuleBroken` that forbids it.
    """
    visitor, host = await asyncio.gather(member(uow, visitor_id), member(uow, host_id))
    visitor_party, _ = visitor.require_in_pool()
    host_party, _ = host.require_in_pool()
    if not (by.acts_for(visitor_party.owner) or by.acts_for(host_party.owner)):
        raise Forbidden("Only one of the two organisations itself can propose a match.")
    match_id = await new_match_id(uow, visitor_id, host_id)
    case = Case.propose(
        match_id,
        visitor=(visitor, uow.prospect(visitor)),
        host=(host, uow.prospect(host)),
        claims=await uow.claims.of(visitor_party),
        stay=stay,
        by="visitor" if by.acts_for(visitor_party.owner) else "host",
        at=uow.now,
        weights=uow.weights,
        answers=uow.answers,
    )
    uow.matches.add(case.match)
    return case.match


async def new_match_id(uow: MatchingUnitOfWork, visitor_id: str, host_id: str) -> str:
    """The id of the pair's next match; raises `AlreadyMatched` while they have one."""
    match_id, latest = await uow.matches.next_id(visitor_id, host_id)
    if latest is not None and latest.is_living:
        raise AlreadyMatched(f"These two have a match that is {latest.state}: {latest.id}.")
    return match_id


async def member(uow: MatchingUnitOfWork, registration_id: str) -> Candidate:
    """The candidate, if it is in the pool; raises `NotFound`."""
    candidate = await uow.candidates.find(registration_id)
    if candidate is None or not candidate.in_pool:
        raise NotFound(f"There is no registration {registration_id} in the pool.")
    return candidate
