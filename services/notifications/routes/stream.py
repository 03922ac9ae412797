"""Everyone's own inbox, live: server-sent events that go on where they were interrupted."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import orjson
import structlog
from bson import Timestamp
from fastapi import APIRouter, Depends, Header, Query
from pymongo.errors import PyMongoError
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from services.notifications.bootstrap import Notifications
from services.notifications.live import Entry, Lost, NoStreamNow, Position
from services.notifications.routes.inbox import InboxEntry, Unread
from services.notifications.routes.root import Root, inbox_of
from shared.http import Authenticated, problem_responses
from shared.security import Caller

_log = structlog.get_logger(__name__)

router = APIRouter(tags=["inbox"])

_EVENT: Final = {
    "type": "object",
    "description": "One event.",
    "properties": {
        "event": {"enum": ["entry", "changed", "unread", "reset", "end"]},
        "id": {"type": "string", "description": "Of all but `end`: where to go on."},
        "data": {"type": "string", "description": "JSON."},
    },
    "required": ["event", "data"],
}

RETRY_MS: Final = 2000
"""How long a client waits before it connects again."""
_NOWHERE: Final = Position(Timestamp(0, 0))
"""Where an id leads that is none: too far back to go on from."""
SENT_WITHIN_S: Final = 20.0
"""A reader that takes nothing for so long is let go of; it may come back and go on."""


class Stream(EventSourceResponse):
    """Server-sent events; a reader that takes nothing any more is no error of ours."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("inbox_stream_let_go", reason="its reader takes nothing")


async def place(caller: Authenticated, notifications: Root) -> AsyncIterator[None]:
    """Room for one more stream, until the response has ended."""
    with notifications.live.place(inbox_of(caller)):
        await notifications.live.ready()
        yield


@router.get(
    "/inbox/stream",
    summary="The caller's own inbox, live",
    response_class=EventSourceResponse,
    response_description="Server-sent events, until the token expires.",
    responses={
        200: {"content": {"text/event-stream": {"schema": _EVENT}}},
        **problem_responses(401, 403, 422, 429, 503),
    },
    dependencies=[Depends(place)],
)
async def stream(
    caller: Authenticated,
    notifications: Root,
    last_event_id: Annotated[
        str | None, Header(max_length=200, description="The `id` of the last event that arrived.")
    ] = None,
    after: Annotated[
        str | None, Query(max_length=200, description="The same, for clients that cannot send headers.")
    ] = None,
    seconds: Annotated[
        float | None, Query(ge=0, le=86400, description="How long the stream may last at the most.")
    ] = None,
) -> EventSourceResponse:
    """What comes to the caller's inbox, and what becomes of it there.

    - `entry`: a new entry, as `GET /inbox` shows it.
    - `changed`: one that was there is now like this: read, unread or archived, here or elsewhere, or erased.
    - `unread`: how many entries are unread, in all and by kind; first of all, and when that has changed.
    - `reset`: what happened since `Last-Event-ID` cannot be told any more; read `GET /inbox` anew.
    - `end`: the stream is over, `reason` says why: `token-expired`, `time-is-up`, or `unavailable`.

    Events have an `id`; whoever connects again with the last one as `Last-Event-ID` (an `EventSource` does)
    gets what came in between, nothing twice and nothing left out, for an hour and up to 2,000 events. A
    comment and the present `id` come every 15 seconds when nothing else does. Without an `id` the stream
    starts at the present: open it first, then read `GET /inbox`.
    """
    key = inbox_of(caller)
    given = last_event_id or after
    position = (Position.parse(given) or _NOWHERE) if given else None
    return Stream(
        _events(notifications, key, position, caller, seconds),
        ping=0,  # heartbeats carry the position, and so are among the events
        send_timeout=SENT_WITHIN_S,
        sep="\n",
    )


async def _events(
    notifications: Notifications, key: str, after: Position | None, caller: Caller, seconds: float | None
) -> AsyncIterator[ServerSentEvent]:
    begun = time.monotonic()
    ends = {"time-is-up": seconds, "token-expired": caller.until and caller.until - time.time()}
    reason, lasts = min(
        ((why, s) for why, s in ends.items() if s is not None), key=lambda end: end[1], default=("", None)
    )
    counted: Unread | None = None
    yield ServerSentEvent(comment="the inbox, live", retry=RETRY_MS)
    try:
        async for news in notifications.live.follow(
            key, after, until=None if lasts is None else begun + lasts
        ):
            match news:
                case Entry(position, message, new):
                    entry = InboxEntry.of(message)
                    yield _event("entry" if new else "changed", entry.model_dump(mode="json"), position)
                case Lost(position):
                    yield _event("reset", {"read": "/inbox"}, position)
                case quiet:
                    now = await notifications.transactions.read(lambda uow: Unread.of(uow, key))
                    if now == counted:
                        yield ServerSentEvent(comment="quiet", id=str(quiet.position))
                    else:
                        counted = now
                        yield _event("unread", now.model_dump(mode="json"), quiet.position)
    except (PyMongoError, NoStreamNow) as error:
        _log.warning("inbox_stream_interrupted", error=repr(error)[:300])
        reason = "unavailable"
    yield _event("end", {"reason": reason})


def _event(name: str, told: Any, position: Position | None = None) -> ServerSentEvent:
    return ServerSentEvent(orjson.dumps(told).decode(), event=name, id=str(position) if position else None)
