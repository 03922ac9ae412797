"""Somebody follows the link of an invitation."""

from __future__ import annotations

from services.matching.domain.errors import InvitationOver
from services.matching.domain.invitation import Invitation
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import ERASED, Party


async def read_invitation(uow: MatchingUnitOfWork, token: str) -> tuple[Invitation, Party]:
    """The invitation and who invites.

    Raises `NotFound`, `InvitationUsed`, and `InvitationOver`.
    """
    invitation = await uow.invitations.by_token(token)
    invitation.require_open(uow.today)
    inviter = await uow.candidates.get(invitation.inviter_id)
    if inviter.party is None or inviter.party.organisation == ERASED:
        raise InvitationOver("Whoever sent this invitation does not take part any more.")
    return invitation, inviter.party
