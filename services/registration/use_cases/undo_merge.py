"""Staff find that two merged registrations are of two organisations after all."""

from __future__ import annotations

from services.registration.access import merge_to_undo
from services.registration.domain.audit import Action
from services.registration.domain.duplicate import Finding
from services.registration.domain.merge import Merge
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.regroup_registrations import Regrouped, regroup_registrations
from shared.security import Caller


async def undo_merge(
    uow: RegistrationUnitOfWork, merge_id: str, *, by: Caller, reason: str
) -> tuple[Merge, list[Regrouped]]:
    """Give each its own visit again, and leave the pair open; also returns what that changed.

    Raises `NotFound`, `Forbidden` and `MergeUndone`.
    """
    merge = await merge_to_undo(uow, merge_id, by)
    merge.undo(Finding(by=by.subject, at=uow.now, reason=reason))
    duplicate = await uow.duplicates.find(merge.duplicate_id)
    if duplicate is not None and duplicate.merge_id == merge.id:
        duplicate.reopen()
    changed = await regroup_registrations(uow, merge.registrations, by=by.subject, merges=[merge])
    for registration in await uow.registrations.get_all(merge.registrations):
        uow.trail.note(
            by,
            Action.UNMERGE,
            registration_id=registration.id,
            partnership=registration.party.partnership,
            why=reason,
            before={"merge": merge.id},
            after={"state": registration.state},
        )
    return merge, changed
