"""Everyone's own inbox."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.notifications.domain.notification import Notification
from services.notifications.domain.recipients import Role
from services.notifications.routes.root import About, Root, change, inbox_of
from services.notifications.use_cases.read_notification import read_notification
from shared.http import After, Authenticated, Limit, next_of, problem_responses

router = APIRouter(tags=["inbox"])


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
    key = inbox_of(caller)
    found = await notifications.transactions.read(
        lambda uow: uow.notifications.inbox(key, unread=unread, about=about, limit=limit, after=after)
    )
    return Inbox(items=[InboxEntry.of(entry) for entry in found], next=next_of(found, limit))


@router.post(
    "/inbox/{id}/read", summary="Mark an entry as read", responses=problem_responses(401, 403, 404, 409)
)
async def read(id: str, caller: Authenticated, notifications: Root, request: Request) -> InboxEntry:
    """Mark an entry of the caller's own inbox as read; the first time counts."""
    key = inbox_of(caller)
    entry = await change(notifications, request, lambda uow: read_notification(uow, id, key=key))
    return InboxEntry.of(entry)
