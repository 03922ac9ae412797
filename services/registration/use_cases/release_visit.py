"""An approved match was cancelled: its visitor may visit again."""

from __future__ import annotations

from services.registration.domain.visit import visit_keys
from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.common import ERASED, Party


async def release_visit(uow: RegistrationUnitOfWork, visitor: Party, *, match_id: str) -> None:
    """Give the visit back under each key of the visitor, who may have been erased since."""
    if visitor.organisation == ERASED:
        visits = await uow.visits.used_for(match_id)
    else:
        visits = await uow.visits.get_all(visit_keys(visitor.registration_id, visitor.identifiers))
    for visit in visits:
        visit.give_back(match_id)
        if not visit.uses:
            uow.visits.remove(visit)
