"""The invited organisation takes the invitation up: the two are partners found already."""

from __future__ import annotations

import asyncio

from services.matching.domain.candidate import Agreement
from services.matching.domain.errors import AlreadyMatched, PartnersDoNotFit
from services.matching.domain.invitation import Invitation
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.introduce_partners import introduce_partners
from services.matching.use_cases.read_invitation import read_invitation
from shared.contracts.matching import Side
from shared.contracts.vocabulary import Role
from shared.errors import Forbidden, NotFound
from shared.security import Caller, CallerRole


async def accept_invitation(
    uow: MatchingUnitOfWork, token: str, registration_id: str, *, by: Caller
) -> Invitation:
    """Link the two; their match is made now where both are in the pool, else as soon as both are.

    Of a registration that matching has not heard of it takes the caller's word, and holds it only if
    the registration turns out to be of the caller's organisation. Raises `NotFound`, `Forbidden`,
    `InvitationUsed`, `InvitationOver`, and the `RuleBroken` that forbids it.
    """
    if by.role is not CallerRole.PARTICIPANT or by.organisation is None:
        raise Forbidden("Only an organisation itself can accept an invitation, for its registration.")
    invitation, inviter_party = await read_invitation(uow, token)
    inviter, invited, matches = await asyncio.gather(
        uow.candidates.get(invitation.inviter_id),
        uow.candidates.named(registration_id),
        uow.matches.naming(registration_id),
    )
    if invited.party is not None and not by.acts_for(invited.party.owner):
        raise NotFound(f"There is no registration {registration_id} of your organisation.")
    if registration_id == inviter.id or inviter_party.owner == by.organisation:
        raise PartnersDoNotFit("An organisation cannot accept its own invitation.")
    if invited.party is not None and invitation.role not in invited.party.roles:
        raise PartnersDoNotFit(
            f"{invited.party.organisation} is not registered as a {invitation.role}, as the invitation asks. "
            "Amend the registration, then accept."
        )
    if any(match.names(inviter.id) for match in matches):
        raise AlreadyMatched(
            "These two have, or had, a match, and an invitation adds nothing to it. Propose another one."
        )

    sides: dict[Role, tuple[Side, Side]] = {
        Role.HOST: ("visitor", "host"),
        Role.VISITOR: ("host", "visitor"),
    }
    inviters_side, inviteds_side = sides[invitation.role]
    days = invitation.stay.model_dump()
    inviter.agree(
        Agreement(registration_id=registration_id, side=inviters_side, said_by=inviter_party.owner, **days)
    )
    inviter.settle_invitation(invitation.id)
    invited.agree(Agreement(registration_id=inviter.id, side=inviteds_side, said_by=by.organisation, **days))
    invitation.accept(registration_id, inviter_party, uow.today)
    await introduce_partners(uow, inviter.id, registration_id)
    return invitation
