"""Progress and budget of partnerships."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.funding.domain.budget import Budget
from services.funding.routes.root import InPath, Root
from services.funding.use_cases.read_budget import read_budget
from services.funding.use_cases.read_progress import read_progress
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["partnerships"])


class ProgressView(BaseModel):
    """Exchanges with a validated report, out of the objective."""

    partnership: str
    name: str
    done: int
    objective: int
    percent: float
    sentence: str = Field(examples=["23 / 80, 28.75 %"])


class BudgetView(BaseModel):
    """A partnership's money, EUR: total = available + reserved + committed + paid.

    Reserved for approved matches, committed by signed agreements, paid by the bank's word; `awaiting` is
    wanted beyond the total.
    """

    partnership: str
    total: Decimal
    available: Decimal
    reserved: Decimal
    committed: Decimal
    paid: Decimal
    awaiting: Decimal
    awaiting_grants: int

    @classmethod
    def of(cls, budget: Budget) -> Self:
        """The budget in figures."""
        return cls(
            partnership=budget.id,
            total=budget.total,
            available=budget.available,
            reserved=budget.reserved,
            committed=budget.committed,
            paid=budget.paid,
            awaiting=budget.awaiting_amount,
            awaiting_grants=budget.awaiting,
        )


@router.get(
    "/partnerships/{id}/progress",
    summary="Progress of a partnership",
    response_description="Exchanges done, out of the objective.",
    responses=problem_responses(404),
)
async def progress(partnership: InPath, funding: Root) -> ProgressView:
    """Public: how many exchanges the partnership has brought to their end."""
    progress = await funding.transactions.read(lambda uow: read_progress(uow, partnership))
    return ProgressView(
        partnership=partnership.id,
        name=partnership.name,
        done=progress.done,
        objective=progress.objective,
        percent=float(progress.percent),
        sentence=progress.sentence,
    )


@router.get(
    "/partnerships/{id}/budget",
    summary="Budget of a partnership",
    response_description="The budget in figures.",
    responses=problem_responses(401, 403, 404),
)
async def budget(caller: Authenticated, partnership: InPath, funding: Root) -> BudgetView:
    """How much of it is available, reserved, committed, paid and awaited.

    For the partnership's staff, the support office and auditors; its ledger has each movement.
    """
    return BudgetView.of(
        await funding.transactions.read(lambda uow: read_budget(uow, partnership, by=caller))
    )
