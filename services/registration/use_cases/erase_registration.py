"""A registration's personal data go: its organisation wants it, or its partnership, or the time is up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

from services.registration.access import registration_to_erase
from services.registration.domain.audit import Action
from services.registration.domain.registration import CLOSED, OPEN, Registration
from services.registration.repositories import RegistrationUnitOfWork
from shared.security import Caller, CallerRole

_WITHDRAWN_FIRST: Final = "its data are to be erased"


async def erase_registration(
    uow: RegistrationUnitOfWork, id: str, *, by: Caller, reason: str
) -> tuple[Registration, str | None]:
    """Erase it, withdrawn first where it is open; also returns the id of its CV's file, to be deleted.

    `reason` stays in the audit trail. Raises `NotFound`, `Forbidden` and `AlreadyErased`.
    """
    registration = await registration_to_erase(uow, id, by)
    before, cv = registration.state, registration.cv
    if before in OPEN:
        registration.withdraw(by=by.subject, reason=_WITHDRAWN_FIRST, at=uow.now)
    own = by.role is CallerRole.PARTICIPANT
    await _erase(uow, registration, "organisation" if own else "partnership")
    uow.trail.note(
        replace(by, subject="") if own else by,
        Action.ERASE,
        registration_id=id,
        partnership=registration.party.partnership,
        why=reason,
        before={"state": before},
        after={"state": registration.state},
    )
    return registration, cv.file_id if cv is not None else None


async def erase_by_time(uow: RegistrationUnitOfWork, ids: Sequence[str], *, closed_before: datetime) -> None:
    """Erase those of them that have been closed, and untouched, since before that moment."""
    for registration in await uow.registrations.get_all(ids):
        if (
            registration.state in CLOSED
            and registration.erased_at is None
            and all(step.at < closed_before for step in registration.history)
        ):
            await _erase(uow, registration, "retention")


async def _erase(
    uow: RegistrationUnitOfWork,
    registration: Registration,
    on_behalf_of: Literal["organisation", "partnership", "retention"],
) -> None:
    # By its reference, which goes with the rest.
    await uow.imported_rows.forget(registration)
    await forget_traces(uow, registration)
    registration.erase(on_behalf_of=on_behalf_of, at=uow.now)


async def forget_traces(uow: RegistrationUnitOfWork, registration: Registration) -> None:
    """Let go of what lies about the registration outside of it; doing it again finds what came since."""
    if (draft := await uow.drafts.find(registration.id)) is not None:
        uow.drafts.remove(draft)
    for version in await uow.sent_versions.of(registration.id):
        uow.sent_versions.remove(version)
    for pair in await uow.duplicates.of(registration.id):
        uow.duplicates.remove(pair)
    if (search := await uow.searches.find(registration.id)) is not None:
        uow.searches.remove(search)
    for merge in await uow.merges.of(registration.id):
        merge.forget()
    decisions = {entry.decision_id for entry in await uow.trail.of(registration.id)}
    for decision in await uow.decisions.get_all(sorted(id for id in decisions if id is not None)):
        decision.forget()
    await uow.trail.forget(registration.id)


async def forget_again(uow: RegistrationUnitOfWork, ids: Sequence[str]) -> None:
    """Let go of what was written about these at the moment of their erasure, unseen by it."""
    for registration in await uow.registrations.get_all(ids):
        if registration.erased_at is not None:
            await forget_traces(uow, registration)
