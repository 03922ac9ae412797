"""Keeps work that nobody waits for from slowing what somebody does wait for."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

_PRESSURE: Final = Path("/proc/pressure/cpu")
_LOOK_AGAIN_S: Final = 0.25
"""For how long it is observed what others do, before it is judged anew."""
_IN_USE: Final = 0.2
"""Of one processor, used by this process while the work rests: from here on it has other work to do."""
_PRESSED: Final = 0.3
"""Of the time, something on this machine had to wait for a processor: from here on it is short of them."""


class Pace:
    """A context around each piece of work: leaving it rests, in proportion to what the piece took.

    Rests are `idle` times as long as the work, and `busy` times while this process has other work, or
    while processes of this machine wait for a processor (told by Linux' pressure stall information;
    without it only this process counts). None is longer than `longest_s`, so the work goes on whatever
    the machine is busy with.
    """

    def __init__(self, *, idle: float, busy: float, longest_s: float) -> None:
        self._idle, self._busy, self._longest_s = idle, busy, longest_s
        self._is_busy = True
        self._began = 0.0
        self._observe_anew()

    def _observe_anew(self) -> None:
        self._since, self._pressure_s = time.perf_counter(), _pressure_s()
        self._rested_s = self._used_s = 0.0

    async def __aenter__(self) -> None:
        self._began = time.perf_counter()

    async def __aexit__(self, *_: object) -> None:
        began, used = time.perf_counter(), time.process_time()
        factor = self._busy if self._is_busy else self._idle
        await asyncio.sleep(min(self._longest_s, factor * (began - self._began)))
        self._rested_s += time.perf_counter() - began
        self._used_s += time.process_time() - used
        self._judge()

    def _judge(self) -> None:
        observed_s = time.perf_counter() - self._since
        if observed_s < _LOOK_AGAIN_S:
            return
        in_use = self._used_s > _IN_USE * self._rested_s
        self._is_busy = in_use or _pressure_s() - self._pressure_s > _PRESSED * observed_s
        self._observe_anew()


def _pressure_s() -> float:
    """For how long, in all, anything on this machine has waited for a processor; 0 where it isn't told."""
    try:
        some = _PRESSURE.read_bytes().splitlines()[0]
        return int(some.rpartition(b"total=")[2]) / 1_000_000
    except (OSError, ValueError, IndexError):
        return 0.0
