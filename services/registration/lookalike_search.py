"""Searches lookalikes of every registration that comes in or changes, beside the worker's lanes.

Of all workers one does it, with all registrations in memory. What was searched is remembered by a
digest of what a search looks at: at its start it compares these with what is stored, and then hears
of every change by a change stream, so that none is missed whatever is restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import structlog
from prometheus_client import Gauge
from pymongo.errors import PyMongoError

from services.registration.bootstrap import Registering
from services.registration.domain.duplicate import Search
from services.registration.domain.likeness import features_of
from services.registration.domain.lookalikes import Lookalikes
from services.registration.domain.registration import AMENDABLE, Registration
from services.registration.domain.visit import Visit
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.note_lookalikes import Found, Looked, note_lookalikes
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import STORED
from shared.pace import Pace
from shared.storage.driver import Database, Document, watch
from shared.storage.lease import Lease
from shared.storage.transactions import Transactions

_log = structlog.get_logger(__name__)

WAITING = Gauge("cxc_lookalikes_waiting", "Registrations for which lookalikes are still to be searched")

EDITION: Final = 1
"""Raised when the search finds other pairs than before: then it is done again for all."""
PAIRS_EACH: Final = 10
"""Pairs noted for one registration at the most: the most alike ones."""
AT_ONCE: Final = 20
"""Registrations searched for between two rests, and noted in one transaction."""
LOADED_AT_ONCE: Final = 50
IDS_AT_ONCE: Final = 500
REST_WHEN_BUSY: Final = 30.0
REST_WHEN_IDLE: Final = 1.0
LONGEST_REST_S: Final = 5.0
"""Less than a lease lasts, so that the worker that has it keeps it."""
STAND_BY_S: Final = 2.0
LOOK_EVERY_S: Final = 1.0
RETRY_S: Final = 2.0

_READ: Final[Document] = {"state": 1, "erased_at": 1, "submission": 1, "party.partnership": 1}
_CHANGED: Final[list[Document]] = [
    {"$match": {"operationType": {"$in": ["insert", "replace"]}}},
    {"$project": {"documentKey": 1}},
]


async def search_lookalikes(root: Registering, stopping: asyncio.Event) -> None:
    """Search until told to stop; a companion of the worker's lanes."""
    least = root.settings.lookalike_score
    await LookalikeSearch(root.database, root.transactions, least).run(stopping)


class LookalikeSearch:
    """Notes pairs that score at least `least`; run it in every worker, one of them is active."""

    def __init__(
        self, database: Database, transactions: Transactions[RegistrationUnitOfWork], least: int
    ) -> None:
        self._database = database
        self._transactions = transactions
        self._least = least
        self._lease = Lease("lookalikes", database)
        self._pace = Pace(idle=REST_WHEN_IDLE, busy=REST_WHEN_BUSY, longest_s=LONGEST_REST_S)
        self._forget_all()

    def _forget_all(self) -> None:
        self._lookalikes = Lookalikes()
        self._partnership_of: dict[str, str | None] = {}
        self._searched: dict[str, str] = {}
        self._waiting: dict[str, None] = {}
        self._news = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Search until told to stop; whatever goes wrong, it begins again with what is stored."""
        try:
            while not stopping.is_set():
                try:
                    if await self._lease.hold():
                        await self._follow(stopping)
                except PyMongoError as error:
                    _log.warning("lookalikes_interrupted", error=repr(error)[:300])
                except Exception as error:  # noqa: BLE001 - the lanes beside it go on, and so will the search
                    _log.error("lookalikes_failed", exc_info=error)
                self._forget_all()
                await _wait(stopping, STAND_BY_S)
        finally:
            await self._lease.let_go()

    async def _follow(self, stopping: asyncio.Event) -> None:
        """Load, then search for what is not searched yet and for what changes, while the lease is held."""
        asked: Any = await self._database.command("ping")
        async with await watch(
            self._database[Registration.COLLECTION], _CHANGED, since=asked["operationTime"]
        ) as changes:
            listening = asyncio.create_task(self._listen(changes))
            try:
                await self._load(stopping)
                while not stopping.is_set() and not listening.done() and await self._lease.hold():
                    self._news.clear()
                    await self._search_some()
                    if not self._waiting:
                        await _wait(self._news, LOOK_EVERY_S)
            finally:
                listening.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await listening

    async def _listen(self, changes: Any) -> None:
        async for change in changes:
            self._waiting[change["documentKey"]["_id"]] = None
            self._news.set()

    async def _load(self, stopping: asyncio.Event) -> None:
        """Take in all registrations; those that were searched as they are need no search."""
        searches = self._database[Search.COLLECTION].find({}, {"looked_for": 1}, batch_size=IDS_AT_ONCE)
        async for document in searches:
            self._searched[document["_id"]] = document["looked_for"]
        stored = self._database[Registration.COLLECTION].find(
            {"erased_at": None}, {"_id": 1}, batch_size=IDS_AT_ONCE
        )
        ids = [document["_id"] async for document in stored]
        for start in range(0, len(ids), LOADED_AT_ONCE):
            if stopping.is_set() or not await self._lease.hold():
                return
            async with self._pace:
                for id, digest in (await self._take(ids[start : start + LOADED_AT_ONCE])).items():
                    if self._searched.get(id) != digest:
                        self._waiting[id] = None
        _log.info("lookalikes_loaded", registrations=len(self._lookalikes), waiting=len(self._waiting))

    async def _search_some(self) -> None:
        ids = list(islice(self._waiting, AT_ONCE))
        for id in ids:
            del self._waiting[id]  # one that changes from now on waits again
        WAITING.set(len(self._waiting))
        async with self._pace:
            digests = await self._take(ids)
            looked: list[Looked] = []
            for id, digest in digests.items():
                if self._searched.get(id) != digest:
                    looked.append(Looked(id, self._partnership_of.get(id), digest, self._found(id)))
                    await asyncio.sleep(0)
            if looked:
                await self._transactions.run(lambda uow: note_lookalikes(uow, looked))
                self._searched.update((one.registration_id, one.looked_for) for one in looked)

    def _found(self, id: str) -> dict[str, Found]:
        if id not in self._lookalikes:
            return {}
        like = self._lookalikes.like(id, least=self._least, most=PAIRS_EACH)
        return {other: Found(self._partnership_of[other], how) for other, how in like.items()}

    async def _take(self, ids: Sequence[str]) -> dict[str, str]:
        """Bring these up to date in memory; returns a digest of what a search for each looks at.

        A registration that was withdrawn or rejected takes part only if it has a visit: whoever
        visited and comes back is to be seen. One that was erased takes no part.
        """
        registrations = self._database[Registration.COLLECTION]
        documents = await registrations.find({"_id": {"$in": list(ids)}}, _READ).to_list(None)
        visitors = await self._visitors(
            [document["_id"] for document in documents if document["state"] not in AMENDABLE]
        )
        digests = dict.fromkeys(ids, f"{EDITION}:nothing")
        for document in documents:
            id, partnership = document["_id"], document["party"]["partnership"]
            if document["erased_at"] is None and (document["state"] in AMENDABLE or id in visitors):
                features = features_of(Submission.model_validate(document["submission"], context=STORED))
                self._lookalikes.put(id, features)
                await asyncio.sleep(0)
                self._partnership_of[id] = partnership
                digests[id] = f"{EDITION}:{self._least}:{partnership}:{features.digest()}"
            else:
                self._lookalikes.remove(id)
                self._partnership_of.pop(id, None)
        return digests

    async def _visitors(self, ids: list[str]) -> set[str]:
        """Those of these registrations that have a visit."""
        if not ids:
            return set()
        used = self._database[Visit.COLLECTION].find({"uses.registration_id": {"$in": ids}}, {"uses": 1})
        return {use["registration_id"] async for visit in used for use in visit["uses"]}


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
