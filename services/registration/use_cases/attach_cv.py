"""A registration gets a CV, or loses the one it has."""

from __future__ import annotations

from services.registration.access import is_staff, registration_to_change
from services.registration.domain.audit import Action
from services.registration.domain.registration import Cv
from services.registration.repositories import RegistrationUnitOfWork
from shared.errors import NotFound
from shared.security import Caller


async def attach_cv(uow: RegistrationUnitOfWork, id: str, cv: Cv, *, by: Caller) -> str | None:
    """Point to this stored CV; returns the id of the file it replaces, to be let go of after the commit.

    Raises `NotFound`, `Forbidden` and `WrongState`.
    """
    registration = await registration_to_change(uow, id, by)
    replaced = registration.attach_cv(cv, at=uow.now)
    if is_staff(by):
        partnership = registration.party.partnership
        uow.trail.note(by, Action.ATTACH_CV, registration_id=id, partnership=partnership)
    return replaced


async def remove_cv(uow: RegistrationUnitOfWork, id: str, *, by: Caller) -> str:
    """Point to no CV; returns the file's id, to be let go of after the commit.

    Raises `NotFound` and `Forbidden`.
    """
    registration = await registration_to_change(uow, id, by)
    removed = registration.remove_cv(by=by.subject, at=uow.now)
    if removed is None:
        raise NotFound(f"Registration {id} has no CV.")
    if is_staff(by):
        partnership = registration.party.partnership
        uow.trail.note(by, Action.REMOVE_CV, registration_id=id, partnership=partnership)
    return removed
