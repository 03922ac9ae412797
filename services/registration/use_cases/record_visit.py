"""A match was approved: its visitor's one visit of the scheme is used."""

from __future__ import annotations

from services.registration.domain.visit import Visit, VisitUse
from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.common import Party


async def record_visit(uow: RegistrationUnitOfWork, visitor: Party, *, match_id: str) -> None:
    """Mark the visit as used under each identifier of the visitor."""
    use = VisitUse(
        match_id=match_id, registration_id=visitor.registration_id, partnership=visitor.partnership
    )
    await uow.visits.get_all(visitor.identifiers)
    for identifier in dict.fromkeys(visitor.identifiers):
        # Read already: whatever another handler of the batch has just added is found here.
        visit = await uow.visits.find(identifier)
        if visit is None:
            visit = Visit(id=identifier)
            uow.visits.add(visit)
        visit.use(use)
