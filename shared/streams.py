"""What services that tell changes live have in common: room for so many streams, and one watch for all."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

from prometheus_client import Gauge

OPENED_WITHIN_S: Final = 5.0


class Places:
    """How many streams are open in this process, of everybody and of each; `gauge` shows it."""

    def __init__(self, *, streams: int, of_one: int, gauge: Gauge) -> None:
        self._streams = streams
        self._of_one = of_one
        self._gauge = gauge
        self._taken: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Whether there is room for nobody."""
        return self._taken.total() >= self._streams

    def full_for(self, whose: str) -> bool:
        """Whether somebody has all streams that one may have."""
        return self._taken[whose] >= self._of_one

    def taken_by(self, whose: str) -> int:
        """How many streams somebody has."""
        return self._taken[whose]

    @contextmanager
    def take(self, whose: str) -> Iterator[None]:
        """One more stream of somebody, while the block lasts."""
        self._taken[whose] += 1
        self._gauge.inc()
        try:
            yield
        finally:
            self._gauge.dec()
            self._taken[whose] -= 1
            if not self._taken[whose]:
                del self._taken[whose]


class CommonWatch:
    """One task that watches for all streams: begun when first needed, and again where it has ended.

    `watch` sets `opened` while it hears all changes, and clears it when it does not.
    """

    def __init__(self, watch: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._watch = watch
        self._watching: asyncio.Task[None] | None = None
        self.opened = asyncio.Event()

    async def ready(self) -> None:
        """Return once changes are heard; raises TimeoutError when that takes too long."""
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        await asyncio.wait_for(self.opened.wait(), OPENED_WITHIN_S)

    async def close(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._watching
