"""Where a partnership's budget and objective are heading: in figures and as a picture."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from services.funding.domain.forecast import MOST_MONTHS, Forecast
from services.funding.forecasts import ChartFormat, Facts
from services.funding.routes.root import InPath, Root
from services.funding.use_cases.read_forecast_facts import read_forecast_facts
from shared.http import Authenticated, problem_responses
from shared.partnerships import Partnership
from shared.security import Caller

router = APIRouter(tags=["forecast"])

Months = Annotated[int, Query(ge=1, le=MOST_MONTHS, description="How many, the present one included.")]
Width = Annotated[
    int, Query(ge=320, le=2400, description="Pixels. Below 700 the two panels stand below each other.")
]
_MEDIA_TYPES: Final[dict[ChartFormat, str]] = {"svg": "image/svg+xml", "png": "image/png"}


def _picture(format: ChartFormat) -> dict[int | str, dict[str, Any]]:
    content = {_MEDIA_TYPES[format]: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"content": content}, **problem_responses(401, 403, 404, 422)}


@router.get(
    "/partnerships/{id}/forecast",
    summary="Forecast of a partnership",
    response_description="What is affordable, how likely the objective is, and what each month brings.",
    responses=problem_responses(401, 403, 404, 422),
)
async def figures(caller: Authenticated, partnership: InPath, funding: Root, months: Months = 12) -> Forecast:
    """How many exchanges are still affordable, what is spent and done by month, and what is out of reach.

    A simulation over the open cases, by the stage each has come to, as the partnership's own past says
    they go on; ranges leave out one of ten runs on either side. docs/forecast.md says how it is done. The
    same facts give the same answer.

    For its staff, the support office and auditors.
    """
    return await funding.forecasts.of(await _facts(funding, partnership, caller), months=months)


@router.get(
    "/partnerships/{id}/forecast.svg",
    summary="Forecast of a partnership as SVG",
    response_class=Response,
    response_description="The picture, with a title and a description in words.",
    responses=_picture("svg"),
)
async def svg(
    caller: Authenticated, partnership: InPath, funding: Root, months: Months = 12, width: Width = 960
) -> Response:
    """Exchanges done and money spent by month, with their ranges, the objective and the budget."""
    return await _drawn(caller, partnership, funding, months, "svg", width)


@router.get(
    "/partnerships/{id}/forecast.png",
    summary="Forecast of a partnership as PNG",
    response_class=Response,
    response_description="The picture.",
    responses=_picture("png"),
)
async def png(
    caller: Authenticated, partnership: InPath, funding: Root, months: Months = 12, width: Width = 960
) -> Response:
    """Exchanges done and money spent by month, with their ranges, the objective and the budget."""
    return await _drawn(caller, partnership, funding, months, "png", width)


async def _drawn(
    caller: Caller, partnership: Partnership, funding: Root, months: int, format: ChartFormat, width: int
) -> Response:
    facts = await _facts(funding, partnership, caller)
    drawn = await funding.forecasts.chart(facts, months=months, format=format, width=width)
    return Response(drawn, media_type=_MEDIA_TYPES[format])


async def _facts(funding: Root, partnership: Partnership, caller: Caller) -> Facts:
    return await funding.transactions.read(lambda uow: read_forecast_facts(uow, partnership, by=caller))
