"""The numbered feed: every change, without holes, for each reader what concerns it."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from services.registration.access import scope_of_reader
from services.registration.feed.pages import read_feed
from services.registration.routes.root import Root
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["feed"])


class FeedItem(BaseModel):
    """One change."""

    number: int
    """1, 2, 3 … in the reader's scope."""
    event: dict[str, Any]
    """The CloudEvent as it was published; its type says what `data` looks like."""


class FeedPage(BaseModel):
    """What follows a number."""

    feed: str
    """Which feed the numbers are of: an installation's own, the same for ever."""
    scope: str
    """Whom it concerns: `all`, `partnership:…` or `source:…`; each scope has its own numbers."""
    items: list[FeedItem]
    """In the order of their numbers, the first one `after` + 1."""
    next: int
    """`after` of the next request."""
    last: int
    """The last number there is; more is to be had at once while `next` is smaller."""


@router.get(
    "/feed",
    response_model=FeedPage,
    summary="Read the feed of changes",
    response_description="The changes that follow `after`, or none.",
    responses=problem_responses(401, 403, 409, 422, 503),
)
async def feed(
    caller: Authenticated,
    registering: Root,
    request: Request,
    after: Annotated[int, Query(ge=0, lt=2**53, description="The last number you hold; 0 for none.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at the most.")] = 100,
    wait: Annotated[
        float, Query(ge=0, le=30, description="Seconds to wait for something where there is nothing yet.")
    ] = 0,
) -> Response:
    """Every event of the four services that concerns the reader, numbered 1, 2, 3 … without holes.

    A reader that holds 1 to N has missed nothing up to N. The support office and auditors read all
    events; staff those of their partnership's cases; an external system those about registrations it
    submitted, by event under its token's subject as `source`, or over HTTP. Of organisations outside
    the reader's scope, address and identifiers are withheld.

    Fewer than `limit` may come though there are more: go on with `after=next`. The order is that of
    the events of each case; between cases it is about that of time. An event keeps its number for
    ever; after an erasure its personal data are blanked. `cxc.feed.gap.v1` among the items says
    that events were lost before they could be numbered. `after` beyond the last number is a 409: the
    numbers are another feed's.
    """
    scope = scope_of_reader(caller)
    until = time.monotonic() + wait
    with registering.arrivals.of(scope) as arrival:
        while True:
            reading = await read_feed(registering.database, scope, after=after, limit=limit)
            if reading.items or await request.is_disconnected() or not await arrival.wait(until):
                return Response(reading.to_json(), media_type="application/json")
