"""An organisation that was asked is still interested."""

from __future__ import annotations

from services.registration.access import Sender, is_staff, name_of, registration_to_change
from services.registration.domain.audit import Action
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork


async def confirm_interest(uow: RegistrationUnitOfWork, id: str, *, by: Sender) -> Registration:
    """Note it, asked or not; raises `NotFound`, `Forbidden` and `WrongState`."""
    registration = await registration_to_change(uow, id, by)
    registration.confirm_interest(by=name_of(by), at=uow.now)
    if is_staff(by):
        partnership = registration.party.partnership
        uow.trail.note(by, Action.CONFIRM_INTEREST, registration_id=id, partnership=partnership)
    return registration
