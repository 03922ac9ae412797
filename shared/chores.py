"""Work that comes due by the passing of time; of a service's workers one does it, beside the event flow."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog
from prometheus_client import Counter

from shared.storage.driver import Collection, Database, Document
from shared.storage.lease import Lease
from shared.storage.transactions import Transactions, worth_another_try
from shared.storage.unit_of_work import Clock

_log = structlog.get_logger(__name__)

ROUNDS = Counter("cxc_chore_rounds", "Rounds of periodic work, by how they ended", ["chore", "outcome"])

LOOK_EVERY_S: Final = 5.0
"""Less than a lease lasts, so that the worker that has it keeps it."""
AT_ONCE: Final = 50
"""Cases in one transaction: few, so that it is short and hardly ever in the way of the event flow."""
IN_A_ROUND: Final = 10_000
"""Cases one round finds at the most; the next round finds the others."""


class Root(Protocol):
    """What a composition root offers its chores."""

    @property
    def database(self) -> Database: ...
    @property
    def transactions(self) -> Transactions[Any]: ...
    @property
    def clock(self) -> Clock: ...


R = TypeVar("R", bound=Root)

Find = Callable[[R, datetime], Awaitable[list[str]]]
"""The ids of what is due at that moment; what cannot be done now may be among them again and again."""
Do = Callable[[Any, Sequence[str]], Awaitable[object]]
"""Does what is due with these, in one unit of work, having looked again whether it still is."""


@dataclass(frozen=True)
class Chore(Generic[R]):
    """Something to be done again and again; `do_round` does all that is due at the moment."""

    name: str
    every: timedelta
    do_round: Callable[[Round[R]], Awaitable[None]]


@dataclass
class Round(Generic[R]):
    """One round of a chore, by the worker that has the lease."""

    chore: str
    root: R
    lease: Lease
    stopping: asyncio.Event

    @property
    def now(self) -> datetime:
        """The present moment of the service's clock."""
        return self.root.clock()

    async def goes_on(self) -> bool:
        """Whether there is still time, and the lease still ours; to be asked now and then in a long round."""
        return not self.stopping.is_set() and await self.lease.hold()

    async def for_all(self, find: Find[R], do: Do) -> None:
        """Do it with all that are found, some in each transaction; one that fails is logged and left.

        Raises what the database raises while it is away: whatever is not done is found again.
        """
        due = await find(self.root, self.now)
        for start in range(0, len(due), AT_ONCE):
            if not await self.goes_on():
                return
            await self._do(do, due[start : start + AT_ONCE])

    async def _do(self, do: Do, ids: Sequence[str]) -> None:
        try:
            await self.root.transactions.run(lambda uow: do(uow, ids))
        except Exception as error:
            if worth_another_try(error):
                raise
            if len(ids) == 1:
                _log.error("chore_left_undone", chore=self.chore, id=ids[0], exc_info=error)
                return
            for id in ids:
                await self._do(do, [id])


async def ids_of(collection: Collection, where: Document, **how: Any) -> list[str]:
    """The ids of the documents that match, at most as many as one round takes."""
    cursor = collection.find(where, {"_id": 1}, limit=IN_A_ROUND, **how)
    return [document["_id"] async for document in cursor]


def stored(moment: datetime) -> str:
    """A moment to compare stored ones with; those of the same second count as earlier."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def go_round(
    root: R, stopping: asyncio.Event, chores: Sequence[Chore[R]], *, look_every_s: float = LOOK_EVERY_S
) -> None:
    """A worker's companion: do each chore when its time has come, for as long as the lease is ours."""
    lease = Lease("chores", root.database)
    next_round = dict.fromkeys((chore.name for chore in chores), float("-inf"))
    try:
        while not stopping.is_set():
            for chore in chores:
                if time.monotonic() < next_round[chore.name]:
                    continue
                round = Round(chore.name, root, lease, stopping)
                try:
                    if not await round.goes_on():
                        break
                    await chore.do_round(round)
                    ROUNDS.labels(chore.name, "done").inc()
                except Exception as error:  # noqa: BLE001 - said below
                    if worth_another_try(error):
                        _log.warning("chore_put_off", chore=chore.name, error=repr(error))
                        ROUNDS.labels(chore.name, "put_off").inc()
                        break
                    # A chore that fails must not end the worker, nor keep the others from being done.
                    _log.error("chore_failed", chore=chore.name, exc_info=error)
                    ROUNDS.labels(chore.name, "failed").inc()
                next_round[chore.name] = time.monotonic() + chore.every.total_seconds()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), look_every_s)
    finally:
        await lease.let_go()
