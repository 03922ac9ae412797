"""An organisation that was asked is still interested."""

from __future__ import annotations

from services.registration.access import Sender, name_of, registration_to_change
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork


async def confirm_interest(uow: RegistrationUnitOfWork, id: str, *, by: Sender) -> Registration:
    """Note it, asked or not; raises `NotFound`, `Forbidden` and `WrongState`."""
    registration = await registration_to_change(uow, id, by)
    registration.confirm_interest(by=name_of(by), at=uow.now)
    return registration
