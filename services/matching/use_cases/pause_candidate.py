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
    if not candidate.is_news(version):
        return
    newcomers = await uow.newcomers.with_(candidate)
    candidate.leave(party, version=version)
    if newcomers is not None:
        newcomers.take_off(candidate.id)
