"""Previews of lump sums: the rules applied to any stay, nothing stored."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Body

from services.funding.domain.lump_sum import LumpSum
from services.funding.domain.stay import Stay
from services.funding.routes.root import Root
from services.funding.use_cases.preview_lump_sum import preview_lump_sum
from shared.http import problem_responses

router = APIRouter(tags=["lump sums"])

_MILAN: Final = {
    "host_country": "IT",
    "host_region": "MI",
    "host_place": {"city": "Milan", "country": "IT"},
    "visitor_place": {"city": "Lisbon", "country": "PT"},
    "visitor_country": "PT",
    "first_day": "2023-02-14",
    "last_day": "2023-02-16",
    "accepted_days": [],
}
_SATURDAY: Final = {
    "host_country": "AT",
    "host_place": {"lat": 48.2085, "lon": 16.3721},
    "visitor_place": {"lat": 44.4323, "lon": 26.1063},
    "visitor_country": "RO",
    "first_day": "2023-03-14",
    "last_day": "2023-03-18",
    "accepted_days": [{"day": "2023-03-18", "reason": "Open day of the host's cluster"}],
    "agreed_amount": "850.00",
}
Sent = Annotated[
    Stay,
    Body(
        openapi_examples={
            "three days in Milan": {"summary": "Half of the rate: three working days", "value": _MILAN},
            "with a Saturday": {
                "summary": "An accepted Saturday, less than the rate",
                "value": _SATURDAY,
            },
        }
    ),
]


@router.post(
    "/lump-sums/preview",
    summary="Preview a lump sum",
    response_description="What would be paid, and why; nothing is stored.",
    responses=problem_responses(409, 413, 422),
)
async def preview(stay: Sent, funding: Root) -> LumpSum:
    """Public: the rules applied to any stay, by the rates in force on its first day.

    `outcome` is `payable`, `not_eligible` (amount 0.00) or `needs_review` (amount null: a place that is
    not certain, a rate that is not on file, a country the sources disagree on; the receipt says what
    is missing). Each day of the stay is listed with whether it counts as a working day, and why.

    An `agreed_amount` over the rate is a 409, as a partnership may pay less than the rate, never more.
    """
    return preview_lump_sum(stay, funding.policies)
