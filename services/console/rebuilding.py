"""The read model built anew from the events alone, beside the one in use, and put in its place.

Folding comes out the same whatever the order and however often (`domain/latest.py`), so the worker goes on
meanwhile. What it folded into the old read model until the exchange is found by the marks of its inbox, and
folded again from the same source: nothing is lost, and nothing counts twice.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from services.console.domain.happening import Happening
from services.console.handlers import handlers
from services.console.repositories import READ_MODEL, ConsoleUnitOfWork, prepare_read_model
from services.console.use_cases.fold_event import fold_event
from shared.contracts.catalogue import upcast
from shared.contracts.envelope import Cause, CloudEvent, Event, now
from shared.storage.driver import Client, Database, Document
from shared.storage.store import INBOX, Changes, Sort, Store
from shared.storage.transactions import Transactions
from shared.storage.unit_of_work import because_of

GAP: Final = "cxc.feed.gap.v1"
_ASIDE: Final = "_rebuilt"
_LATE: Final = timedelta(hours=1)
"""So long before the beginning an event may have been folded that the feed did not have yet."""
_UNCOMPARED: Final = ("_id", "version")


class _Aside:
    """A store whose read model is the one in the making."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self, collection: str, ids: Iterable[str]) -> dict[str, Document]:
        return await self._store.load(_named(collection), ids)

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
        return await self._store.query(
            _named(collection), where, sort=sort, limit=limit, skip=skip, fields=fields
        )

    async def count(self, collection: str, where: Document) -> int:
        return await self._store.count(_named(collection), where)

    async def totals(
        self, collection: str, where: Document, *, of: str | None, by: Sequence[str]
    ) -> dict[tuple[Any, ...], Any]:
        return await self._store.totals(_named(collection), where, of=of, by=by)

    async def write(self, changes: Changes) -> None:
        written = {_named(name): writes for name, writes in changes.aggregates.items()}
        removed = {_named(name): removals for name, removals in changes.removals.items()}
        await self._store.write(Changes(written, removed, changes.inbox, changes.outbox))


@dataclass(frozen=True)
class Difference:
    """A document that is not the same in both."""

    collection: str
    id: str
    fields: list[str]
    """Those that differ; none where one of the two is missing."""
    missing: str | None = None
    """`in use` or `rebuilt`: where there is none."""


@dataclass
class Tally:
    """What a rebuild has done so far."""

    events: int = 0
    gaps: int = 0
    """Places where the source says that events were lost before it could number them."""
    unreadable: list[str] = field(default_factory=list)
    """Ids of events that this version cannot read."""


class Rebuild:
    """One rebuild of the read model in a database of the console."""

    def __init__(self, client: Client, database: Database) -> None:
        self._database = database
        self._aside = Transactions(client, database, lambda store: ConsoleUnitOfWork(_Aside(store)))
        self._in_use = Transactions(client, database, ConsoleUnitOfWork)
        self._transactions = self._aside
        self._begun = now()
        self.tally = Tally()

    async def begin(self) -> None:
        """Make empty collections; what an interrupted rebuild left goes."""
        await self.drop()
        self._begun = now()
        await prepare_read_model(self._database, _ASIDE)

    async def drop(self) -> None:
        """Let go of what was rebuilt."""
        for model in READ_MODEL:
            await self._database.drop_collection(model.COLLECTION + _ASIDE)

    async def fold(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Fold events, as they were published, in one transaction."""
        read: dict[str, list[tuple[Event, CloudEvent]]] = defaultdict(list)
        for told in events:
            if told["type"] == GAP:
                self.tally.gaps += 1
            elif (found := self._read(told)) is not None:
                read[f"{told['source']}|{told.get('partitionkey')}"].append(found)

        async def work(uow: ConsoleUnitOfWork) -> None:
            await asyncio.gather(*(_fold_in_order(uow, same_key) for same_key in read.values()))

        await self._transactions.run(work)
        self.tally.events += sum(map(len, read.values()))

    async def missing(self) -> set[str]:
        """Events that the worker folded into the read model in use, and that are not in the new one."""
        since = self._begun - _LATE
        marks = self._database[INBOX].find({"at": {"$gte": since}}, {"_id": 1})
        folded = {id for id in map(_event_of, [mark["_id"] async for mark in marks]) if id}
        known = self._database[self._collection(Happening.COLLECTION)]
        found = known.find({"_id": {"$in": list(folded)}}, {"_id": 1})
        return folded - {one["_id"] async for one in found} - set(self.tally.unreadable)

    async def put_in_place(self) -> None:
        """Exchange the collections, each at once; `missing` and `fold` then speak of those in use.

        Happenings come last: an event that is folded while this goes on is not taken for done.
        """
        for model in READ_MODEL:
            if model.COLLECTION + _ASIDE in await self._database.list_collection_names():
                renamed = self._database[model.COLLECTION + _ASIDE]
                await renamed.rename(model.COLLECTION, dropTarget=True)
        self._transactions = self._in_use

    async def differences(self) -> AsyncIterator[Difference]:
        """Where the read model in use and the rebuilt one differ, apart from how often they were written."""
        for model in READ_MODEL:
            in_use = self._database[model.COLLECTION].find({}).sort("_id", 1)
            rebuilt = self._database[model.COLLECTION + _ASIDE].find({}).sort("_id", 1)
            old, new = await anext(in_use, None), await anext(rebuilt, None)
            while old is not None or new is not None:
                if new is None or (old is not None and old["_id"] < new["_id"]):
                    assert old is not None
                    yield Difference(model.COLLECTION, old["_id"], [], missing="rebuilt")
                    old = await anext(in_use, None)
                elif old is None or new["_id"] < old["_id"]:
                    yield Difference(model.COLLECTION, new["_id"], [], missing="in use")
                    new = await anext(rebuilt, None)
                else:
                    if fields := _differing(old, new):
                        yield Difference(model.COLLECTION, old["_id"], fields)
                    old, new = await anext(in_use, None), await anext(rebuilt, None)

    def _collection(self, name: str) -> str:
        return name if self._transactions is self._in_use else _named(name)

    def _read(self, told: Mapping[str, Any]) -> tuple[Event, CloudEvent] | None:
        try:
            envelope = CloudEvent.model_validate(told)
            newest = upcast(envelope)
            entry = handlers.get(newest.type)
            if entry is None:
                return None
            event = entry.model.model_validate(newest.data)
        except ValidationError:
            self.tally.unreadable.append(str(told.get("id")))
            return None
        assert isinstance(event, Event)
        return event, envelope


async def _fold_in_order(uow: ConsoleUnitOfWork, events: Iterable[tuple[Event, CloudEvent]]) -> None:
    for event, envelope in events:
        with because_of(Cause.of(envelope)):
            await fold_event(uow, event, envelope)


def _named(collection: str) -> str:
    aside = {model.COLLECTION for model in READ_MODEL}
    return collection + _ASIDE if collection in aside else collection


def _event_of(mark: str) -> str | None:
    """The event that a mark of the inbox says was folded; of one that was set aside, nothing."""
    return None if mark.startswith("aside|") else mark.rpartition("|")[2]


def _differing(old: Document, new: Document) -> list[str]:
    names = sorted({*old, *new}.difference(_UNCOMPARED))
    return [name for name in names if old.get(name) != new.get(name)]
