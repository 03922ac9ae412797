"""An approved match was cancelled: its visitor may visit again."""

from __future__ import annotations

from services.registration.domain.visit import visit_keys
from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.common import Party


async def release_visit(uow: RegistrationUnitOfWork, visitor: Party, *, match_id: str) -> None:
    """Give the visit back under each key of the visitor."""
    keys = visit_keys(visitor.registration_id, visitor.identifiers)
    for visit in await uow.visits.get_all(keys):
        visit.give_back(match_id)
