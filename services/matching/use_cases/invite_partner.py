"""An organisation in the pool invites a partner it has found, who may not be registered yet."""

from __future__ import annotations

import secrets
from datetime import timedelta

from services.matching.domain.candidate import Candidate
from services.matching.domain.errors import PartnersDoNotFit, StayOutOfBounds
from services.matching.domain.invitation import Invitation
from services.matching.domain.stay import require_sensible, require_within_a_month
from services.matching.domain.working_days import working_days_at
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import Party, Window
from shared.contracts.envelope import new_id
from shared.contracts.vocabulary import Role
from shared.errors import Forbidden, NotFound
from shared.security import Caller

TOKEN_BYTES = 32


async def invite_partner(
    uow: MatchingUnitOfWork,
    registration_id: str,
    *,
    email: str,
    role: Role,
    stay: Window,
    message: str,
    by: Caller,
) -> Invitation:
    """Send the link, in the name of the registration, for its organisation or staff of its partnership.

    `role` is what the invited would be. Raises `NotFound` for a registration that matching has not
    heard of or the caller may not see, `NotInPool`, and the `RuleBroken` that forbids it.
    """
    candidate, party = await visible_inviter(uow, registration_id, by)
    if by.sees_everything:
        raise Forbidden("Only the organisation itself and staff of its partnership can invite a partner.")
    candidate.require_in_pool()
    own = Role.VISITOR if role is Role.HOST else Role.HOST
    if own not in party.roles:
        raise PartnersDoNotFit(
            f"{party.organisation} is not registered as a {own}, so it cannot invite a {role}."
        )
    if own is Role.HOST:
        require_sensible(stay, working_days_at(party.place))
    else:
        # Whether there are working days enough depends on where the invited organisation is.
        require_within_a_month(stay)
    if stay.first_day <= uow.today:
        raise StayOutOfBounds(f"The stay begins on {stay.first_day}; an invitation is for days to come.")

    token, id = secrets.token_urlsafe(TOKEN_BYTES), new_id()
    sealed = uow.seal.close(email=email, token=token)
    expires_on = min(uow.today + timedelta(days=uow.invitation_days), stay.first_day - timedelta(days=1))
    candidate.send_invitation(id, expires_on, uow.today)
    invitation = Invitation.send(
        id,
        inviter=party,
        token=token,
        sealed=sealed,
        email=email,
        role=role,
        stay=stay,
        message=message,
        at=uow.now,
        expires_on=expires_on,
    )
    uow.invitations.add(invitation)
    return invitation


async def visible_inviter(
    uow: MatchingUnitOfWork, registration_id: str, by: Caller
) -> tuple[Candidate, Party]:
    """The registration, if matching has heard of it and the caller may see it; raises `NotFound`."""
    candidate = await uow.candidates.find(registration_id)
    party = candidate.party if candidate else None
    sees = party is not None and (
        by.sees_everything or by.acts_for(party.owner) or by.is_staff_of(party.partnership)
    )
    if candidate is None or party is None or not sees:
        raise NotFound(f"There is no registration {registration_id} in the pool, or none you may see.")
    return candidate, party
