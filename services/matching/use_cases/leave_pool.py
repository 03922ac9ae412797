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
    the pool is remembered, so that an acceptance delivered late does not bring it in. It comes off the
    lists of group events; one it hosts, and that has not begun, is cancelled.

    When its acceptance is undone, only what rests on that ends: matches of an earlier acceptance
    wait again, as they did before.
    """
    candidate = await uow.candidates.named(party.registration_id)
    if not candidate.is_news(version):
        return
    invitations = await uow.invitations.open_of(candidate.id) if candidate.invitations else []
    gatherings = await uow.gatherings.get_all(candidate.gatherings)
    newcomers = await uow.newcomers.with_(candidate)
    candidate.leave(party, version=version)
    if newcomers is not None:
        newcomers.take_off(candidate.id)
    for invitation in invitations:
        if not invitation.is_over(uow.today):
            invitation.withdraw(party, uow.today)
    if not acceptance_undone:
        for gathering in gatherings:
            gathering.lose_host(candidate.id, reason, uow.today)
    for engagement in candidate.engaged_since if acceptance_undone else candidate.engagements:
        case = await uow.case_of(await uow.matches.get(engagement.match_id))
        case.end_for_leaver(engagement.side, reason, uow.today)
    for gathering in gatherings:
        if gathering.give_up_place_without_match(candidate.id, reason):
            candidate.stay_away(gathering.id)
