"""The programme suggests a match to two organisations, as part of a plan for the whole pool."""

from __future__ import annotations

import asyncio

from services.matching.domain.case import Case
from services.matching.domain.match import Match
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.propose_match import member, new_match_id
from shared.contracts.common import Window
from shared.errors import Forbidden
from shared.security import Caller, CallerRole


async def suggest_match(
    uow: MatchingUnitOfWork, visitor_id: str, host_id: str, stay: Window, *, plan_id: str, by: Caller
) -> Match:
    """Ask both sides; for staff of either partnership and the support office.

    Many may be suggested in one unit of work, also at once. Raises `NotFound` for a registration
    that is not in the pool, `Forbidden`, and the `RuleBroken` that forbids the match; nothing is
    made then, and the others of the same unit of work can still be.
    """
    visitor, host, match_id = await asyncio.gather(
        member(uow, visitor_id), member(uow, host_id), new_match_id(uow, visitor_id, host_id)
    )
    visitor_party, _ = visitor.require_in_pool()
    host_party, _ = host.require_in_pool()
    partnerships = (visitor_party.partnership, host_party.partnership)
    if by.role is not CallerRole.SUPPORT_OFFICE and not by.is_staff_of(*partnerships):
        raise Forbidden("Only staff of a partnership of the two, or the support office, can suggest a match.")
    case = Case.suggest(
        match_id,
        visitor=(visitor, uow.prospect(visitor)),
        host=(host, uow.prospect(host)),
        claims=await uow.claims.of(visitor_party),
        stay=stay,
        plan_id=plan_id,
        at=uow.now,
        weights=uow.weights,
        answers=uow.answers,
    )
    uow.matches.add(case.match)
    return case.match
