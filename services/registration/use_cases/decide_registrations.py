"""Staff decide about one registration or many: a preview of what will happen, then all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from services.registration.domain.decision import (
    MOST,
    Basis,
    Decision,
    Outlook,
    Proposal,
    TooManyToDecide,
    foresee,
)
from services.registration.domain.registration import Registration
from services.registration.domain.visit import visit_keys
from services.registration.filters import RegistrationFilter
from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.envelope import new_id
from shared.contracts.vocabulary import Role
from shared.errors import Forbidden
from shared.security import Caller, CallerRole

Choice = Sequence[str] | RegistrationFilter
"""The registrations a decision is about: their ids, or what they have in common."""


async def preview_decision(
    uow: RegistrationUnitOfWork, proposal: Proposal, choice: Choice, *, by: Caller, request: str
) -> tuple[list[Outlook], Basis]:
    """What the decision would do to each, and the basis on which it can be taken; changes nothing.

    `request` stands for everything that was asked for. Raises `Forbidden` and `TooManyToDecide`.
    """
    _require_staff(by)
    chosen = await _chosen(uow, choice, by)
    warnings = await _warnings(uow, [one for one in chosen.values() if one is not None])
    outlooks = [
        foresee(registration, proposal, at=uow.now, warnings=warnings[id])
        if registration is not None
        else _invisible(id)
        for id, registration in chosen.items()
    ]
    versions = {outlook.registration_id: outlook.version for outlook in outlooks}
    return outlooks, Basis(request=request, versions=versions)


async def decide_registrations(
    uow: RegistrationUnitOfWork, proposal: Proposal, basis: Basis, *, by: Caller, request: str
) -> Decision:
    """Decide about all that were previewed, as they were then.

    Raises `Forbidden`, `NotAsPreviewed` and `NothingToDecide`.
    """
    _require_staff(by)
    basis.require_same_request(request)
    visible = await uow.registrations.all_visible_to(by, list(basis.versions))
    basis.require_unchanged({registration.id: registration for registration in visible})
    return decide(uow, proposal, visible, by=by)


def decide(
    uow: RegistrationUnitOfWork, proposal: Proposal, registrations: Sequence[Registration], *, by: Caller
) -> Decision:
    """Take the decision, which can be undone for a time, and note it in the audit trail.

    The registrations are those of the partnership `by` works for. Raises what `Decision.take` does.
    """
    assert by.partnership is not None
    decision = Decision.take(
        new_id(),
        proposal,
        registrations,
        by=by.subject,
        partnership=by.partnership,
        at=uow.now,
        undoable_until=uow.now + uow.undo_for,
    )
    uow.decisions.add(decision)
    for item in decision.items:
        uow.trail.note(
            by,
            decision.kind.action,
            registration_id=item.registration_id,
            decision_id=decision.id,
            partnership=by.partnership,
            why=decision.reason,
            before={"state": item.before},
            after={"state": item.after},
        )
    return decision


def _require_staff(by: Caller) -> None:
    if by.role is not CallerRole.STAFF:
        raise Forbidden("Only staff of the partnership that has a registration decide about it.")


async def _chosen(uow: RegistrationUnitOfWork, choice: Choice, by: Caller) -> dict[str, Registration | None]:
    if isinstance(choice, RegistrationFilter):
        found = await uow.registrations.page(by, choice, limit=MOST + 1)
        if len(found) > MOST:
            raise TooManyToDecide(
                f"More than {MOST:,} registrations meet the filter, and a decision is about {MOST:,} at the "
                "most; narrow the filter."
            )
        return {registration.id: registration for registration in found}
    visible = await uow.registrations.all_visible_to(by, choice)
    return {**dict.fromkeys(choice), **{registration.id: registration for registration in visible}}


def _invisible(id: str) -> Outlook:
    return Outlook(id, 0, None, None, None, f"There is no registration {id}, or none you may see.")


async def _warnings(
    uow: RegistrationUnitOfWork, registrations: Sequence[Registration]
) -> dict[str, list[str]]:
    """What the registrations do not know of themselves."""
    visitors = [one for one in registrations if Role.VISITOR in one.party.roles]
    keys_of = {one.id: visit_keys(one.id, one.party.identifiers) for one in visitors}
    visits = await uow.visits.get_all(sorted({*chain.from_iterable(keys_of.values())}))
    by_key = {visit.id: visit for visit in visits}
    found: dict[str, list[str]] = {registration.id: [] for registration in registrations}
    for one in visitors:
        used = any(by_key[key].is_used_by_other_than(one.id) for key in keys_of[one.id] if key in by_key)
        if used and not one.receipt.facts.get("visit_used"):
            found[one.id].append(
                "Its organisation has used its one visit of the scheme since it was screened."
            )
    for pair in await uow.duplicates.open_about(list(found)):
        for id in found.keys() & set(pair.registrations):
            other = next(one for one in pair.registrations if one != id)
            found[id].append(
                f"It is {pair.score} % like registration {other}, and nobody has said yet whether both are "
                "of one organisation."
            )
    return found
