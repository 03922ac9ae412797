"""An organisation takes its registration back."""

from __future__ import annotations

from services.registration.access import Sender, name_of, registration_to_change
from services.registration.domain.audit import Action
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork
from shared.security import Caller, CallerRole


async def withdraw_registration(
    uow: RegistrationUnitOfWork, id: str, *, by: Sender, reason: str = ""
) -> Registration:
    """Withdraw; raises `NotFound`, `Forbidden` and `WrongState`."""
    registration = await registration_to_change(uow, id, by)
    before = registration.state
    registration.withdraw(by=name_of(by), reason=reason, at=uow.now)
    if isinstance(by, Caller) and by.role is CallerRole.STAFF:
        uow.trail.note(
            by,
            Action.WITHDRAW,
            registration_id=id,
            partnership=registration.party.partnership,
            why=reason,
            before={"state": before},
            after={"state": registration.state},
        )
    return registration
