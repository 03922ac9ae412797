"""A match was approved: its visitor's one visit of the scheme is used."""

from __future__ import annotations

from services.registration.domain.registration import Registration
from services.registration.domain.visit import Visit, VisitUse, visit_keys
from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.common import Party


async def record_visit(uow: RegistrationUnitOfWork, visitor: Party, *, match_id: str) -> None:
    """Mark the visit as used under each key of the visitor."""
    use = VisitUse(
        match_id=match_id, registration_id=visitor.registration_id, partnership=visitor.partnership
    )
    keys = _standing(visitor, await uow.registrations.find(visitor.registration_id))
    await uow.visits.get_all(keys)
    for key in keys:
        # Read already: whatever another handler of the batch has just added is found here.
        visit = await uow.visits.find(key)
        if visit is None:
            visit = Visit(id=key)
            uow.visits.add(visit)
        visit.use(use)


def _standing(visitor: Party, registration: Registration | None) -> list[str]:
    """The visitor's keys, without what a merge lent it that was undone since the approval."""
    merges = {key for key in visitor.identifiers if key.startswith("merge:")}
    if registration is not None and merges - set(registration.party.identifiers):
        return visit_keys(registration.id, registration.party.identifiers)
    return visit_keys(visitor.registration_id, visitor.identifiers)
