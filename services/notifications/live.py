"""What is new in inboxes, as it happens: one change stream for all the open streams of a process.

A stream knows its position in the order of the database's changes. Whatever interrupts it, a lost
connection, a restart, a failover, more news than it was held ready for, it catches up from there with
a short-lived change stream of its own, and is then fed by the common one again: what both tell is
parted by an operation time of the server, so that nothing is missed and nothing comes twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import structlog
from bson import Timestamp
from prometheus_client import Gauge
from pymongo.errors import OperationFailure, PyMongoError

from services.notifications.domain.notification import Notification
from services.notifications.domain.rules import Channel
from shared.errors import CxcError
from shared.storage.driver import Database, Document, watch
from shared.streams import CommonWatch, Places

_log = structlog.get_logger(__name__)

STREAMS = Gauge("cxc_inbox_streams", "Streams of inboxes that are open in this process")

HEARTBEAT_S: Final = 15.0
LULL_S: Final = 0.5
"""After news, a moment of quiet is told this soon, however much more is coming."""
HELD: Final = 10_000
"""News held ready for one stream; one that is further behind catches up instead."""
CATCHING_UP: Final = 4
"""Streams that catch up at the same time: each looks through the database's log of changes."""
RESUMED_WITHIN_S: Final = 3600
"""Looking further back would cost more than reading the inbox anew."""
CAUGHT_UP: Final = 2000
"""News one stream catches up with; beyond that, reading the inbox is quicker too."""
AT_ONCE: Final = 200

_POSITION: Final = re.compile(r"(\d{1,10})\.(\d{1,10})(?:\.([0-9a-f-]{36}))?", re.ASCII)
_HISTORY_LOST: Final = 286


class TooManyStreams(CxcError):
    """One inbox is listened to by more than is good for the others."""

    code = "too-many-streams"
    status = 429
    title = "Too many streams of one inbox"


class NoStreamNow(CxcError):
    """This process can serve no further stream, or the database does not say what changes."""

    code = "unavailable"
    status = 503
    title = "No stream can be opened at the moment"


class Forgotten(Exception):
    """It is no longer known, or never was, what followed a position."""


@dataclass(frozen=True)
class Position:
    """A point in the order of changes: everything before that operation time of the server has been told,
    and of the changes at that time those up to and including the one of `id`."""

    time: Timestamp
    id: str | None = None

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """What `str` gave; None for anything else."""
        found = _POSITION.fullmatch(text)
        if found is None:
            return None
        seconds, increment, id = int(found[1]), int(found[2]), found[3]
        return cls(Timestamp(seconds, increment), id) if max(seconds, increment) < 2**32 else None

    def __str__(self) -> str:
        return f"{self.time.time}.{self.time.inc}" + (f".{self.id}" if self.id else "")


@dataclass(frozen=True)
class Entry:
    """A message came to the inbox, or one that was there before has changed."""

    position: Position
    message: Notification
    new: bool


@dataclass(frozen=True)
class Quiet:
    """For the moment there is nothing more."""

    position: Position


@dataclass(frozen=True)
class Lost:
    """What changed since the position asked for cannot be told."""

    position: Position


News = Entry | Quiet | Lost


@dataclass(frozen=True)
class Change:
    """A message that was inserted or replaced, as the change stream tells it."""

    key: str
    position: Position
    id: str
    new: bool

    @classmethod
    def of(cls, told: Document) -> Change:
        """Made from what `_changes_of` lets through."""
        id = told["documentKey"]["_id"]
        return cls(told["key"], Position(told["clusterTime"], id), id, told["operationType"] == "insert")


class _Ear:
    """Takes what one stream has yet to tell."""

    def __init__(self) -> None:
        self.heard: list[Change] = []
        self.deaf = False
        """Something was or may have been missed."""
        self._stirred = asyncio.Event()

    def hear(self, change: Change) -> None:
        if len(self.heard) < HELD:
            self.heard.append(change)
            self._stirred.set()
        else:
            self.stop()

    def stop(self) -> None:
        self.deaf = True
        self._stirred.set()

    async def listen(self, within_s: float) -> list[Change]:
        if not self.heard and not self.deaf:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), within_s)
        self._stirred.clear()
        heard, self.heard = self.heard, []
        return heard


class Live:
    """What changes in inboxes, for all who listen to one in this process."""

    def __init__(self, database: Database, *, streams: int, streams_of_one: int) -> None:
        self._messages = database[Notification.COLLECTION]
        self._places = Places(streams=streams, of_one=streams_of_one, gauge=STREAMS)
        self._ears: dict[str, set[_Ear]] = {}
        self._told_until = Timestamp(0, 0)
        """Every change before that time was handed out."""
        self._common = CommonWatch(self._watch)
        self._catching_up = asyncio.Semaphore(CATCHING_UP)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextmanager
    def place(self, key: str) -> Iterator[None]:
        """Room for one more stream of that inbox; raises `TooManyStreams` or `NoStreamNow`."""
        if self._places.full_for(key):
            open_now = self._places.taken_by(key)
            raise TooManyStreams(
                f"{open_now} streams of this inbox are open; close one before you open another."
            )
        if self._places.full:
            raise NoStreamNow("This server has as many streams open as it can serve; try again in a minute.")
        with self._places.take(key):
            yield

    async def ready(self) -> None:
        """Return once changes are watched for; raises `NoStreamNow` when that takes too long."""
        try:
            await self._common.ready()
        except TimeoutError:
            raise NoStreamNow("The database does not say what changes; try again in a few seconds.") from None

    async def follow(
        self, key: str, after: Position | None, *, until: float | None = None
    ) -> AsyncIterator[News]:
        """What changes in an inbox from `after` on, or from now on, until `until` (monotonic time).

        A position that cannot be resumed from leads to `Lost` first. Raises `NoStreamNow` and the
        driver's errors while the database is away.
        """
        position = after
        while True:
            await self.ready()
            with self._listening(key) as ear:
                # What happened up to this moment is caught up with, what happens later is heard: the
                # common stream was open before it.
                parting = await self._operation_time()
                if position is not None:
                    try:
                        missed = await self._missed(key, position, parting)
                    except Forgotten as why:
                        _log.info("inbox_stream_begins_anew", reason=str(why))
                        yield Lost(_all_of(parting))
                    else:
                        async for entry in self._entries(key, missed):
                            yield entry
                position = _all_of(parting)
                yield Quiet(position)
                async for news in self._hear(key, ear, position, until):
                    position = news.position
                    yield news
            if until is not None and time.monotonic() >= until:
                return

    async def close(self) -> None:
        """Stop watching."""
        await self._common.close()

    # ── the common stream ────────────────────────────────────────────────────────────────────

    async def _watch(self) -> None:
        while True:
            try:
                async with await watch(self._messages, _changes_of()) as stream:
                    self._common.opened.set()
                    while stream.alive:
                        told = await stream.try_next()
                        if told is None:
                            self._told_until = _reached(stream)
                            continue
                        change = Change.of(told)
                        for ear in self._ears.get(change.key, ()):
                            ear.hear(change)
                        await asyncio.sleep(0)  # a batch of thousands is no reason to let others wait
            except (PyMongoError, OSError) as error:
                _log.warning("inbox_changes_unheard", error=repr(error)[:300])
            finally:
                self._common.opened.clear()
                for ears in self._ears.values():
                    for ear in ears:
                        ear.stop()
            await asyncio.sleep(1.0)

    @contextmanager
    def _listening(self, key: str) -> Iterator[_Ear]:
        ear = _Ear()
        self._ears.setdefault(key, set()).add(ear)
        if not self._common.opened.is_set():
            ear.stop()  # it closed since `ready`
        try:
            yield ear
        finally:
            self._ears[key].discard(ear)
            if not self._ears[key]:
                del self._ears[key]

    async def _hear(
        self, key: str, ear: _Ear, position: Position, until: float | None
    ) -> AsyncIterator[News]:
        parting = position.time
        lull_at: float | None = None
        while not ear.deaf:
            now = time.monotonic()
            if until is not None and now >= until:
                return
            wait = HEARTBEAT_S if lull_at is None else max(0.0, lull_at - now)
            heard = await ear.listen(wait if until is None else min(wait, until - now))
            if ear.deaf:
                return
            async for entry in self._entries(key, [one for one in heard if one.position.time >= parting]):
                position = entry.position
                lull_at = lull_at or now + LULL_S
                yield entry
            if not heard and not ear.heard and self._told_until > position.time:
                position = Position(self._told_until)
            if not heard or (lull_at is not None and time.monotonic() >= lull_at):
                lull_at = None
                yield Quiet(position)

    # ── catching up ──────────────────────────────────────────────────────────────────────────

    async def _operation_time(self) -> Timestamp:
        answer = await self._messages.database.client.admin.command("ping")
        time: Timestamp = answer["operationTime"]
        return time

    async def _missed(self, key: str, position: Position, parting: Timestamp) -> list[Change]:
        """What changed in the inbox after the position, up to and including `parting`; raises `Forgotten`."""
        behind_s = parting.time - position.time.time
        if not 0 <= behind_s <= RESUMED_WITHIN_S:
            raise Forgotten(f"the position is {behind_s} s old")
        # One at a time of the same inbox: its owner takes no more than one place from the others.
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn, self._catching_up:
            try:
                found = await self._changes(key, position.time, parting)
            except OperationFailure as error:
                if error.code != _HISTORY_LOST:
                    raise
                raise Forgotten("the database's log of changes does not go back that far") from error
        if position.id is None:
            return found
        for place, change in enumerate(found):
            if change.position == position:
                return found[place + 1 :]
        raise Forgotten("the position is of another inbox")

    async def _changes(self, key: str, since: Timestamp, parting: Timestamp) -> list[Change]:
        found: list[Change] = []
        async with await watch(self._messages, _changes_of(key), since=since, wait_ms=100) as stream:
            while stream.alive:
                told = await stream.try_next()
                if told is None:
                    if _reached(stream) >= parting:
                        break
                elif told["clusterTime"] > parting:
                    break
                elif len(found) == CAUGHT_UP:
                    raise Forgotten(f"there were more than {CAUGHT_UP} changes since")
                else:
                    found.append(Change.of(told))
        return found

    async def _entries(self, key: str, changes: Iterable[Change]) -> AsyncIterator[Entry]:
        """The messages as they are now, so that words erased since are not told any more."""
        todo = each_once(changes)
        for start in range(0, len(todo), AT_ONCE):
            some = todo[start : start + AT_ONCE]
            where = {"_id": {"$in": [change.id for change in some]}, "recipient_key": key}
            found = {one["_id"]: one for one in await self._messages.find(where).to_list(None)}
            for change in some:
                if change.id in found:
                    message = Notification.from_document(found[change.id])
                    yield Entry(change.position, message, change.new)


def _changes_of(key: str | None = None) -> list[Document]:
    """The pipeline for changes of one inbox or of all: who is concerned, and no words."""
    where: Document = {
        "operationType": {"$in": ["insert", "replace"]},
        "fullDocument.channel": Channel.INBOX.value,
    }
    if key is not None:
        where["fullDocument.recipient_key"] = key
    told = {"clusterTime": 1, "operationType": 1, "documentKey": 1, "key": "$fullDocument.recipient_key"}
    return [{"$match": where}, {"$project": told}]


def each_once(changes: Iterable[Change]) -> list[Change]:
    """A message that is new once, as new; another one where it last changed."""
    kept: dict[str, Change] = {}
    for change in changes:
        if (before := kept.get(change.id)) is not None:
            if before.new:
                continue
            del kept[change.id]
        kept[change.id] = change
    return list(kept.values())


def _all_of(time: Timestamp) -> Position:
    """The position at which everything up to and including that time has been told."""
    return Position(Timestamp(time.time, time.inc + 1))


def _reached(stream: Any) -> Timestamp:
    """The operation time up to which an open change stream has looked.

    It is at the front of the token to resume from: a type byte, then seconds and increment in hexadecimal.
    """
    token = stream.resume_token["_data"]
    return Timestamp(int(token[2:10], 16), int(token[10:18], 16))
