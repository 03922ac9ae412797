"""Tells newcomers to the pool of their best fits, beside the worker's lanes and never in their way.

Of all workers one does, as soon as its pool has heard of them: it searches the pool for some of them, then
writes what it found and ends their lists in one short transaction. A worker that is killed leaves the
lists, or has told everybody on them.
"""

from __future__ import annotations

import asyncio
from typing import Final

from services.matching.bootstrap import Matching
from services.matching.use_cases.tell_best_fits import find_best_fits, tell_best_fits
from shared.jobs import JobHolder, work_off

LINGER_S: Final = 0.05
"""Who joins so soon after another is told together with it."""


async def tell_newcomers(matching: Matching, stopping: asyncio.Event) -> None:
    """The worker's companion: find the best fits of whoever joined, and tell of them."""
    teller = NewcomersTeller(matching, stopping)
    await work_off(teller, teller.tell_next, stopping, news=matching.feed.joined)


class NewcomersTeller(JobHolder):
    """Tells newcomers, those who wait longest first."""

    def __init__(self, matching: Matching, stopping: asyncio.Event) -> None:
        super().__init__("newcomers", matching.database, stopping)
        self._transactions = matching.transactions
        self._joined = matching.feed.joined

    async def tell_next(self) -> bool:
        """Tell some of those the pool has heard of; whether there were any. Raises `Interrupted`."""
        await self._go_on()
        if self._joined.is_set():
            self._joined.clear()
            await asyncio.sleep(LINGER_S)
        async with self.pace:
            found = await self._transactions.read(find_best_fits)
            if found.lists:
                await self._transactions.run(lambda uow: tell_best_fits(uow, found))
        return bool(found.lists)
