"""The best partners in the pool for one candidate, as of now, read from the index alone."""

from __future__ import annotations

from services.matching.domain.pool import Best
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import Party
from shared.contracts.matching import Side
from shared.errors import NotFound
from shared.security import Caller


async def suggest_partners(
    uow: MatchingUnitOfWork, registration_id: str, side: Side, *, by: Caller, limit: int
) -> Best:
    """Hosts for a visitor or visitors for a host, best first, without those it has a match with.

    For the organisation itself, staff of its partnership, the support office and auditors. Raises
    `NotFound`.
    """
    prospect = uow.pool.member(registration_id)
    if prospect is None or side not in prospect.party.roles or not _sees(by, prospect.party):
        raise NotFound(f"There is no {side} {registration_id} in the pool, or none you may see.")
    return uow.pool.best(prospect, side, limit=limit)


def _sees(caller: Caller, party: Party) -> bool:
    return caller.sees_everything or caller.is_staff_of(party.partnership) or caller.acts_for(party.owner)
