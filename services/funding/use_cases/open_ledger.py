"""A budget from before there was a ledger gets one, which begins with what its grants hold."""

from __future__ import annotations

from services.funding.domain.grant import ACCOUNTS_BY_STATE, Grant
from services.funding.repositories import FundingUnitOfWork


async def open_ledger(uow: FundingUnitOfWork, partnership: str) -> None:
    """Enter what is there; of two processes that do it at once one is run again, and finds it done."""
    budget = await uow.budgets.get(partnership)
    holding = {"partnership": partnership, "state": {"$in": sorted(ACCOUNTS_BY_STATE)}}
    grants = await uow.query(Grant, holding, sort=[("_id", 1)])

    budget.bring_forward(grants, at=uow.now)
