"""Money that was paid and comes back: claimed, and noted when it is there."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.funding.domain.stay import ToTheCent
from services.funding.routes.grants import GrantView
from services.funding.routes.root import Root, change
from services.funding.use_cases.recover_grant import claim_back, recover_grant
from shared.contracts.vocabulary import Day, Line, NotTruth
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["recoveries"])

Amount = Annotated[
    Decimal,
    NotTruth,
    Field(gt=0, le=1_000_000, decimal_places=2, allow_inf_nan=False, examples=["450.00"]),
    ToTheCent,
]
"""EUR, to the cent."""


class Claim(BaseModel):
    """What the visitor is asked to return."""

    model_config = ConfigDict(extra="forbid")

    amount: Amount
    return_by: Day
    reason: Line = Field(examples=["The visit did not take place."])


class Recovery(BaseModel):
    """What has come back."""

    model_config = ConfigDict(extra="forbid")

    amount: Amount
    reference: Line = Field(examples=["NTRF-20230320-0417"])
    """What the bank calls the incoming payment: it is noted once, however often it is sent."""
    reason: Line = Field(examples=["The visit did not take place."])


@router.post(
    "/grants/{id}/claim",
    summary="Claim back what was paid",
    response_description="The grant, with what is claimed.",
    responses=problem_responses(401, 403, 404, 409, 413, 422),
)
async def claim(id: str, claim: Claim, caller: Authenticated, funding: Root, request: Request) -> GrantView:
    """Ask the visitor to return what was paid, all or part, by a day; it gets a mail.

    No money moves before it is back. Another claim takes the place of the one before. For staff of the
    partnership that paid.
    """
    grant = await change(
        funding,
        request,
        lambda uow: claim_back(uow, id, claim.amount, claim.reason, return_by=claim.return_by, by=caller),
    )
    return GrantView.of(grant)


@router.post(
    "/grants/{id}/recoveries",
    summary="Note what came back",
    response_description="The grant, with what came back so far.",
    responses=problem_responses(401, 403, 404, 409, 413, 422),
)
async def recover(
    id: str, recovery: Recovery, caller: Authenticated, funding: Root, request: Request
) -> GrantView:
    """Money that was paid came back, claimed or not: it is free in the budget, and whoever waits gets it.

    The grant is `recovered` once all of it is back. More than was paid, or the same `reference` again, is a
    409. For staff of the partnership that paid.
    """
    grant = await change(
        funding,
        request,
        lambda uow: recover_grant(
            uow, id, recovery.amount, recovery.reason, reference=recovery.reference, by=caller
        ),
    )
    return GrantView.of(grant)
