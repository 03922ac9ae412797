"""Answers that are dear to find, remembered for a while: the longer, the dearer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

DEAR_S: Final = 0.05
"""What is found sooner is always found anew."""
KEPT_TIMES: Final = 20
"""As many times as long as it took: finding takes a twentieth of a core at the most."""

T = TypeVar("T")


class Remembered(Generic[T]):
    """The last answers by what was asked; what is not found, because it raises, is not remembered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Hashable, tuple[float, T]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def get(self, asked: Hashable, find: Callable[[], Awaitable[T]]) -> T:
        """The answer, at most as old as `KEPT_TIMES` times the seconds it took to find."""
        async with self._one_at_a_time:
            until, answer = self._known.get(asked, (float("-inf"), None))
            if answer is not None and self._clock() < until:
                return answer
            started = self._clock()
            found = await find()
            took = self._clock() - started
            self._known.pop(asked, None)
            if took > DEAR_S:
                self._known[asked] = (self._clock() + KEPT_TIMES * took, found)
            return found
