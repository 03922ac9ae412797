"""What changes, told to open pages as it happens: server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Final

import orjson
import structlog
from fastapi import APIRouter, Depends, Header, Query, Request
from pymongo.errors import PyMongoError
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from services.console.cases import key_of
from services.console.live import Live, NoStreamNow, Position
from services.console.people import Anybody, Person

_log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)

RETRY_MS: Final = 3000
"""How long a browser waits before it connects again."""
LASTS_S: Final = 600.0
"""A stream ends after that, and the browser connects again: whether the session holds is asked anew."""
SENT_WITHIN_S: Final = 20.0


class Stream(EventSourceResponse):
    """Server-sent events; a page that takes nothing any more is no error of ours."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("stream_let_go", reason="its page takes nothing")


async def place(request: Request, person: Anybody) -> AsyncIterator[None]:
    """Room for one more page, until the answer has ended."""
    live: Live = request.app.state.root.live
    with live.place(person.session if person else request.state.browser):
        await live.ready()
        yield


@router.get("/changes", dependencies=[Depends(place)])
async def changes(
    request: Request,
    person: Anybody,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> EventSourceResponse:
    """Which topics changed that whoever looks may see; without a session, the public counters alone.

    `changed`: topics as a JSON list. `all`: more than can be told. A comment every 15 seconds. Each has an
    id; whoever connects again with the last one hears what came in between.
    """
    live: Live = request.app.state.root.live
    given = last_event_id or after
    position = (Position.parse(given) or Position(0, 0)) if given else None
    return Stream(_events(live, person, position), ping=0, send_timeout=SENT_WITHIN_S, sep="\n")


async def _events(
    live: Live, person: Person | None, after: Position | None
) -> AsyncIterator[ServerSentEvent]:
    lasts_s = LASTS_S
    if person is not None and person.caller.until is not None:
        lasts_s = max(1.0, min(lasts_s, person.caller.until - time.time()))
    try:
        yield ServerSentEvent(comment="what changes", retry=RETRY_MS)
        async for told in live.follow(key_of(person), after, lasts_s=lasts_s):
            id = str(told.position) if told.position else None
            if told.everything:
                yield ServerSentEvent("[]", event="all", id=id)
            elif told.topics:
                yield ServerSentEvent(orjson.dumps(sorted(told.topics)).decode(), event="changed", id=id)
            else:
                yield ServerSentEvent(comment="quiet", id=id)
    except (PyMongoError, NoStreamNow) as error:
        _log.warning("stream_interrupted", error=repr(error)[:300])
