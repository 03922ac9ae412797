"""Shows in the metrics what waits to go out, for how long, and what is held."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Gauge
from pymongo.errors import PyMongoError

from services.notifications.domain.rules import Channel
from services.notifications.domain.switchboard import Outlet
from services.notifications.repositories import NotificationsUnitOfWork

if TYPE_CHECKING:
    from services.notifications.bootstrap import Notifications

_log = structlog.get_logger(__name__)

WAITING = Gauge("cxc_outgoing_waiting", "Messages that are due and not on their way, by channel", ["channel"])
OLDEST = Gauge(
    "cxc_outgoing_oldest_seconds", "How long the first of those waits; 0 when there is none", ["channel"]
)
HELD = Gauge("cxc_outgoing_held", "1 while a channel is held", ["channel"])

EVERY_S: Final = 10.0
_WATCHED: Final = (Channel.EMAIL, Channel.CHAT)


async def watch_outgoing(root: Notifications, stopping: asyncio.Event) -> None:
    """The worker's companion: look every ten seconds; all workers show the same."""
    while not stopping.is_set():
        try:
            await root.transactions.read(_look)
            for outlet in Outlet:
                HELD.labels(outlet.value).set(await root.holding.is_held(outlet))
        except PyMongoError as error:
            _log.warning("outgoing_not_looked_at", error=repr(error)[:300])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), EVERY_S)


async def _look(uow: NotificationsUnitOfWork) -> None:
    for channel in _WATCHED:
        waiting, oldest = await uow.notifications.waiting(channel, uow.now)
        WAITING.labels(channel.value).set(waiting)
        OLDEST.labels(channel.value).set((uow.now - oldest).total_seconds() if oldest else 0)
