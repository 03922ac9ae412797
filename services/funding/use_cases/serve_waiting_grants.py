"""Money was freed or added: the grants that wait for it take it, first come, first served."""

from __future__ import annotations

from services.funding.domain.budget import Budget
from services.funding.domain.grant import Grant
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.vocabulary import GrantState


async def serve_waiting_grants(uow: FundingUnitOfWork, budget: Budget, *, at_most: int = 500) -> list[Grant]:
    """Reserve for the head of the queue until its grant does not fit; returns those served, in order."""
    served: list[Grant] = []
    after = 0
    while budget.awaiting and (waiting := await uow.grants.waiting(budget.id, after=after)):
        for grant in waiting:
            assert grant.position is not None
            after = grant.position
            if grant.state is not GrantState.AWAITING_BUDGET:
                continue
            if len(served) == at_most or not budget.serve(grant.amount):
                return served
            grant.take_reserved()
            served.append(grant)
    return served
