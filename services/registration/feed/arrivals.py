"""Wakes those who wait for the feed to grow: one change stream for all waiting readers of a process."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from pymongo.errors import PyMongoError

from services.registration.feed.pages import STATE
from shared.storage.driver import Database, Document, watch

_log = structlog.get_logger(__name__)

AT_LEAST_EVERY_S: Final = 2.0
"""How often a reader looks for itself: what the stream misses (a failover) is found that way."""


class Arrivals:
    """What is new in the feed, by scope."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._watching: asyncio.Task[None] | None = None

    @contextmanager
    def of(self, scope: str) -> Iterator[Arrival]:
        """Notices what arrives in a scope from now on: enter first, then look, then wait."""
        arrived = asyncio.Event()
        self._waiting.setdefault(scope, set()).add(arrived)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield Arrival(arrived)
        finally:
            self._waiting[scope].discard(arrived)
            if not self._waiting[scope]:
                del self._waiting[scope]

    async def close(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._watching

    async def _watch(self) -> None:
        pipeline: list[Document] = [{"$project": {"touched": "$fullDocument.touched"}}]
        while True:
            try:
                async with await watch(self._database[STATE], pipeline) as stream:
                    self._wake(list(self._waiting))  # whoever looked before it was open looks again
                    async for change in stream:
                        self._wake(change.get("touched") or ())
            except (PyMongoError, OSError) as error:
                _log.debug("feed_watch_retries", error=repr(error))
                await asyncio.sleep(AT_LEAST_EVERY_S)

    def _wake(self, scopes: list[str] | tuple[str, ...]) -> None:
        for scope in scopes:
            for arrived in self._waiting.get(scope, ()):
                arrived.set()


class Arrival:
    """One reader's ear for one scope."""

    def __init__(self, arrived: asyncio.Event) -> None:
        self._arrived = arrived

    async def wait(self, until: float) -> bool:
        """Wait until something has come or may have; False once `until` (monotonic time) is over."""
        left = until - time.monotonic()
        if left <= 0:
            return False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), min(left, AT_LEAST_EVERY_S))
        self._arrived.clear()
        return True
