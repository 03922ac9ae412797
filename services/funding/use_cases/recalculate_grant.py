"""A grant's lump sum is computed again: on the real days, on corrected facts, or settled by a person."""

from __future__ import annotations

from services.funding.domain.grant import Grant
from services.funding.domain.lump_sum import LumpSum
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.common import Window
from shared.contracts.vocabulary import GrantState


async def recalculate_grant(
    uow: FundingUnitOfWork, grant: Grant, lump_sum: LumpSum, *, real_stay: Window | None = None, reason: str
) -> Grant:
    """The grant with the new amount; the budget has the difference, or gives it.

    A promise made is corrected from what is free, also while others wait; a grant that had no amount
    takes its place at the end of the queue where the budget is short. Raises `BudgetExceeded`,
    `LumpSumUncertain` or `GrantStateForbids`, and nothing has changed then.
    """
    budget = await uow.budgets.get(grant.partnership)

    position = None
    if grant.state in (GrantState.NEEDS_REVIEW, GrantState.REFUSED) and lump_sum.amount:
        position = None if budget.has_room(lump_sum.amount) else budget.next_position()
    grant.recalculate(lump_sum, real_stay, at=uow.now, reason=reason, position=position)
    budget.book(grant, at=uow.now)
    return grant
