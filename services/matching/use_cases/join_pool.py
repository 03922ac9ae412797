"""A registration was accepted: it joins the pool, hears of its best fits, meets partners it had before."""

from __future__ import annotations

from typing import Final

from services.matching.domain.candidate import REASONS_TOLD
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.introduce_partners import introduce_partners
from services.matching.use_cases.renew_commitments import renew_commitments
from shared.contracts.common import Party
from shared.contracts.matching import Side
from shared.contracts.registration import Profile
from shared.contracts.vocabulary import Role

BEST_FITS: Final = 3


async def join_pool(uow: MatchingUnitOfWork, party: Party, profile: Profile, *, version: int) -> None:
    """Take the registration into the pool, or in again as it now is; older news changes nothing.

    `version` is the registration's. The fits are those of this moment, of those accepted in the
    same batch the ones taken in before it.
    """
    candidate = await uow.candidates.named(party.registration_id)
    if not candidate.is_news(version):
        return
    candidate.join(party, profile, version=version, at=uow.now)
    prospect = uow.prospect(candidate)
    uow.pool.put(prospect)
    sides: dict[Role, Side] = {Role.VISITOR: "visitor", Role.HOST: "host"}
    for side in (side for role, side in sides.items() if role in party.roles):
        best = uow.pool.best(prospect, side, limit=BEST_FITS, without=candidate.partners, told=REASONS_TOLD)
        candidate.found(side, *best)

    await renew_commitments(uow, candidate)
    for gathering in await uow.gatherings.get_all(candidate.gatherings):
        gathering.follow(party)
    named = [partner.registration_id for partner in candidate.pre_agreed]
    for partner_id in dict.fromkeys([*named, *candidate.named_by]):
        await introduce_partners(uow, candidate.id, partner_id)
