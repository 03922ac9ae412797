"""Everyone's own inbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.notifications.domain.notification import Notification
from services.notifications.domain.recipients import Role
from services.notifications.domain.rules import Urgency
from services.notifications.domain.searches import InboxSearch
from services.notifications.repositories import COUNTED, NotificationsUnitOfWork
from services.notifications.routes.root import About, Kinds, Root, change, inbox_of
from services.notifications.use_cases.archive_notification import (
    archive_notification,
    unarchive_notification,
)
from services.notifications.use_cases.clear_inbox import AT_ONCE, archive_all_read, read_all
from services.notifications.use_cases.read_notification import read_notification, unread_notification
from shared.http import After, Authenticated, Limit, next_of, problem_responses
from shared.security import Caller

router = APIRouter(tags=["inbox"])


class InboxEntry(BaseModel):
    """A message in the caller's inbox."""

    id: str
    about: str
    case: str
    fact_id: str
    fact_type: str
    kind: str
    urgency: Urgency
    recipient: Role
    subject: str
    text: str
    link: str
    link_label: str
    created_at: datetime
    read_at: datetime | None
    archived_at: datetime | None

    @classmethod
    def of(cls, notification: Notification) -> Self:
        """The entry as its owner sees it."""
        return cls.model_validate(notification.model_dump(include=set(cls.model_fields)))


class Inbox(BaseModel):
    """A page of an inbox, newest first; `next` is `after` of the following page."""

    items: list[InboxEntry]
    next: str | None


class Unread(BaseModel):
    """How many entries are unread; archived ones are not."""

    unread: int
    kinds: dict[str, int]
    """By kind; one without unread entries is left out."""
    more: bool
    """There are more than were counted: show "999+"."""

    @classmethod
    async def of(cls, uow: NotificationsUnitOfWork, key: str) -> Self:
        """Those of that inbox."""
        kinds = await uow.notifications.unread(key)
        return cls(unread=kinds.total(), kinds=dict(sorted(kinds.items())), more=kinds.total() == COUNTED)


class Those(BaseModel):
    """Which entries are meant; all of them where nothing is said."""

    model_config = ConfigDict(extra="forbid")

    until: Annotated[
        str | None, Field(max_length=200, description="The newest entry that was seen; later ones stay.")
    ] = None
    kinds: Annotated[list[str], Field(max_length=50, description="Only these kinds.")] = []


class Done(Unread):
    """What became of the inbox: how many entries were changed, and how many are unread now."""

    changed: int


@router.get("/inbox", summary="The caller's own inbox", responses=problem_responses(401, 403, 422))
async def inbox(
    caller: Authenticated,
    notifications: Root,
    unread: bool = False,
    archived: Annotated[bool, Query(description="The archive, instead of what is not in it.")] = False,
    kind: Kinds = (),
    about: About = None,
    limit: Limit = 50,
    after: After = None,
) -> Inbox:
    """What the caller's organisation, or partnership, was told; newest first."""
    search = InboxSearch(inbox_of(caller), unread=unread, archived=archived, kinds=kind, about=about)
    found = await notifications.transactions.read(
        lambda uow: uow.notifications.inbox(search, limit=limit, after=after)
    )
    return Inbox(items=[InboxEntry.of(entry) for entry in found], next=next_of(found, limit))


@router.get("/inbox/unread", summary="How many entries are unread", responses=problem_responses(401, 403))
async def count_unread(caller: Authenticated, notifications: Root) -> Unread:
    """The figure for the bell: in all, and by kind."""
    key = inbox_of(caller)
    return await notifications.transactions.read(lambda uow: Unread.of(uow, key))


@router.post(
    "/inbox/read", summary="Mark everything as read", responses=problem_responses(401, 403, 409, 422)
)
async def read_everything(
    caller: Authenticated, notifications: Root, request: Request, those: Those | None = None
) -> Done:
    """Mark all unread entries as read, or those of some kinds; what is newer than `until` stays unread."""
    return await _clear(notifications, request, caller, those, read_all)


@router.post(
    "/inbox/archive",
    summary="Archive everything that is read",
    responses=problem_responses(401, 403, 409, 422),
)
async def archive_everything_read(
    caller: Authenticated, notifications: Root, request: Request, those: Those | None = None
) -> Done:
    """Put all entries that are read into the archive, or those of some kinds, none newer than `until`."""
    return await _clear(notifications, request, caller, those, archive_all_read)


_REFUSALS: Final = problem_responses(401, 403, 404, 409)


@router.post("/inbox/{id}/read", summary="Mark an entry as read", responses=_REFUSALS)
async def read(id: str, caller: Authenticated, notifications: Root, request: Request) -> InboxEntry:
    """Mark an entry of the caller's own inbox as read; the first time counts."""
    return await _change(notifications, request, caller, id, read_notification)


@router.post("/inbox/{id}/unread", summary="Mark an entry as unread", responses=_REFUSALS)
async def unread(id: str, caller: Authenticated, notifications: Root, request: Request) -> InboxEntry:
    """Mark an entry as unread again; one that was archived comes back."""
    return await _change(notifications, request, caller, id, unread_notification)


@router.post("/inbox/{id}/archive", summary="Archive an entry", responses=_REFUSALS)
async def archive(id: str, caller: Authenticated, notifications: Root, request: Request) -> InboxEntry:
    """Put an entry into the archive; that reads it, too."""
    return await _change(notifications, request, caller, id, archive_notification)


@router.post("/inbox/{id}/unarchive", summary="Take an entry out of the archive", responses=_REFUSALS)
async def unarchive(id: str, caller: Authenticated, notifications: Root, request: Request) -> InboxEntry:
    """Put an archived entry back among the others; it stays read."""
    return await _change(notifications, request, caller, id, unarchive_notification)


async def _change(
    notifications: Root,
    request: Request,
    caller: Caller,
    id: str,
    use_case: Callable[..., Awaitable[Notification]],
) -> InboxEntry:
    key = inbox_of(caller)
    return InboxEntry.of(await change(notifications, request, lambda uow: use_case(uow, id, key=key)))


async def _clear(
    notifications: Root,
    request: Request,
    caller: Caller,
    those: Those | None,
    use_case: Callable[..., Awaitable[int]],
) -> Done:
    key, meant = inbox_of(caller), those or Those()
    changed = 0
    while True:
        done = await change(
            notifications,
            request,
            lambda uow: use_case(uow, key=key, until=meant.until, kinds=meant.kinds),
        )
        changed += done
        if done < AT_ONCE:
            break
    left = await notifications.transactions.read(lambda uow: Unread.of(uow, key))
    return Done(changed=changed, **left.model_dump())
