"""The visitor adds a file to its evidence, takes one away, or says that this is all of it."""

from __future__ import annotations

from services.funding.access import grant_as_visitor
from services.funding.domain.evidence import Evidence, EvidenceFile
from services.funding.repositories import FundingUnitOfWork
from shared.security import Caller


async def require_room_for_evidence(
    uow: FundingUnitOfWork, grant_id: str, *, most: int, by: Caller
) -> Evidence:
    """Raises what `add_evidence` would raise whatever the file is: to be asked before it is read."""
    grant = await grant_as_visitor(uow, grant_id, by)
    evidence = await uow.evidence.of(grant)
    evidence.require_room(grant, most, at=uow.now)
    return evidence


async def add_evidence(
    uow: FundingUnitOfWork, grant_id: str, file: EvidenceFile, *, most: int, by: Caller
) -> Evidence:
    """Point to this stored file; raises `SentBefore`, `TooManyFiles`, and what else forbids it."""
    grant = await grant_as_visitor(uow, grant_id, by)
    evidence = await uow.evidence.of(grant)
    evidence.add(grant, file, most=most, at=uow.now)
    return evidence


async def remove_evidence(uow: FundingUnitOfWork, grant_id: str, file_id: str, *, by: Caller) -> Evidence:
    """Point to this file no longer: let go of it after the commit. Raises `NotFound`, and what forbids it."""
    grant = await grant_as_visitor(uow, grant_id, by)
    evidence = await uow.evidence.of(grant)
    evidence.remove(grant, file_id, at=uow.now)
    return evidence


async def submit_evidence(uow: FundingUnitOfWork, grant_id: str, *, by: Caller) -> Evidence:
    """Hand it to the partnership; raises `EvidenceNotReady`."""
    grant = await grant_as_visitor(uow, grant_id, by)
    evidence = await uow.evidence.of(grant)
    evidence.submit(grant, at=uow.now)
    return evidence
