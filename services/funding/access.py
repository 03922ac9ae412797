"""Who may do what with a grant: the organisation it is for, and staff of the partnership that pays."""

from __future__ import annotations

from services.funding.domain.grant import Grant
from services.funding.repositories import FundingUnitOfWork
from shared.errors import Forbidden
from shared.security import Caller


async def grant_as_visitor(uow: FundingUnitOfWork, id: str, by: Caller) -> Grant:
    """The grant; raises `NotFound`, and `Forbidden` for all but the visiting organisation."""
    grant = await uow.grants.get_visible_to(by, id)
    by.require_acts_for(grant.visitor.owner)
    return grant


async def grant_as_payer(uow: FundingUnitOfWork, id: str, by: Caller) -> Grant:
    """The grant; raises `NotFound`, and `Forbidden` for all but staff of the visitor's partnership."""
    grant = await uow.grants.get_visible_to(by, id)
    by.require_staff_of(grant.partnership)
    return grant


async def grant_with_evidence(uow: FundingUnitOfWork, id: str, by: Caller) -> Grant:
    """The grant, for those who may see its evidence: it holds personal data that its host has no need of.

    Raises `NotFound`, and `Forbidden` for staff of the host's partnership.
    """
    grant = await uow.grants.get_visible_to(by, id)
    if not (by.sees_everything or by.acts_for(grant.visitor.owner) or by.is_staff_of(grant.partnership)):
        raise Forbidden(
            f"The evidence of {id} is for the visitor and its partnership, {grant.partnership}, alone."
        )
    return grant
