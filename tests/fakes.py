"""Fakes that stand in for a database in unit tests; the same suites run on the real one."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Generic, TypeVar

from bson import Timestamp
from mongomock import filtering

from shared.contracts.envelope import new_id
from shared.errors import NotFound, TooLarge
from shared.storage.driver import Document
from shared.storage.files import StoredFile
from shared.storage.store import INBOX, OUTBOX, Changes, ConcurrentChange, Sort, Store
from shared.storage.unit_of_work import UnitOfWork

U = TypeVar("U", bound=UnitOfWork)
R = TypeVar("R")


class MemoryDatabase:
    """Collections of documents in memory, with the checks the real store makes."""

    def __init__(self) -> None:
        self.collections: dict[str, dict[str, Document]] = {}
        self.ticks = 0

    def __getitem__(self, collection: str) -> dict[str, Document]:
        return self.collections.setdefault(collection, {})


class MemoryStore:
    """A store on a `MemoryDatabase`; what it writes is all or nothing."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def load(self, collection: str, ids: Iterable[str]) -> dict[str, Document]:
        stored = self._database[collection]
        return {id: copy.deepcopy(stored[id]) for id in ids if id in stored}

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
        matches: Any = filtering.filter_applies
        stored = self._database[collection].values()
        found = [document for document in stored if matches(where, document)]
        for field, direction in reversed(list(sort)):
            found.sort(key=lambda document: _sortable(document, field), reverse=direction < 0)
        wanted = found[skip : skip + limit if limit else None]
        return copy.deepcopy([_with_only(fields, document) for document in wanted] if fields else wanted)

    async def count(self, collection: str, where: Document) -> int:
        return len(await self.query(collection, where))

    async def totals(
        self, collection: str, where: Document, *, of: str | None, by: Sequence[str]
    ) -> dict[tuple[Any, ...], Decimal]:
        matches: Any = filtering.filter_applies
        sums: dict[tuple[Any, ...], Decimal] = {}
        for document in filter(
            lambda document: matches(where, document), self._database[collection].values()
        ):
            key = tuple(_sortable(document, field)[1] for field in by)
            amount = Decimal(_sortable(document, of)[1] or 0) if of else Decimal(1)
            sums[key] = sums.get(key, Decimal(0)) + amount
        return sums

    async def write(self, changes: Changes) -> None:
        removed = {(kind, removal.id) for kind, removals in changes.removals.items() for removal in removals}
        for collection, writes in changes.aggregates.items():
            for write in writes:
                id = str(write.document["_id"])
                stored = self._database[collection].get(id) if (collection, id) not in removed else None
                if (stored["version"] if stored else 0) != write.expected:
                    raise ConcurrentChange(
                        f"{collection} {write.document['_id']} was changed by someone else"
                    )
        for collection, removals in changes.removals.items():
            for removal in removals:
                stored = self._database[collection].get(removal.id)
                if stored is None or stored["version"] != removal.expected:
                    raise ConcurrentChange(f"{collection} {removal.id} was changed by someone else")
        for collection, removals in changes.removals.items():
            for removal in removals:
                del self._database[collection][removal.id]
        for collection, writes in changes.aggregates.items():
            for write in writes:
                self._database[collection][str(write.document["_id"])] = copy.deepcopy(write.document)
        for document in changes.inbox:
            self._database[INBOX][document["_id"]] = document
        for row in changes.outbox:
            self._database.ticks += 1
            self._database[OUTBOX][row["_id"]] = {**row, "position": Timestamp(self._database.ticks, 1)}


class MemoryTransactions(Generic[U]):
    """Transactions on a `MemoryDatabase`, one after the other."""

    def __init__(self, open_unit: Callable[[Store], U], database: MemoryDatabase | None = None) -> None:
        self.database = database or MemoryDatabase()
        self._open_unit = open_unit

    async def once(self, work: Callable[[U], Awaitable[R]]) -> R:
        """Run the work and write what it changed."""
        uow = self._open_unit(MemoryStore(self.database))
        result = await work(uow)
        await uow.commit()
        return result

    run = once

    async def read(self, work: Callable[[U], Awaitable[R]]) -> R:
        """Run work that only reads."""
        return await work(self._open_unit(MemoryStore(self.database)))


class MemoryFiles:
    """Files in memory."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    async def put(self, content: AsyncIterable[bytes], *, name: str, limit: int) -> StoredFile:
        whole = b"".join([chunk async for chunk in content])
        if len(whole) > limit:
            raise TooLarge(f"The file is over the limit of {limit} bytes.")
        id = new_id()
        self.stored[id] = whole
        return StoredFile(id, len(whole), hashlib.sha256(whole).hexdigest())

    async def read(self, id: str) -> AsyncIterator[bytes]:
        if id not in self.stored:
            raise NotFound(f"There is no file {id}.")
        yield self.stored[id]

    async def delete(self, ids: Iterable[str]) -> None:
        for id in ids:
            self.stored.pop(id, None)


def _with_only(paths: Iterable[str], document: Document) -> Document:
    kept: Document = {"_id": document["_id"]}
    for path in paths:
        source, target = document, kept
        *parents, name = path.split(".")
        for parent in parents:
            source, target = source.get(parent) or {}, target.setdefault(parent, {})
        if name in source:
            target[name] = source[name]
    return kept


def _sortable(document: Document, path: str) -> tuple[bool, Any]:
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return (value is not None, value)
