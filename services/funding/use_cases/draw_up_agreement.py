"""Somebody asks for the financial agreement of a grant: it is drawn up, if nobody has before."""

from __future__ import annotations

from services.funding.agreements import renew
from services.funding.domain.agreement import Agreement, agreement_id
from services.funding.domain.agreement_document import conditions
from services.funding.domain.grant import Grant
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.vocabulary import GrantState
from shared.errors import NotFound
from shared.security import Caller


async def read_agreement(uow: FundingUnitOfWork, grant_id: str, *, by: Caller) -> Agreement | None:
    """The agreement of a grant the caller may see; None where it is to be drawn up. Raises `NotFound`."""
    grant = await uow.grants.get_visible_to(by, grant_id)
    agreement = await uow.agreements.find(agreement_id(grant.match_id))
    return agreement if agreement is not None and agreement.is_as(grant) else None


async def draw_up_agreement(uow: FundingUnitOfWork, grant_id: str, *, by: Caller) -> Agreement:
    """The agreement of a grant the caller may see; raises `NotFound` also where no amount is reserved."""
    return await agreement_of(uow, await uow.grants.get_visible_to(by, grant_id))


async def agreement_of(uow: FundingUnitOfWork, grant: Grant) -> Agreement:
    """The grant's agreement, drawn up where there is none; raises `NotFound` where no amount is reserved."""
    agreement = await uow.agreements.find(agreement_id(grant.match_id))
    if agreement is not None:
        # It may have been drawn up while another transaction changed the grant, and did not see it.
        renew(uow, agreement, grant)
        return agreement
    if grant.state is not GrantState.RESERVED:
        stands = grant.state.value.replace("_", " ")
        raise NotFound(
            f"There is no agreement for grant {grant.id}, which is {stands}: there is one as soon as an "
            "amount is reserved."
        )
    rules = uow.policies.scheme.in_force_on(grant.days.first_day)
    payer = uow.partnerships.get(grant.partnership)
    agreement = Agreement.draw_up(
        grant, payer.name if payer else grant.partnership, conditions(rules), at=uow.now
    )
    uow.agreements.add(agreement)
    return agreement
