"""Jobs people ask for and wait for: of a service's workers one does them, one after the other.

They are done beside the event flow. A worker that is killed leaves off between two transactions, and
the one that takes over goes on behind the last.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.pace import Pace
from shared.storage.driver import Database
from shared.storage.lease import Lease
from shared.storage.transactions import worth_another_try

_log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0


class Interrupted(Exception):
    """The worker stops, or another one does the work now; what is done is committed."""


class JobHolder:
    """Does one kind of job for as long as it has the lease named after it."""

    def __init__(self, lease: str, database: Database, stopping: asyncio.Event) -> None:
        self.lease = Lease(lease, database)
        # Around each transaction of a job: people wait for it, but the lanes go first.
        self.pace = Pace(idle=0.25, busy=1.0, longest_s=1.0)
        self._stopping = stopping

    async def _go_on(self) -> None:
        """Raises `Interrupted` when it is time to stop, or the lease is another's."""
        if self._stopping.is_set() or not await self.lease.hold():
            raise Interrupted


async def work_off(
    holder: JobHolder,
    do_next: Callable[[], Awaitable[bool]],
    stopping: asyncio.Event,
    *,
    news: asyncio.Event | None = None,
) -> None:
    """A worker's companion: do the next job while there is one, then look again, until told to stop.

    `do_next` says whether there was one. Whatever goes wrong, it is tried again later. `news` is set when
    there may be one: who holds the lease then looks at once.
    """
    pause = LOOK_EVERY_S
    try:
        while not stopping.is_set():
            awaited = news or stopping
            try:
                while await do_next():
                    pass
                pause = LOOK_EVERY_S
            except Interrupted:
                awaited = stopping
            except Exception as error:  # noqa: BLE001 - not even an error of ours may end the worker
                if worth_another_try(error):
                    _log.warning("job_put_off", job=holder.lease.name, error=repr(error)[:300])
                else:
                    _log.error("job_failed", job=holder.lease.name, exc_info=error)
                pause = min(_LONGEST_PAUSE_S, pause * 2)
                awaited = stopping
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(awaited.wait(), pause)
    finally:
        await holder.lease.let_go()
