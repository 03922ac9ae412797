"""The best partners in the pool for one candidate, as of now."""

from __future__ import annotations

from services.matching.domain.fit import Prospect
from services.matching.domain.pool import Best
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.matching import Side
from shared.errors import NotFound
from shared.security import Caller


async def suggest_partners(
    uow: MatchingUnitOfWork, registration_id: str, side: Side, *, by: Caller, limit: int
) -> Best:
    """Hosts for a visitor or visitors for a host, best first; raises `NotFound`.

    For the organisation itself, staff of its partnership, the support office and auditors.
    """
    prospect = uow.pool.get(registration_id) or await _stored(uow, registration_id)
    if prospect is None or side not in prospect.party.roles or not _sees(by, prospect):
        raise NotFound(f"There is no {side} {registration_id} in the pool, or none you may see.")
    return uow.pool.best(prospect, side, limit=limit)


async def _stored(uow: MatchingUnitOfWork, registration_id: str) -> Prospect | None:
    """One that joined a moment ago, before this process heard of it."""
    candidate = await uow.candidates.find(registration_id)
    return uow.prospect(candidate) if candidate and candidate.in_pool else None


def _sees(caller: Caller, prospect: Prospect) -> bool:
    party = prospect.party
    return caller.sees_everything or caller.is_staff_of(party.partnership) or caller.acts_for(party.owner)
