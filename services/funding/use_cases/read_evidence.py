"""Someone looks at the evidence of a stay; who has to judge it sees where else a file was sent."""

from __future__ import annotations

from services.funding.access import grant_with_evidence
from services.funding.domain.evidence import Evidence
from services.funding.repositories import FundingUnitOfWork
from shared.security import Caller, CallerRole


async def read_evidence(
    uow: FundingUnitOfWork, grant_id: str, *, by: Caller
) -> tuple[Evidence, dict[str, list[str]]]:
    """The evidence, and by a file's SHA-256 the other grants it was sent for, of those the caller may see.

    The visitor is not told of them. Raises `NotFound` and `Forbidden`.
    """
    grant = await grant_with_evidence(uow, grant_id, by)
    evidence = await uow.evidence.of(grant)
    if by.role is CallerRole.PARTICIPANT:
        return evidence, {}
    others = await uow.evidence.sharing_files_with(evidence)
    seen = {
        grant.id
        for grant in await uow.grants.get_all(other.grant_id for other in others)
        if by.sees_everything or by.is_staff_of(grant.partnership)
    }
    elsewhere: dict[str, list[str]] = {}
    for other in others:
        if other.grant_id in seen:
            for file in other.files:
                elsewhere.setdefault(file.sha256, []).append(other.grant_id)
    return evidence, elsewhere
