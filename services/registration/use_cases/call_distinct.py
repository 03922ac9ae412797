"""Staff find that two registrations are of two organisations, alike as they are."""

from __future__ import annotations

from services.registration.access import pair_to_decide
from services.registration.domain.audit import Action
from services.registration.domain.duplicate import Duplicate, Finding
from services.registration.repositories import RegistrationUnitOfWork
from shared.security import Caller


async def call_distinct(
    uow: RegistrationUnitOfWork, duplicate_id: str, *, by: Caller, reason: str
) -> Duplicate:
    """Take the pair off the list; raises `NotFound`, `Forbidden` and `DuplicateDecided`."""
    duplicate = await pair_to_decide(uow, duplicate_id, by)
    duplicate.call_distinct(Finding(by=by.subject, at=uow.now, reason=reason))
    for id, partnership in zip(duplicate.registrations, duplicate.partnerships, strict=True):
        uow.trail.note(
            by,
            Action.DISTINCT,
            registration_id=id,
            partnership=partnership,
            why=reason,
            after={"duplicate": duplicate.id},
        )
    return duplicate
