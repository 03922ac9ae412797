"""Staff plan a group event at a host of their partnership."""

from __future__ import annotations

from services.matching.domain.errors import PartnersDoNotFit
from services.matching.domain.gathering import Gathering, Programme
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.propose_match import member
from shared.contracts.envelope import new_id
from shared.contracts.vocabulary import Role
from shared.security import Caller


async def plan_gathering(
    uow: MatchingUnitOfWork, host_id: str, programme: Programme, *, city: str | None, by: Caller
) -> Gathering:
    """Write it down; nobody can sign up before it is opened.

    Raises `NotFound` for a host that is not in the pool, `Forbidden` for anyone but staff of its
    partnership, and the `RuleBroken` that the programme breaks.
    """
    host = await member(uow, host_id)
    party, _ = host.require_in_pool()
    by.require_staff_of(party.partnership)
    assert party.partnership is not None
    if Role.HOST not in party.roles:
        raise PartnersDoNotFit(f"{party.organisation} is not registered as a host.")
    gathering = Gathering.plan(
        new_id(), partnership=party.partnership, host=party, city=city, programme=programme
    )
    uow.gatherings.add(gathering)
    host.attend(gathering.id)
    return gathering
