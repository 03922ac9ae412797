"""What became of an event an outside system sent, by the event's own id."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from services.registration.access import source_to_ask_about
from services.registration.routes.root import Root
from services.registration.use_cases.look_up_event import look_up_event
from shared.contracts.envelope import MAX_ID
from shared.contracts.registration import RegistrationRefused
from shared.contracts.vocabulary import RegistrationState, Verdict
from shared.errors import NotFound
from shared.http import Authenticated, problem_responses
from shared.scopes import scope_of_source

router = APIRouter(tags=["feed"])


class EventStatus(BaseModel):
    """What became of an event: `taken`, with where its registration stands now, or `refused`."""

    outcome: Literal["taken", "refused"]
    event_id: str
    source: str
    at: datetime
    """When it was handled."""
    registration_id: str | None = None
    """The platform's id of the registration it is about; of a taken event."""
    reference: str | None = None
    """The sender's own: the event's `subject`."""
    state: RegistrationState | None = None
    """Where the registration stands now."""
    verdict: Verdict | None = None
    """What the rules say of it now."""
    refusal: RegistrationRefused | None = None
    """Why it was refused, as the refused event said. Of a taken event: why something else that came
    later under the same id was."""


@router.get(
    "/inbox/{event_id:path}",
    summary="Look up what became of an event",
    response_description="What became of it.",
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def status(
    event_id: Annotated[str, Path(min_length=1, max_length=MAX_ID, description="The CloudEvent's `id`.")],
    caller: Authenticated,
    registering: Root,
    request: Request,
    source: Annotated[
        str | None,
        Query(min_length=1, max_length=MAX_ID, description="Its `source`; left out, the token's subject."),
    ] = None,
    wait: Annotated[
        float, Query(ge=0, le=30, description="Seconds to wait for it where it was not handled yet.")
    ] = 0,
) -> EventStatus:
    """For the system that sent the event, under its token's subject as `source`; for staff and the
    support office with `source` given.

    Staff see what was taken of their own partnership's cases, and what was refused. What was handled
    is remembered for 30 days; the feed and the registration itself last.
    """
    asked = source_to_ask_about(caller, source)
    until = time.monotonic() + wait
    with registering.arrivals.of(scope_of_source(asked)) as arrival:
        while True:
            found = await registering.transactions.read(
                lambda uow: look_up_event(uow, asked, event_id, by=caller)
            )
            if found is not None:
                return EventStatus(**found._asdict())
            if await request.is_disconnected() or not await arrival.wait(until):
                raise NotFound(
                    f"Nothing with the id '{event_id}' from '{asked}' was handled yet, or it was more than "
                    "30 days ago, or it is a case you may not see. If you have sent it, ask again in a "
                    "moment, with wait=30; in doubt send it again with the same id."
                )
