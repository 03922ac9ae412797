"""The notifications API: everyone's own inbox, and the delivery log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self, cast

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from pydantic import BaseModel

from services.notifications.bootstrap import Notifications, bootstrap
from services.notifications.domain.notification import Notification, NotificationState
from services.notifications.domain.recipients import Role, organisation_key, partnership_key
from services.notifications.domain.rules import Channel
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.read_notification import read_notification
from services.notifications.use_cases.tell_what_is_held import tell_what_is_held
from shared.errors import Forbidden, NotFound
from shared.held import Kind, held_router
from shared.http import After, Authenticated, Limit, cause_of, create_api, next_of, problem_responses
from shared.security import Caller, CallerRole
from shared.storage.unit_of_work import because_of

router = APIRouter(tags=["notifications"])


async def root(request: Request) -> Notifications:
    """The composition root this API was started with."""
    # Async though it waits for nothing: any other FastAPI runs in a thread, there and back each time.
    return cast(Notifications, request.app.state.root)


Root = Annotated[Notifications, Depends(root)]
About = Annotated[str | None, Query(max_length=200, description="A registration, match or grant id.")]


class InboxEntry(BaseModel):
    """A message in the caller's inbox."""

    id: str
    about: str
    fact_id: str
    fact_type: str
    recipient: Role
    subject: str
    text: str
    link: str
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, notification: Notification) -> Self:
        """The entry as its owner sees it."""
        return cls.model_validate(notification.model_dump(include=set(cls.model_fields)))


class Inbox(BaseModel):
    """A page of an inbox, newest first; `next` is `after` of the following page."""

    items: list[InboxEntry]
    next: str | None


class LogEntry(BaseModel):
    """One message and what became of it; the address is whole only for its own recipient."""

    id: str
    about: str
    fact_id: str
    fact_type: str
    recipient: Role
    partnership: str | None
    channel: Channel
    address: str | None
    subject: str
    why: str
    state: NotificationState
    created_at: datetime
    due_at: datetime | None
    attempts: int
    settled_at: datetime | None
    last_reply: str | None
    read_at: datetime | None
    correlation_id: str

    @classmethod
    def of(cls, notification: Notification, caller: Caller) -> Self:
        """The entry as this caller may see it."""
        entry = notification.model_dump(include=set(cls.model_fields))
        if notification.address and notification.recipient_key != _own_key(caller):
            entry["address"] = masked(notification.address)
            # Mail servers like to repeat the address in their answers.
            entry["last_reply"] = (notification.last_reply or "").replace(
                notification.address, entry["address"]
            ) or None
        return cls.model_validate(entry)


class LogEntryInFull(LogEntry):
    """A message with what it said."""

    text: str
    link: str


class Log(BaseModel):
    """A page of the delivery log, newest first; `next` is `after` of the following page."""

    items: list[LogEntry]
    next: str | None


def masked(address: str) -> str:
    """`anna@sme.example` → `a…@sme.example`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def _own_key(caller: Caller) -> str | None:
    if caller.role is CallerRole.PARTICIPANT and caller.organisation:
        return organisation_key(caller.organisation)
    if caller.role is CallerRole.STAFF and caller.partnership:
        return partnership_key(caller.partnership)
    return None


def _inbox_of(caller: Caller) -> str:
    key = _own_key(caller)
    if key is None:
        raise Forbidden("Organisations and partnerships have an inbox; you may read /notifications.")
    return key


@router.get("/inbox", summary="The caller's own inbox", responses=problem_responses(401, 403, 422))
async def inbox(
    caller: Authenticated,
    notifications: Root,
    unread: bool = False,
    about: About = None,
    limit: Limit = 50,
    after: After = None,
) -> Inbox:
    """What the caller's organisation, or partnership, was told; newest first."""
    key = _inbox_of(caller)
    found = await notifications.transactions.read(
        lambda uow: uow.notifications.inbox(key, unread=unread, about=about, limit=limit, after=after)
    )
    return Inbox(items=[InboxEntry.of(entry) for entry in found], next=next_of(found, limit))


@router.post(
    "/inbox/{id}/read", summary="Mark an entry as read", responses=problem_responses(401, 403, 404, 409)
)
async def read(id: str, caller: Authenticated, notifications: Root, request: Request) -> InboxEntry:
    """Mark an entry of the caller's own inbox as read; the first time counts."""
    key = _inbox_of(caller)
    with because_of(cause_of(request)):
        entry = await notifications.transactions.run(lambda uow: read_notification(uow, id, key=key))
    return InboxEntry.of(entry)


@router.get("/notifications", summary="The delivery log", responses=problem_responses(401, 403, 422))
async def log(
    caller: Authenticated,
    notifications: Root,
    about: About = None,
    state: NotificationState | None = None,
    channel: Channel | None = None,
    limit: Limit = 50,
    after: After = None,
) -> Log:
    """Every message of the partnership's cases, or of all for the support office and auditors."""
    if not caller.sees_everything and caller.role is not CallerRole.STAFF:
        raise Forbidden("The delivery log is for staff, the support office and auditors; see /inbox.")
    found = await notifications.transactions.read(
        lambda uow: uow.notifications.log(
            None if caller.sees_everything else caller.partnership,
            state=state,
            channel=channel,
            about=about,
            limit=limit,
            after=after,
        )
    )
    return Log(items=[LogEntry.of(entry, caller) for entry in found], next=next_of(found, limit))


@router.get("/notifications/{id}", summary="One message", responses=problem_responses(401, 404))
async def one(id: str, caller: Authenticated, notifications: Root) -> LogEntryInFull:
    """A message with its words and what became of it; for its recipient too."""
    found = await notifications.transactions.read(lambda uow: uow.notifications.get(id))
    visible = (
        caller.sees_everything
        or caller.is_staff_of(*found.partnerships)
        or found.recipient_key == _own_key(caller)
    )
    if not visible:
        raise NotFound(f"There is no notification {id}.")
    return LogEntryInFull.of(found, caller)


async def _tell(root: Notifications, id: str, caller: Caller) -> list[Kind]:
    return await root.transactions.read(lambda uow: tell_what_is_held(uow, id, by=caller))


held = held_router("notifications", _tell)


def create_app(settings: NotificationsSettings | None = None) -> FastAPI:
    """The API; `uvicorn services.notifications.api:create_app --factory`."""
    settings = settings or NotificationsSettings.load()
    return create_api(
        settings,
        title="ClusterXchange notifications",
        description="Who was told what, when, through which channel, and what became of it.",
        routers=[router, held],
        bootstrap=lambda: bootstrap(settings),
    )
