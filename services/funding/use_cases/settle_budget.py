"""The configured budget of a partnership takes effect: opened, raised or cut, and the queue served."""

from __future__ import annotations

from services.funding.bookkeeping import serve_waiting_grants
from services.funding.repositories import FundingUnitOfWork
from shared.partnerships import Partnership


async def settle_budget(uow: FundingUnitOfWork, partnership: Partnership, *, at_most: int = 500) -> int:
    """Bring the budget to the configured amount; returns how many waiting grants were served.

    Call it again while it serves `at_most`. Raises `BudgetBelowReserved` when it was cut too far.
    """
    budget = await uow.budgets.of(partnership)
    if budget.total != partnership.budget:
        budget.set_total(partnership.budget, at=uow.now)
    return len(await serve_waiting_grants(uow, budget, at_most=at_most))
