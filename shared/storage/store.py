"""Where a unit of work reads and writes: one open transaction on MongoDB, behind a port fakes can fill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import bson
from pymongo import DeleteOne, InsertOne, ReplaceOne

from shared.storage.driver import Database, Document, Session

INBOX = "inbox"
OUTBOX = "outbox"

Sort = Sequence[tuple[str, int]]


class ConcurrentChange(Exception):
    """Someone else changed an aggregate since it was read: run again from a clean start."""


@dataclass
class Write:
    """One aggregate to be stored; `expected` is the version it was read at, 0 for a new one."""

    document: Document
    expected: int


@dataclass
class Removal:
    """One aggregate to be deleted; `expected` is the version it was read at."""

    id: str
    expected: int


@dataclass
class Changes:
    """All that one unit of work writes."""

    aggregates: dict[str, list[Write]] = field(default_factory=dict)
    removals: dict[str, list[Removal]] = field(default_factory=dict)
    inbox: list[Document] = field(default_factory=list)
    outbox: list[Document] = field(default_factory=list)


class Store(Protocol):
    """One transaction's view of a database."""

    async def load(self, collection: str, ids: Iterable[str]) -> dict[str, Document]:
        """Documents by id; those that do not exist are left out."""
        ...

    async def query(
        self,
        collection: str,
        where: Document,
        *,
        sort: Sort = (),
        limit: int = 0,
        skip: int = 0,
        fields: Sequence[str] = (),
    ) -> list[Document]:
        """Documents that match, as the database has them, without what is not yet written.

        `fields`: those that are wanted, as dotted paths; the id comes along.
        """
        ...

    async def count(self, collection: str, where: Document) -> int:
        """How many documents match."""
        ...

    async def totals(
        self, collection: str, where: Document, *, of: str | None, by: Sequence[str]
    ) -> dict[tuple[Any, ...], Decimal]:
        """Exact sums of a field of decimal text over those that match, for each of the values of `by`.

        Without a field, how many there are.
        """
        ...

    async def write(self, changes: Changes) -> None:
        """Write everything or raise; `ConcurrentChange` when a version is no longer as expected."""
        ...


class MongoStore:
    """A store in one MongoDB session; without one, reads outside any transaction."""

    def __init__(self, database: Database, session: Session | None) -> None:
        self._database = database
        self._session = session

    async def load(self, collection: str, ids: Iterable[str]) -> dict[str, Document]:
        wanted = list(ids)
        where: Document = {"_id": wanted[0]} if len(wanted) == 1 else {"_id": {"$in": wanted}}
        found = await self._database[collection].find(where, session=self._session).to_list(None)
        return {document["_id"]: document for document in found}

    async def query(
        self,
        collection: str,
        where: Document,
        *,
        sort: Sort = (),
        limit: int = 0,
        skip: int = 0,
        fields: Sequence[str] = (),
    ) -> list[Document]:
        cursor = self._database[collection].find(
            where, list(fields) or None, session=self._session, limit=limit, skip=skip
        )
        if sort:
            cursor = cursor.sort(list(sort))
        return await cursor.to_list(None)

    async def count(self, collection: str, where: Document) -> int:
        return await self._database[collection].count_documents(where, session=self._session)

    async def totals(
        self, collection: str, where: Document, *, of: str | None, by: Sequence[str]
    ) -> dict[tuple[Any, ...], Decimal]:
        group = {
            "_id": {str(number): f"${field}" for number, field in enumerate(by)},
            "total": {"$sum": {"$toDecimal": f"${of}"} if of else 1},
        }
        asked: Any = self._database[collection].aggregate(
            [{"$match": where}, {"$group": group}], session=self._session
        )
        cursor = await asked if hasattr(asked, "__await__") else asked
        return {
            tuple(found["_id"].get(str(number)) for number in range(len(by))): Decimal(str(found["total"]))
            for found in await cursor.to_list(None)
        }

    async def write(self, changes: Changes) -> None:
        for collection, removals in changes.removals.items():
            await self._remove_aggregates(collection, removals)
        for collection, writes in changes.aggregates.items():
            await self._write_aggregates(collection, writes)
        if changes.inbox:
            await self._database[INBOX].insert_many(changes.inbox, ordered=False, session=self._session)
        if changes.outbox:
            # Last: the server gives positions at insert, and by now every aggregate written here is
            # locked, so that positions of one aggregate's events follow the order of its changes.
            stamped = [{"position": bson.Timestamp(0, 0), **row} for row in changes.outbox]
            await self._database[OUTBOX].insert_many(stamped, ordered=True, session=self._session)

    async def _write_aggregates(self, collection: str, writes: list[Write]) -> None:
        operations: list[InsertOne[Document] | ReplaceOne[Document]] = []
        replaced = 0
        for write in writes:
            if write.expected == 0:
                operations.append(InsertOne(write.document))
            else:
                replaced += 1
                operations.append(
                    ReplaceOne({"_id": write.document["_id"], "version": write.expected}, write.document)
                )
        result = await self._database[collection].bulk_write(operations, ordered=False, session=self._session)
        if result.matched_count != replaced:
            raise ConcurrentChange(
                f"{replaced - result.matched_count} of {replaced} changed documents of '{collection}' "
                "were changed by someone else first"
            )

    async def _remove_aggregates(self, collection: str, removals: list[Removal]) -> None:
        operations = [DeleteOne({"_id": removal.id, "version": removal.expected}) for removal in removals]
        result = await self._database[collection].bulk_write(operations, ordered=False, session=self._session)
        if result.deleted_count != len(removals):
            raise ConcurrentChange(
                f"{len(removals) - result.deleted_count} of {len(removals)} documents of '{collection}' that "
                "are to be removed were changed by someone else first"
            )


async def prepare_database(database: Database, inbox_days: int = 30) -> None:
    """Make the collections and indexes every service needs; safe to call again and at once."""
    await database[INBOX].create_index("at", expireAfterSeconds=inbox_days * 86400)
    # Refused messages by their event; nothing else has the field, and costs nothing here.
    await database[INBOX].create_index("event", partialFilterExpression={"event": {"$exists": True}})
    await database[OUTBOX].create_index("position")
