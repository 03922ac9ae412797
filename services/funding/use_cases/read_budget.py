"""What a partnership's staff see of its money."""

from __future__ import annotations

from services.funding.domain.budget import Budget
from services.funding.repositories import FundingUnitOfWork
from shared.partnerships import Partnership
from shared.security import Caller


async def read_budget(uow: FundingUnitOfWork, partnership: Partnership, *, by: Caller) -> Budget:
    """The budget; raises `Forbidden` for all but the partnership's staff, the support office and auditors."""
    if not by.sees_everything:
        by.require_staff_of(partnership.id)
    return await uow.budgets.of(partnership)
