"""A registration does not take part any more: it leaves the pool, its open matches and invitations end."""

from __future__ import annotations

from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import Party


async def leave_pool(
    uow: MatchingUnitOfWork, party: Party, *, version: int, reason: str, acceptance_undone: bool = False
) -> None:
    """Take the registration out for good and end its matches, each with its event.

    What it was asked is declined in its name; what it asked, agreed to or had approved is
    cancelled. An approved stay that has begun is left to the partnerships. One that never was in
    the pool is remembered, so that an acceptance delivered late does not bring it in.

    When its acceptance is undone, only what rests on that ends: matches of an earlier acceptance
    wait again, as they did before.
    """
    candidate = await uow.candidates.named(party.registration_id)
    if not candidate.is_news(version):
        return
    invitations = await uow.invitations.open_of(candidate.id) if candidate.invitations else []
    candidate.leave(party, version=version)
    for invitation in invitations:
        if not invitation.is_over(uow.today):
            invitation.withdraw(party, uow.today)
    uow.pool.remove(candidate.id)
    for engagement in candidate.engaged_since if acceptance_undone else candidate.engagements:
        case = await uow.case_of(await uow.matches.get(engagement.match_id))
        case.end_for_leaver(engagement.side, reason, uow.today)
