"""The visitor's partnership accepts the evidence, or returns it."""

from __future__ import annotations

from collections.abc import Mapping

from services.funding.access import grant_as_payer
from services.funding.domain.evidence import Evidence
from services.funding.repositories import FundingUnitOfWork
from shared.security import Caller


async def accept_evidence(uow: FundingUnitOfWork, grant_id: str, *, edition: int, by: Caller) -> Evidence:
    """All of it, as it was in this edition; raises `EvidenceChanged` and `EvidenceStateForbids`."""
    grant = await grant_as_payer(uow, grant_id, by)
    evidence = await uow.evidence.of(grant)
    evidence.accept(grant, edition=edition, by=by.subject, at=uow.now)
    return evidence


async def return_evidence(
    uow: FundingUnitOfWork, grant_id: str, reasons: Mapping[str, str], *, reason: str | None, by: Caller
) -> Evidence:
    """With a reason for each file that will not do; raises `NotFound` and `EvidenceStateForbids`."""
    grant = await grant_as_payer(uow, grant_id, by)
    evidence = await uow.evidence.of(grant)
    evidence.send_back(grant, reasons, reason=reason, at=uow.now)
    return evidence
