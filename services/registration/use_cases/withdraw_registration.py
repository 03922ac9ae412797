"""An organisation takes its registration back."""

from __future__ import annotations

from services.registration.access import Sender, name_of, registration_to_change
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork


async def withdraw_registration(
    uow: RegistrationUnitOfWork, id: str, *, by: Sender, reason: str = ""
) -> Registration:
    """Withdraw; raises `NotFound`, `Forbidden` and `WrongState`."""
    registration = await registration_to_change(uow, id, by)
    registration.withdraw(by=name_of(by), reason=reason, at=uow.now)
    return registration
