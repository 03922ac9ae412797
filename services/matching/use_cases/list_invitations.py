"""An organisation, or its staff, looks what became of the invitations it sent."""

from __future__ import annotations

from services.matching.domain.invitation import Invitation
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.invite_partner import visible_inviter
from shared.security import Caller


async def list_invitations(uow: MatchingUnitOfWork, registration_id: str, *, by: Caller) -> list[Invitation]:
    """Those the registration sent, the latest first; raises `NotFound`."""
    await visible_inviter(uow, registration_id, by)
    sent = [one for one in await uow.invitations.naming(registration_id) if one.inviter_id == registration_id]
    return sorted(sent, key=lambda one: one.id, reverse=True)
