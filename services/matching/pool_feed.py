"""Keeps a process's pool in step with the database: loaded whole once, then by a change stream.

Every process that asks the pool has its own: the stream brings what any of them committed, within
milliseconds. The pool is an index: what must hold, such as a free place or an unused visit, is
checked again on the stored documents in the transaction that relies on it.
"""

from __future__ import annotations

import asyncio
import gc
from itertools import islice
from typing import Any, Final

import structlog
from pymongo.errors import PyMongoError

from services.matching.catalogue import Catalogue
from services.matching.domain.candidate import Candidate
from services.matching.domain.pool import Pool
from services.matching.domain.visit_claim import VisitClaim
from services.matching.repositories import prospect_of
from shared.partnerships import Partnerships
from shared.storage.driver import Database, Document, watch

_log = structlog.get_logger(__name__)

_WATCHED: Final[list[Document]] = [
    {
        "$match": {
            "ns.coll": {"$in": [Candidate.COLLECTION, VisitClaim.COLLECTION]},
            "operationType": {"$in": ["insert", "replace", "delete"]},
        }
    }
]
_READ_AT_ONCE: Final = 200
_AT_ONCE: Final = 20
"""Documents between which the process goes on answering."""
_KEPT_AT_ONCE: Final = 1000
"""Documents after which a process that people wait for need not look through them again."""
_PAUSE_S: Final = 0.02
"""Between two looks at what has changed: what comes meanwhile is taken together."""
_RETRY_S: Final = 2.0


class PoolFeed:
    """Brings the pool and the catalogue what is committed; `follow` runs as long as the process.

    `browsed` says whether people look through the catalogue of this process, which is then kept current
    as the pool is.
    """

    def __init__(
        self,
        pool: Pool,
        catalogue: Catalogue,
        database: Database,
        partnerships: Partnerships,
        *,
        browsed: bool,
    ) -> None:
        self._pool = pool
        self._catalogue = catalogue
        self._database = database
        self._partnerships = partnerships
        self._browsed = browsed
        self._versions: dict[tuple[str, str], int] = {}
        self._changed: dict[tuple[str, str], Document | None] = {}
        """The latest of each document that was heard of and not yet taken; None where it was deleted."""
        self._taken = 0
        """Documents since what the pool holds was last kept out of the garbage collection."""
        self._news = asyncio.Event()
        self.joined = asyncio.Event()
        """Set when somebody has joined the pool, or anew; whoever waits for that clears it."""

    async def follow(self, loaded: asyncio.Event) -> None:
        """Load the pool, say so, and keep it current until cancelled, whatever the database does."""
        while True:
            try:
                await self._follow_once(loaded)
            except PyMongoError as error:
                _log.warning("pool_feed_interrupted", error=repr(error)[:300])
            except Exception as error:  # noqa: BLE001 - without the feed the pool would silently grow old
                _log.error("pool_feed_failed", exc_info=error)
            await asyncio.sleep(_RETRY_S)

    async def _follow_once(self, loaded: asyncio.Event) -> None:
        # The stream begins where the load does, so that nothing falls between the two.
        asked: Any = await self._database.command("ping")
        await self.load()
        async with await watch(self._database, _WATCHED, since=asked["operationTime"]) as stream:
            loaded.set()
            reading = asyncio.create_task(self._read(stream))
            reading.add_done_callback(lambda _: self._news.set())
            try:
                while not reading.done():
                    await self._news.wait()
                    self._news.clear()
                    await self._take_changed()
                    await asyncio.sleep(_PAUSE_S)
                await reading
            finally:
                reading.cancel()
                await asyncio.wait([reading])

    async def _read(self, stream: Any) -> None:
        async for change in stream:
            key = change["ns"]["coll"], change["documentKey"]["_id"]
            if change["operationType"] == "delete":
                self._changed[key] = None
                # One that is made anew under its id begins at version 1 again.
                self._versions.pop(key, None)
            else:
                self._changed[key] = change["fullDocument"]
            self._news.set()

    async def _take_changed(self) -> None:
        while self._changed:
            for key in list(islice(self._changed, _AT_ONCE)):
                document = self._changed.pop(key)
                if document is None:
                    self.forget(*key)
                else:
                    self.take(key[0], document)
            await self._let_others_go_on()

    async def _let_others_go_on(self) -> None:
        if self._browsed:
            self._catalogue.catch_up()
            if self._taken >= _KEPT_AT_ONCE:
                self._taken = 0
                _keep()
        await asyncio.sleep(0)

    async def load(self) -> None:
        """Read all that is in the pool, a part at a time so that the process goes on answering."""
        self._changed.clear()
        self._versions.clear()  # those deleted in the meantime may have been made anew
        for collection, where in (
            (VisitClaim.COLLECTION, {"match_id": {"$ne": None}}),
            (Candidate.COLLECTION, {"in_pool": True}),
        ):
            present: set[str] = set()
            async for document in self._database[collection].find(where, batch_size=_READ_AT_ONCE):
                present.add(document["_id"])
                self.take(collection, document)
                if len(present) % _AT_ONCE == 0:
                    await self._let_others_go_on()
            self._forget_others(collection, present)
        await self._let_others_go_on()
        _keep()
        _log.info("pool_loaded", candidates=len(self._pool))

    def _forget_others(self, collection: str, present: set[str]) -> None:
        """Whoever left, and whatever was given back, while the stream was interrupted."""
        if collection == VisitClaim.COLLECTION:
            for key in self._pool.claimed - present:
                self._pool.claim(key, taken=False)
        else:
            for id in self._pool.ids - present:
                self._remove(id)

    def forget(self, collection: str, id: str) -> None:
        """A document was deleted."""
        self._versions.pop((collection, id), None)
        if collection == VisitClaim.COLLECTION:
            self._pool.claim(id, taken=False)
        else:
            self._remove(id)

    def _remove(self, id: str) -> None:
        self._pool.remove(id)
        self._catalogue.remove(id)

    def take(self, collection: str, document: Document) -> None:
        """A stored document as it now is, or as it was: an older one than known changes nothing."""
        id = document["_id"]
        version = document["version"]
        if version < self._versions.get((collection, id), 0):
            return
        self._versions[collection, id] = version
        self._taken += 1
        if collection == VisitClaim.COLLECTION:
            self._pool.claim(id, taken=document["match_id"] is not None)
        elif document["in_pool"]:
            self._put(Candidate.from_document(document))
        else:
            self._remove(id)

    def _put(self, candidate: Candidate) -> None:
        known = self._pool.member(candidate.id)
        if known is None or known.heard != candidate.heard:
            prospect = prospect_of(candidate, self._partnerships)
            self.joined.set()
        else:
            prospect = known.engaged(candidate.stays, candidate.partners)
            if prospect == known:
                return
        self._pool.put(prospect)
        self._catalogue.put(prospect)


def _keep() -> None:
    """Collect no garbage in what the pool holds by now: looking through it would stop every request."""
    gc.collect(1)
    gc.freeze()
