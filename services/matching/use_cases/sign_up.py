"""An organisation signs up for a group event: a place with a match of its own, a local one, or the wait."""

from __future__ import annotations

import asyncio

from services.matching.domain.candidate import Candidate
from services.matching.domain.case import Case, require_possible
from services.matching.domain.gathering import Gathering
from services.matching.domain.visit_claim import VisitClaim
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.draw_up_commitment import draw_up_commitment
from services.matching.use_cases.propose_match import member, new_match_id
from shared.contracts.vocabulary import MatchState
from shared.errors import Forbidden
from shared.security import Caller


async def sign_up(
    uow: MatchingUnitOfWork, gathering_id: str, registration_id: str, *, by: Caller
) -> Gathering:
    """Put it on the list, for the organisation itself, staff of its partnership and of the event's.

    Raises `NotFound` for a registration that is not in the pool, `Forbidden`, and the `RuleBroken` that
    keeps it from coming, also where it would only have waited.
    """
    gathering, candidate = await asyncio.gather(
        uow.gatherings.get_visible_to(by, gathering_id), member(uow, registration_id)
    )
    party, _ = candidate.require_in_pool()
    if not (by.acts_for(party.owner) or by.is_staff_of(party.partnership, gathering.partnership)):
        raise Forbidden(
            "Only the organisation itself, and staff of its partnership or of the one that holds the group "
            "event, can sign it up."
        )
    gathering.require_takes(registration_id, uow.today)
    attends_as = gathering.attends_as(party)
    if attends_as == "visitor":
        await _require_could_visit(uow, gathering, candidate)
    if not gathering.has_place_for(attends_as):
        gathering.wait(party, uow.now)
        candidate.attend(gathering.id)
    else:
        await seat(uow, gathering, candidate)
    return gathering


async def seat(uow: MatchingUnitOfWork, gathering: Gathering, candidate: Candidate) -> None:
    """Give it the place that is free for it; raises the `RuleBroken` that forbids it, and gives none then."""
    party, _ = candidate.require_in_pool()
    waited = gathering.find(candidate.id)
    if (waited.attends_as if waited else gathering.attends_as(party)) == "visitor":
        await seat_visitor(uow, gathering, candidate)
    else:
        gathering.take_place(party, uow.now)
        candidate.attend(gathering.id)


async def seat_visitor(uow: MatchingUnitOfWork, gathering: Gathering, visitor: Candidate) -> None:
    """Make the match it has its place by, and approve it where the event does so at once."""
    host, match_id, claims = await _what_a_visit_needs(uow, gathering, visitor)
    rivals = await uow.rivals_of(match_id, visitor)
    case = Case.at_gathering(
        match_id,
        gathering=gathering,
        visitor=(visitor, uow.prospect(visitor)),
        host=(host, uow.prospect(host)),
        claims=claims,
        at=uow.now,
        weights=uow.weights,
        answers=uow.answers,
    )
    uow.matches.add(case.match)
    seated = gathering.find(visitor.id)
    if seated is not None and seated.seated:
        gathering.come_by(visitor.id, match_id)
    else:
        gathering.take_place(case.match.visitor, uow.now, match_id)
        visitor.attend(gathering.id)
    if gathering.programme.approves_at_once and gathering.partnership in case.match.awaits:
        case.approve(gathering.partnership, rivals)
        if case.match.state is MatchState.APPROVED:
            draw_up_commitment(uow, case)


async def _require_could_visit(uow: MatchingUnitOfWork, gathering: Gathering, visitor: Candidate) -> None:
    host, match_id, claims = await _what_a_visit_needs(uow, gathering, visitor)
    require_possible(match_id, uow.prospect(visitor), uow.prospect(host), claims, gathering.days)


async def _what_a_visit_needs(
    uow: MatchingUnitOfWork, gathering: Gathering, visitor: Candidate
) -> tuple[Candidate, str, list[VisitClaim]]:
    party, _ = visitor.require_in_pool()
    return await asyncio.gather(
        uow.candidates.get(gathering.host.registration_id),
        new_match_id(uow, visitor.id, gathering.host.registration_id),
        uow.claims.of(party),
    )
