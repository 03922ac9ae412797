"""What staff settle by hand about a lump sum: shown first, and then taken."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Self

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel

from services.funding.domain.lump_sum import LumpSum
from services.funding.domain.settlement import Settlement
from services.funding.routes.grants import GrantView
from services.funding.routes.root import Root, change
from services.funding.use_cases.settle_lump_sum import Consequence, preview_settlement, settle_lump_sum
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["grants"])

_PLACE: Final = {
    "reason": "The host wrote that its workshop is in Halle (Saale).",
    "host_place": {"city": "Halle", "country": "DE", "lat": 51.482, "lon": 11.979},
    "host_region": "ST",
}
_SATURDAY: Final = {
    "reason": "The programme of the group event has a Saturday.",
    "accepted_days": [{"day": "2023-02-18", "reason": "Open day of the host's cluster"}],
}
_AGAIN: Final = {"reason": "The host's registration was corrected."}
Sent = Annotated[
    Settlement,
    Body(
        openapi_examples={
            "a place": {"summary": "Which of several places is meant", "value": _PLACE},
            "a Saturday": {"summary": "A Saturday that counts", "value": _SATURDAY},
            "again": {"summary": "Only computed again, by what is on file today", "value": _AGAIN},
        }
    ),
]


class SettlementPreview(BaseModel):
    """What a settlement would do to the lump sum; nothing is stored."""

    amount_before: Decimal | None
    """EUR; null where none was certain."""
    lump_sum: LumpSum
    """As it would be."""
    difference: str
    """What changes, in plain words."""
    covered: bool
    """Whether the budget has what it is more. Else a grant that has money set aside stays as it is, and one
    that has none waits."""

    @classmethod
    def of(cls, consequence: Consequence) -> Self:
        """The answer to a preview."""
        return cls(
            amount_before=consequence.before.amount,
            lump_sum=consequence.after,
            difference=consequence.difference,
            covered=consequence.covered,
        )


@router.post(
    "/grants/{id}/settlement/preview",
    summary="Preview a settlement",
    response_description="What settling these facts would do; nothing is stored.",
    responses=problem_responses(401, 403, 404, 409, 413, 422),
)
async def preview(id: str, settlement: Sent, caller: Authenticated, funding: Root) -> SettlementPreview:
    """The lump sum as it would be, where `needs_review` says that something else is open still.

    For staff of the partnership that pays.
    """
    return SettlementPreview.of(
        await funding.transactions.read(lambda uow: preview_settlement(uow, id, settlement, by=caller))
    )


@router.post(
    "/grants/{id}/settlement",
    summary="Settle facts of a lump sum",
    response_description="The grant, with its lump sum computed again.",
    responses=problem_responses(401, 403, 404, 409, 413, 422),
)
async def settle(
    id: str, settlement: Sent, caller: Authenticated, funding: Root, request: Request
) -> GrantView:
    """Say where an organisation is, which region's holidays count, which days are accepted, or agree on less.

    The lump sum is computed again on the facts as settled, and the receipt says who settled what, and why.
    Possible until the grant is in a payment. While something else is open it is a 409 that says what, and
    nothing is stored; so it is where the budget does not have what it is more. A rate that is not on file
    cannot be set by hand: once a dated table with it is on file, the grant is computed again by itself.

    For staff of the partnership that pays.
    """
    grant = await change(funding, request, lambda uow: settle_lump_sum(uow, id, settlement, by=caller))
    return GrantView.of(grant)
