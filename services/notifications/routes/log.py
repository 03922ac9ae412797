"""The delivery log: who was told what, when, through which channel, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime, BaseModel

from services.notifications.bootstrap import Notifications
from services.notifications.domain.notification import Notification, NotificationState
from services.notifications.domain.recipients import Role
from services.notifications.domain.rules import Channel, Urgency
from services.notifications.domain.searches import LogSearch
from services.notifications.domain.suppression import masked
from services.notifications.domain.wishes import Pace
from services.notifications.routes.root import About, Kinds, Root, own_key
from shared.errors import Forbidden, NotFound
from shared.http import After, Authenticated, Limit, next_of, problem_responses
from shared.security import Caller, CallerRole

router = APIRouter(tags=["delivery log"])

_NOT_KEPT: Final = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


class LogEntry(BaseModel):
    """One message and what became of it; a mail's address is whole only for its own recipient."""

    id: str
    about: str
    case: str
    fact_id: str
    fact_type: str
    kind: str
    urgency: Urgency
    recipient: Role
    recipient_registration: str | None
    """Whose registration it is for; null for staff."""
    partnership: str | None
    channel: Channel
    address: str | None
    language: str
    subject: str
    why: str
    """The rule that had it made."""
    state: NotificationState
    reason: str | None
    """Why it was cancelled or skipped, or had to wait for a digest that its recipient did not wish for."""
    created_at: datetime
    due_at: datetime | None
    """When it goes out, is tried again, or goes into its digest."""
    pace: Pace
    digest: str | None
    """The message of the log that told it, where it went into a digest."""
    attempts: int
    settled_at: datetime | None
    """When the other end took it, or refused it for good."""
    last_reply: str | None
    """What the other end said to the last attempt that failed."""
    read_at: datetime | None
    archived_at: datetime | None
    correlation_id: str

    @classmethod
    def of(cls, notification: Notification, caller: Caller) -> Self:
        """The entry as this caller may see it."""
        entry = notification.model_dump(include=set(cls.model_fields))
        if (
            notification.channel is Channel.EMAIL
            and notification.address
            and notification.recipient_key != own_key(caller)
        ):
            entry["address"] = masked(notification.address)
            # Mail servers like to repeat the address in their answers.
            for said in ("last_reply", "reason"):
                entry[said] = (entry[said] or "").replace(notification.address, entry["address"]) or None
        return cls.model_validate(entry)


class LogEntryInFull(LogEntry):
    """A message with what it said."""

    text: str
    link: str


class Log(BaseModel):
    """A page of the delivery log, newest first; `next` is `after` of the following page."""

    items: list[LogEntry]
    next: str | None


@router.get("/notifications", summary="The delivery log", responses=problem_responses(401, 403, 422))
async def log(
    caller: Authenticated,
    notifications: Root,
    state: NotificationState | None = None,
    channel: Channel | None = None,
    kind: Kinds = (),
    urgency: Urgency | None = None,
    fact_type: Annotated[
        str | None, Query(max_length=100, description="An event type, such as cxc.match.approved.v1.")
    ] = None,
    about: About = None,
    case: Annotated[
        str | None, Query(max_length=200, description="What mails are threaded by: a match, else as `about`.")
    ] = None,
    correlation: Annotated[
        str | None, Query(max_length=200, description="The `correlationid` of events that belong together.")
    ] = None,
    registration: Annotated[
        str | None, Query(max_length=200, description="The registration it was for; staff have none.")
    ] = None,
    address: Annotated[str | None, Query(max_length=320, description="The exact address it went to.")] = None,
    digest: Annotated[
        str | None, Query(max_length=200, description="The message whose digest it went into.")
    ] = None,
    since: Annotated[
        AwareDatetime | None, Query(description="What it tells happened then or later, with an offset.")
    ] = None,
    before: Annotated[AwareDatetime | None, Query(description="What it tells happened before.")] = None,
    words: Annotated[
        str | None, Query(max_length=200, description="Words of the subject, in any order and case.")
    ] = None,
    limit: Limit = 50,
    after: After = None,
) -> Log:
    """Every message of the partnership's cases, or of all for the support office and auditors.

    Conditions are joined by "and". Words are looked for in the last 31 days, unless `since` says
    otherwise or one of `about`, `case`, `correlation`, `registration`, `address`, `digest` is given.
    """
    if not caller.sees_everything and caller.role is not CallerRole.STAFF:
        raise Forbidden("The delivery log is for staff, the support office and auditors; see /inbox.")
    search = LogSearch(
        partnership=None if caller.sees_everything else caller.partnership,
        state=state,
        channel=channel,
        kinds=kind,
        urgency=urgency,
        fact_type=fact_type,
        about=about,
        case=case,
        correlation_id=correlation,
        registration=registration,
        address=address,
        digest=digest,
        since=since,
        before=before,
        words=words,
    )
    found = await notifications.transactions.read(
        lambda uow: uow.notifications.log(search.bounded(uow.now), limit=limit, after=after)
    )
    return Log(items=[LogEntry.of(entry, caller) for entry in found], next=next_of(found, limit))


@router.get("/notifications/{id}", summary="One message", responses=problem_responses(401, 404))
async def one(id: str, caller: Authenticated, notifications: Root) -> LogEntryInFull:
    """A message with its words and what became of it; for its recipient too."""
    return LogEntryInFull.of(await _visible(id, caller, notifications), caller)


@router.get(
    "/notifications/{id}/mail",
    summary="A mail as it looked",
    response_class=HTMLResponse,
    response_description="The mail's HTML, without the links by which its reader chooses, and leaves.",
    responses=problem_responses(401, 404),
)
async def mail(id: str, caller: Authenticated, notifications: Root) -> HTMLResponse:
    """For those who may read the message; an inbox entry and a chat message have none."""
    found = await _visible(id, caller, notifications)
    if found.channel is not Channel.EMAIL:
        raise NotFound(f"Notification {id} is no mail.")
    words = notifications.words
    html = words.html(
        subject=found.subject,
        text=found.text,
        link=found.link,
        link_label=found.link_label,
        footer=words.footer(found.why, language=found.language),
        language=found.language,
        partnership=found.partnership,
    )
    return HTMLResponse(html, headers=_NOT_KEPT)


async def _visible(id: str, caller: Caller, notifications: Notifications) -> Notification:
    found = await notifications.transactions.read(lambda uow: uow.notifications.get(id))
    visible = (
        caller.sees_everything
        or caller.is_staff_of(*found.partnerships)
        or found.recipient_key == own_key(caller)
    )
    if not visible:
        raise NotFound(f"There is no notification {id}.")
    return found
