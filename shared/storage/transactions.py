"""Runs a piece of work in a transaction: again when someone else was faster, or the database was away."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from shared.storage.driver import (
    Client,
    Database,
    is_conflict,
    is_of_unknown_outcome,
    is_transient,
    transaction,
)
from shared.storage.store import ConcurrentChange, MongoStore, Store
from shared.storage.unit_of_work import UnitOfWork

U = TypeVar("U", bound=UnitOfWork)
R = TypeVar("R")

PATIENCE_S: Final = 5.0
"""How long one who waits for the answer is kept waiting by tries that fail, in seconds."""


class Transactions(Generic[U]):
    """Opens units of work of one service on one database."""

    def __init__(self, client: Client, database: Database, open_unit: Callable[[Store], U]) -> None:
        self._client = client
        self._database = database
        self._open_unit = open_unit

    async def once(self, work: Callable[[U], Awaitable[R]]) -> R:
        """Run the work in one transaction and commit it; whatever goes wrong is raised."""
        async with transaction(self._client) as session:
            uow = self._open_unit(MongoStore(self._database, session))
            result = await work(uow)
            await uow.commit()
        return result

    async def run(self, work: Callable[[U], Awaitable[R]], *, attempts: int = 8) -> R:
        """Like `once`, but run anew from a clean start on conflicts and passing faults, a few times.

        Not where the commit may have taken place after all: the work might be done twice.
        """
        deadline = time.monotonic() + PATIENCE_S
        for attempt in range(1, attempts + 1):
            try:
                return await self.once(work)
            except Exception as error:
                hopeless = is_of_unknown_outcome(error) or not worth_another_try(error)
                if hopeless or attempt == attempts or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(random.uniform(0, min(1.0, 0.01 * 2**attempt)))
        raise AssertionError("unreachable")

    async def read(self, work: Callable[[U], Awaitable[R]]) -> R:
        """Run work that only reads, without a transaction."""
        return await work(self._open_unit(MongoStore(self._database, None)))


def is_outrun(error: BaseException) -> bool:
    """Whether someone else changed the same things first; the same work, run anew, will see theirs."""
    return isinstance(error, ConcurrentChange) or is_conflict(error)


def worth_another_try(error: BaseException) -> bool:
    """Whether the same work may succeed when it is run anew."""
    return is_outrun(error) or is_transient(error)
