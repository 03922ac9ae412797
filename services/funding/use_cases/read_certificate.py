"""One who took part in a stay asks for the certificate of it."""

from __future__ import annotations

from services.funding.domain.certificate import Certificate
from services.funding.repositories import FundingUnitOfWork
from shared.errors import NotFound
from shared.security import Caller


async def read_certificate(uow: FundingUnitOfWork, id: str, *, by: Caller) -> Certificate:
    """The attendance certificate of a grant's stay.

    For both organisations, staff of their partnerships, the support office and auditors; raises `NotFound`
    for all others. Raises `NotAttendedYet` and `NamesErased`.
    """
    grant = await uow.grants.find(id)
    if grant is None or not (
        by.sees_everything
        or by.is_staff_of(grant.partnership, grant.host.partnership)
        or by.acts_for(grant.visitor.owner)
        or by.acts_for(grant.host.owner)
    ):
        raise NotFound(f"There is no grant {id}, or none you may see.")
    names = {partnership.id: partnership.name for partnership in uow.partnerships}
    return Certificate.of(grant, names)
