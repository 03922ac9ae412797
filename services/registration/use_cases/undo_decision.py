"""Staff take a decision back: what has not changed since is as it was before."""

from __future__ import annotations

from services.registration.domain.audit import Action
from services.registration.domain.decision import Decision
from services.registration.domain.registration import ChangedSince
from services.registration.repositories import RegistrationUnitOfWork
from shared.security import Caller


async def undo_decision(
    uow: RegistrationUnitOfWork, id: str, *, by: Caller, reason: str
) -> tuple[Decision, dict[str, str]]:
    """Undo it for every registration that has not changed since; returns also why it holds for others.

    Raises `NotFound`, `Forbidden`, `AlreadyUndone` and `NotUndoable`, and `ChangedSince` when all
    have changed.
    """
    decision = await uow.decisions.get_visible_to(by, id)
    by.require_staff_of(decision.partnership)
    decision.require_undoable(uow.now)
    registrations = await uow.registrations.get_all([item.registration_id for item in decision.items])
    by_id = {registration.id: registration for registration in registrations}
    undone: list[str] = []
    changed: dict[str, str] = {}
    for item in decision.items:
        registration = by_id.get(item.registration_id)
        if registration is None:
            changed[item.registration_id] = f"Registration {item.registration_id} is not there any more."
            continue
        try:
            registration.undo_decision(id, version=item.version, by=by.subject, reason=reason, at=uow.now)
        except ChangedSince as since:
            changed[item.registration_id] = since.detail
            continue
        undone.append(item.registration_id)
        uow.trail.note(
            by,
            Action.UNDO,
            registration_id=item.registration_id,
            decision_id=id,
            partnership=decision.partnership,
            why=reason,
            before={"state": item.after},
            after={"state": registration.state},
        )
    if not undone:
        raise ChangedSince(
            next(iter(changed.values()))
            if len(changed) == 1
            else f"All {len(changed)} registrations have changed since the decision; decide about each anew."
        )
    decision.undo(undone, by=by.subject, reason=reason, at=uow.now)
    return decision, changed
