"""The delivery log: who was told what, when, through which channel, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel

from services.notifications.domain.notification import Notification, NotificationState
from services.notifications.domain.recipients import Role
from services.notifications.domain.rules import Channel
from services.notifications.routes.root import About, Root, own_key
from shared.errors import Forbidden, NotFound
from shared.http import After, Authenticated, Limit, next_of, problem_responses
from shared.security import Caller, CallerRole

router = APIRouter(tags=["delivery log"])


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
        if notification.address and notification.recipient_key != own_key(caller):
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
        or found.recipient_key == own_key(caller)
    )
    if not visible:
        raise NotFound(f"There is no notification {id}.")
    return LogEntryInFull.of(found, caller)
