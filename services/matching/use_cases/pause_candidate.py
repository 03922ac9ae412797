"""A registration was amended: until it is accepted anew, nobody is matched with it."""

from __future__ import annotations

from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import Party


async def pause_candidate(uow: MatchingUnitOfWork, party: Party, *, version: int) -> None:
    """Take the registration out of the pool; its matches stay as they are.

    They cannot go on while it is out: agreeing and approving ask that both are accepted, and take
    over what the registrations say by then.
    """
    candidate = await uow.candidates.named(party.registration_id)
    if candidate.is_news(version):
        candidate.leave(party, version=version)
        uow.pool.remove(candidate.id)
