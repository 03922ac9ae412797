"""Keeps a process's pool in step with the database: loaded whole once, then by a change stream.

Every process that asks the pool has its own: the stream brings what any of them committed, within
milliseconds. The pool is an index: what must hold, such as a free place or an unused visit, is
checked again on the stored documents in the transaction that relies on it.
"""

from __future__ import annotations

import asyncio
import gc
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
_LOADED_AT_ONCE: Final = 200
_RETRY_S: Final = 2.0


class PoolFeed:
    """Brings the pool and the catalogue what is committed; `follow` runs as long as the process."""

    def __init__(
        self, pool: Pool, catalogue: Catalogue, database: Database, partnerships: Partnerships
    ) -> None:
        self._pool = pool
        self._catalogue = catalogue
        self._database = database
        self._partnerships = partnerships
        self._versions: dict[tuple[str, str], int] = {}

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
            async for change in stream:
                if change["operationType"] == "delete":
                    self.forget(change["ns"]["coll"], change["documentKey"]["_id"])
                else:
                    self.take(change["ns"]["coll"], change["fullDocument"])

    async def load(self) -> None:
        """Read all that is in the pool, a part at a time so that the process goes on answering."""
        self._versions.clear()  # those deleted in the meantime may have been made anew
        for collection, where in (
            (VisitClaim.COLLECTION, {"match_id": {"$ne": None}}),
            (Candidate.COLLECTION, {"in_pool": True}),
        ):
            present: set[str] = set()
            async for document in self._database[collection].find(where, batch_size=_LOADED_AT_ONCE):
                present.add(document["_id"])
                self.take(collection, document)
                if len(present) % _LOADED_AT_ONCE == 0:
                    await asyncio.sleep(0)
            self._forget_others(collection, present)
        # What was loaded stays: looking through all of it for garbage would stop every request.
        gc.freeze()
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
        """A document was deleted; one that is made anew under its id begins at version 1 again."""
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
        if collection == VisitClaim.COLLECTION:
            self._pool.claim(id, taken=document["match_id"] is not None)
        elif document["in_pool"]:
            prospect = prospect_of(Candidate.from_document(document), self._partnerships)
            self._pool.put(prospect)
            self._catalogue.put(prospect)
        else:
            self._remove(id)
