"""Who sent an invitation takes it back."""

from __future__ import annotations

from services.matching.domain.invitation import Invitation
from services.matching.repositories import MatchingUnitOfWork
from shared.errors import Forbidden, NotFound
from shared.security import Caller


async def withdraw_invitation(uow: MatchingUnitOfWork, invitation_id: str, *, by: Caller) -> Invitation:
    """Make the link useless; for the organisation that sent it and staff of its partnership."""
    invitation = await uow.invitations.find(invitation_id)
    inviter = await uow.candidates.find(invitation.inviter_id) if invitation else None
    party = inviter.party if inviter else None
    if invitation is not None and party is not None:
        if by.acts_for(party.owner) or by.is_staff_of(party.partnership):
            invitation.withdraw(party, uow.today)
            return invitation
        if by.sees_everything:
            raise Forbidden("Only the organisation itself and staff of its partnership can withdraw it.")
    raise NotFound(f"There is no invitation {invitation_id}, or none you may see.")
