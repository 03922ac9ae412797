"""A registration was accepted: it joins the pool, and meets partners it had before."""

from __future__ import annotations

from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.introduce_partners import introduce_partners
from services.matching.use_cases.renew_commitments import renew_commitments
from shared.contracts.common import Party
from shared.contracts.registration import Profile


async def join_pool(uow: MatchingUnitOfWork, party: Party, profile: Profile, *, version: int) -> None:
    """Take the registration into the pool, or in again as it now is; older news changes nothing.

    `version` is the registration's. Its best fits are found and told beside the event flow
    (`tell_best_fits`), once the pool has heard of it.
    """
    candidate = await uow.candidates.named(party.registration_id)
    if not candidate.is_news(version):
        return
    if (earlier := await uow.newcomers.with_(candidate)) is not None:
        earlier.take_off(candidate.id)
    candidate.join(party, profile, version=version, at=uow.now)
    uow.newcomers.welcome(candidate)

    await renew_commitments(uow, candidate)
    for gathering in await uow.gatherings.get_all(candidate.gatherings):
        gathering.follow(party)
    named = [partner.registration_id for partner in candidate.pre_agreed]
    for partner_id in dict.fromkeys([*named, *candidate.named_by]):
        await introduce_partners(uow, candidate.id, partner_id)
