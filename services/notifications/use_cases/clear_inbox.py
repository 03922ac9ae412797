"""Read everything in the caller's own inbox, or archive everything that is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.notifications.domain.searches import InboxSearch
from services.notifications.repositories import NotificationsUnitOfWork

AT_ONCE: Final = 500
"""Entries of one transaction; whoever has more calls again until fewer are done."""


async def read_all(
    uow: NotificationsUnitOfWork, *, key: str, until: str | None = None, kinds: Sequence[str] = ()
) -> int:
    """Mark the next unread entries as read, those about facts after `until` (an entry's id) not; how many."""
    search = InboxSearch(key, unread=True, kinds=kinds, until=until)
    found = await uow.notifications.inbox(search, limit=AT_ONCE, after=None)
    for entry in found:
        entry.read(uow.now)
    return len(found)


async def archive_all_read(
    uow: NotificationsUnitOfWork, *, key: str, until: str | None = None, kinds: Sequence[str] = ()
) -> int:
    """Archive the next entries that are read; otherwise the same."""
    search = InboxSearch(key, read=True, kinds=kinds, until=until)
    found = await uow.notifications.inbox(search, limit=AT_ONCE, after=None)
    for entry in found:
        entry.archive(uow.now)
    return len(found)
