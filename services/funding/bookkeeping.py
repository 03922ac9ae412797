"""Keeps budgets, ledger and progress in step with the grants, in each transaction, whatever else it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.funding.domain.budget import Budget
from services.funding.domain.grant import Grant
from shared.contracts.vocabulary import GrantState

if TYPE_CHECKING:
    from services.funding.repositories import FundingUnitOfWork


async def keep_books(uow: FundingUnitOfWork) -> None:
    """Book what grants of this unit of work took or let go of, serve who waits, count, and enter it all.

    Runs before every commit: a grant cannot be stored without its money. Raises `BudgetExceeded`.
    """
    for grant in uow.at_hand(Grant):
        if grant.holding != grant.booked:
            (await uow.budgets.get(grant.partnership)).book(grant, at=uow.now)
    for budget in uow.at_hand(Budget):
        if budget.worth_serving:
            await serve_waiting_grants(uow, budget)
    for budget in uow.at_hand(Budget):
        for entry in budget.new_entries:
            uow.ledger.add(entry)
    for grant in uow.at_hand(Grant):
        if grant.changed and (change := grant.count()):
            (await uow.tallies.of(grant.partnership)).add(change)


async def serve_waiting_grants(uow: FundingUnitOfWork, budget: Budget, *, at_most: int = 500) -> list[Grant]:
    """Money was freed or added: the grants that wait for it take it, first come, first served.

    Reserves for the head of the queue until its grant does not fit; returns those served, in order.
    """
    served: list[Grant] = []
    after = 0
    while budget.awaiting and (waiting := await uow.grants.waiting(budget.id, after=after)):
        for grant in waiting:
            assert grant.position is not None
            after = grant.position
            if grant.state is not GrantState.AWAITING_BUDGET:
                continue
            if len(served) == at_most or grant.amount > budget.available:
                budget.queue_served()
                return served
            grant.take_reserved(at=uow.now)
            budget.book(grant, at=uow.now)
            served.append(grant)
    budget.queue_served()
    return served
