"""The unit of work: one transaction's identity map, coalesced reads, and everything it will write.

Handlers of one batch share a unit of work and run concurrently, so their reads meet in one `$in`
query a round. Decide after the last read: between two awaits nobody else touches an aggregate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast

from shared.aggregate import SCOPE, Aggregate, Scope
from shared.contracts.envelope import Cause, Event, now, wrap
from shared.errors import NotFound
from shared.messaging import topics
from shared.messaging.outbox import OutgoingMessage, pack
from shared.storage.driver import Document
from shared.storage.store import Changes, Removal, Sort, Store, Write

A = TypeVar("A", bound=Aggregate)

Clock = Callable[[], datetime]
Key = tuple[str, str]
"""Collection and id."""


class UnitOfWork:
    """Everything one transaction reads and will write; services subclass it with their repositories."""

    def __init__(self, store: Store, *, service: topics.ServiceName, clock: Clock = now) -> None:
        self.store = store
        self.service = service
        self.now = clock()
        self._aggregates: dict[Key, Aggregate | None] = {}
        self._documents: dict[Key, Document | None] = {}
        self._wanted: dict[str, set[str]] = {}
        self._round: asyncio.Future[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._removals: dict[str, list[Removal]] = {}
        self._consumed: list[Document] = []
        self._messages: list[OutgoingMessage] = []

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    async def find(self, model: type[A], id: str) -> A | None:
        """The aggregate, the same object for everyone in this unit of work, or None."""
        [found] = await self.find_all(model, (id,))
        return found

    async def find_all(self, model: type[A], ids: Iterable[str]) -> list[A | None]:
        """Like `find` for several, in the order asked for, with one wait for all."""
        collection, aggregates, documents = model.COLLECTION, self._aggregates, self._documents
        keys = [(collection, id) for id in ids]
        missing = [key for key in keys if key not in aggregates and key not in documents]
        if missing:
            await self._read(missing)
        for key in keys:
            # Whoever waited for the same document may have been first to build it.
            if key not in aggregates:
                document = documents.pop(key)
                aggregates[key] = model.from_document(document) if document else None
        return [cast("A | None", aggregates[key]) for key in keys]

    async def prefetch(self, *wanted: tuple[type[Aggregate], Iterable[str]]) -> None:
        """Read these in one wait; asked for afterwards, they are at hand. Cheaper than a task a kind."""
        named = ((model.COLLECTION, ids) for model, ids in wanted)
        keys = [(collection, id) for collection, ids in named for id in ids]
        missing = [key for key in keys if key not in self._aggregates and key not in self._documents]
        if missing:
            await self._read(missing)

    async def _read(self, keys: Iterable[Key]) -> None:
        for collection, id in keys:
            self._wanted.setdefault(collection, set()).add(id)
        if self._round is None:
            self._round = asyncio.ensure_future(self._read_wanted())
        await self._round

    async def _read_wanted(self) -> None:
        # One turn of the loop lets every handler that is ready say what it wants.
        await asyncio.sleep(0)
        async with self._one_at_a_time:
            wanted, self._wanted, self._round = self._wanted, {}, None
            for collection, ids in wanted.items():
                found = await self.store.load(collection, ids)
                for id in ids:
                    self._documents.setdefault((collection, id), found.get(id))

    async def query(
        self, model: type[A], where: Document, *, sort: Sort = (), limit: int = 0, skip: int = 0
    ) -> list[A]:
        """Aggregates that match in the database; one that is loaded already comes as it now is."""
        async with self._one_at_a_time:
            documents = await self.store.query(model.COLLECTION, where, sort=sort, limit=limit, skip=skip)
        found: list[A] = []
        for document in documents:
            key = (model.COLLECTION, cast(str, document["_id"]))
            aggregate = self._aggregates.get(key)
            if aggregate is None:
                aggregate = self._aggregates[key] = model.from_document(document)
            found.append(cast(A, aggregate))
        return found

    async def rows(
        self, model: type[A], where: Document, fields: Sequence[str], *, sort: Sort = (), limit: int = 0
    ) -> list[Document]:
        """These fields of those that match, as they are stored: whole aggregates are dear for a list."""
        async with self._one_at_a_time:
            return await self.store.query(model.COLLECTION, where, sort=sort, limit=limit, fields=fields)

    def at_hand(self, model: type[A]) -> list[A]:
        """Those that this unit of work holds, read or new: what a query does not find yet is among them."""
        held = self._aggregates.items()
        return [
            cast(A, aggregate)
            for (collection, _), aggregate in held
            if collection == model.COLLECTION and aggregate
        ]

    async def totals(
        self, model: type[A], where: Document, *, of: str | None, by: Sequence[str]
    ) -> dict[tuple[Any, ...], Decimal]:
        """Exact sums of an amount over those that match in the database, by the values of other fields.

        Without an amount, how many they are.
        """
        async with self._one_at_a_time:
            return await self.store.totals(model.COLLECTION, where, of=of, by=by)

    async def count(self, model: type[A], where: Document) -> int:
        """How many match in the database."""
        async with self._one_at_a_time:
            return await self.store.count(model.COLLECTION, where)

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    def add(self, aggregate: Aggregate) -> None:
        """Take in a new aggregate; it is stored with everything else, or not at all."""
        key = (aggregate.COLLECTION, aggregate.id)
        if self._aggregates.get(key) is not None:
            raise ValueError(f"{aggregate.COLLECTION} {aggregate.id} exists already in this unit of work")
        self._aggregates[key] = aggregate
        if scope := SCOPE.get():
            scope.touched = True

    def remove(self, aggregate: Aggregate) -> None:
        """Delete the aggregate with everything else; nobody finds it any more in this unit of work."""
        key = (aggregate.COLLECTION, aggregate.id)
        self._aggregates[key] = None
        if aggregate.stored_version:
            removal = Removal(aggregate.id, aggregate.stored_version)
            self._removals.setdefault(aggregate.COLLECTION, []).append(removal)
        if scope := SCOPE.get():
            scope.touched = True

    def publish(self, event: Event, *, subject: str, sequence: int = 1) -> None:
        """Publish an event that belongs to no aggregate."""
        scope = SCOPE.get()
        self._messages.append(self._message(event, subject, sequence, scope.cause if scope else Cause()))

    def send(self, message: OutgoingMessage) -> None:
        """Send a finished message, such as a dead letter, with everything else."""
        self._messages.append(message)

    def mark_consumed(self, id: str, digest: bytes | None = None, came_of_it: Document | None = None) -> None:
        """Remember that this message took effect here, and what may be asked about that later."""
        self._consumed.append({"_id": id, "digest": digest, "at": self.now, **(came_of_it or {})})

    async def commit(self) -> None:
        """Write all of it in the open transaction; raises `ConcurrentChange` when someone was faster."""
        async with self._one_at_a_time:
            await self.store.write(self.changes())

    def changes(self) -> Changes:
        """What would be written now."""
        aggregates: dict[str, list[Write]] = {}
        messages: list[OutgoingMessage] = []
        for aggregate in self._aggregates.values():
            if aggregate is None or not aggregate.changed:
                continue
            aggregates.setdefault(aggregate.COLLECTION, []).append(
                Write(aggregate.to_document(), aggregate.stored_version)
            )
            messages.extend(
                self._message(recorded.event, aggregate.id, recorded.version, recorded.cause)
                for recorded in aggregate.recorded()
            )
        return Changes(aggregates, self._removals, self._consumed, pack([*messages, *self._messages]))

    def _message(self, event: Event, subject: str, sequence: int, cause: Cause) -> OutgoingMessage:
        envelope = wrap(
            event, service=self.service, subject=subject, sequence=sequence, cause=cause, at=self.now
        )
        return OutgoingMessage.of(envelope, topics.events(self.service))


class Repository(Generic[A]):
    """Base of a service's repositories: by id here, named queries in the subclass."""

    model: type[A]

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def find(self, id: str) -> A | None:
        """The aggregate, or None."""
        return await self._uow.find(self.model, id)

    async def get(self, id: str) -> A:
        """The aggregate; raises `NotFound` with a sentence."""
        aggregate = await self.find(id)
        if aggregate is None:
            raise NotFound(f"There is no {self.model.__name__.lower()} {id}.")
        return aggregate

    async def get_all(self, ids: Iterable[str]) -> list[A]:
        """Those that exist, in the order asked for."""
        found = await self._uow.find_all(self.model, ids)
        return [aggregate for aggregate in found if aggregate is not None]

    def add(self, aggregate: A) -> None:
        """Take in a new aggregate."""
        self._uow.add(aggregate)

    def remove(self, aggregate: A) -> None:
        """Delete the aggregate."""
        self._uow.remove(aggregate)

    async def _page(self, *conditions: Document, after: str | None, limit: int) -> list[A]:
        """Those that meet every condition, in the order of ids, from after `after`; `{}` asks nothing."""
        beyond: Document = {"_id": {"$gt": after}} if after else {}
        asked = [condition for condition in (*conditions, beyond) if condition]
        where: Document = {"$and": asked} if asked else {}
        return await self._uow.query(self.model, where, sort=[("_id", 1)], limit=limit)


@contextmanager
def because_of(cause: Cause) -> Iterator[Scope]:
    """Everything recorded inside follows from `cause`."""
    scope = Scope(cause)
    token = SCOPE.set(scope)
    try:
        yield scope
    finally:
        SCOPE.reset(token)
