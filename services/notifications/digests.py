"""Makes the digests that are due, beside the worker's lanes and never in their way.

Of all workers one does, one mailbox after the other. A worker that is killed leaves each digest written,
open with some of its messages in it, or not begun; the next one goes on.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Counter, Gauge

from services.notifications.domain.digest import Mailbox
from services.notifications.domain.rules import Channel
from services.notifications.domain.switchboard import Outlet
from services.notifications.use_cases.make_digest import Made, make_digest, put_off
from shared.jobs import Interrupted, JobHolder, work_off
from shared.storage.transactions import worth_another_try

if TYPE_CHECKING:
    from services.notifications.bootstrap import Notifications

_log = structlog.get_logger(__name__)

GATHERED = Gauge("cxc_messages_gathered", "Messages that wait for a digest, in the worker that makes them")
OVERDUE_SECONDS = Gauge(
    "cxc_digest_overdue_seconds", "Since when the digest is due that is longest, in that worker; 0 for none"
)
MADE = Counter("cxc_digests_total", "Recipients whose digest came due, by what became of it", ["outcome"])

_COUNT_EVERY_S: Final = 15.0


async def make_digests(root: Notifications, stopping: asyncio.Event) -> None:
    """The worker's companion: put together what was gathered, each at its time."""
    maker = DigestMaker(root, stopping)
    await work_off(maker, maker.make_next, stopping)


class DigestMaker(JobHolder):
    """Makes digests, those first that are due longest."""

    def __init__(self, root: Notifications, stopping: asyncio.Event) -> None:
        super().__init__("digests", root.database, stopping)
        self._root = root
        self._counted_at = float("-inf")

    async def make_next(self) -> bool:
        """Make some of the digests that are due; whether there were any. Raises `Interrupted`."""
        try:
            await self._go_on()
        except Interrupted:
            # Whoever makes them now says how many wait.
            GATHERED.set(0)
            OVERDUE_SECONDS.set(0)
            raise
        due = [mailbox for channel in (Channel.EMAIL, Channel.CHAT) for mailbox in await self._due(channel)]
        await self._count()
        for mailbox in due:
            await self._make(mailbox)
        return bool(due)

    async def _due(self, channel: Channel) -> list[Mailbox]:
        # What is held is put together when it is let go: once.
        if await self._root.holding.is_held(Outlet(channel.value)):
            return []
        return await self._root.transactions.read(
            lambda uow: uow.notifications.due_mailboxes(channel, uow.now)
        )

    async def _make(self, mailbox: Mailbox) -> None:
        made = Made.SO_FAR
        while made is Made.SO_FAR:
            await self._go_on()
            async with self.pace:
                try:
                    made = await self._root.transactions.run(lambda uow: make_digest(uow, mailbox))
                except Exception as error:
                    if worth_another_try(error):
                        raise
                    # One that fails must not keep the others waiting.
                    _log.error("digest_failed", person=mailbox.person, exc_info=error)
                    MADE.labels("failed").inc()
                    await self._root.transactions.run(lambda uow: put_off(uow, mailbox))
                    return
        MADE.labels("made").inc()
        self._root.wake()

    async def _count(self) -> None:
        if time.monotonic() - self._counted_at < _COUNT_EVERY_S:
            return
        self._counted_at = time.monotonic()
        transactions = self._root.transactions
        waiting, overdue = await transactions.read(lambda uow: uow.notifications.waiting_for_digests(uow.now))
        GATHERED.set(waiting)
        OVERDUE_SECONDS.set(overdue.total_seconds())
