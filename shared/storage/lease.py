"""A lease: of all processes that want to do one thing, one does it, by a document in the database.

Two may overlap for a moment (one was frozen longer than its lease), so what is done under a lease
must be harmless when done twice.
"""

from __future__ import annotations

import contextlib
import time
from typing import Final

from pymongo.errors import DuplicateKeyError, PyMongoError

from shared.contracts.envelope import new_id
from shared.storage.driver import Database

LEASES: Final = "leases"
LEASE_S: Final = 10.0
RENEW_S: Final = 3.0


class Lease:
    """One process's claim to be the one that does what the lease is named after."""

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self._leases = database[LEASES]
        self._me = new_id()
        self._until = float("-inf")

    async def hold(self) -> bool:
        """Whether it is held now: taken or renewed, by the server's clock, so that ours don't matter.

        Costs nothing for `RENEW_S` seconds after a renewal; lasts `LEASE_S` seconds without one.
        Raises the driver's errors while the database is away.
        """
        if time.monotonic() < self._until - (LEASE_S - RENEW_S):
            return True
        asked_at = time.monotonic()
        held = await self._take()
        self._until = asked_at + LEASE_S if held else float("-inf")
        return held

    async def let_go(self) -> None:
        """Let another take it at once; while the database is away, once it has expired."""
        self._until = float("-inf")
        with contextlib.suppress(PyMongoError):
            await self._leases.delete_one({"_id": self.name, "owner": self._me})

    async def _take(self) -> bool:
        free = {"$or": [{"$eq": ["$owner", self._me]}, {"$lt": ["$expires_at", "$$NOW"]}]}
        taken = [{"$set": {"owner": self._me, "expires_at": {"$add": ["$$NOW", int(LEASE_S * 1000)]}}}]
        result = await self._leases.update_one({"_id": self.name, "$expr": free}, taken)
        if result.matched_count == 0 and await self._leases.find_one({"_id": self.name}) is None:
            with contextlib.suppress(DuplicateKeyError):
                await self._leases.insert_one({"_id": self.name, "owner": None})
            result = await self._leases.update_one({"_id": self.name, "$expr": free}, taken)
        return result.matched_count == 1
