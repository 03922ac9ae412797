"""What changes in the read model, as it happens: one change stream for all the open pages of a process.

Pages are not told what has changed, only that it has: each has the parts that show it sent anew, by the same
rules as the first time. So a page that missed something (a lost connection, a restart) need not be told
what: it has all its live parts sent anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog
from bson import Timestamp
from prometheus_client import Gauge
from pymongo.errors import PyMongoError

from services.console.domain.exchange import Exchange
from services.console.domain.gatherings import GroupEvent, Payment, Plan
from services.console.domain.registration import Registration
from shared.errors import CxcError
from shared.storage.driver import Database, Document, watch
from shared.streams import CommonWatch, Places

_log = structlog.get_logger(__name__)

STREAMS = Gauge("cxc_console_streams", "Pages of the console that are open and follow changes")

HEARTBEAT_S: Final = 15.0
TOGETHER_S: Final = 1.0
"""What changes within that time is told together: a page need not be drawn anew a hundred times a second."""
REMEMBERED: Final = 5000
"""Changes held ready for pages that lost their connection."""
MOST_TOLD: Final = 200
"""Beyond so many at once, a page hears that all may have changed."""

PUBLIC: Final = "progress"
"""What everybody may follow: the public counters."""
_TOPICS: Final[dict[str, tuple[str, str]]] = {
    Registration.COLLECTION: ("registrations", "registration"),
    Exchange.COLLECTION: ("exchanges", "match"),
    GroupEvent.COLLECTION: ("group-events", "group-event"),
    Plan.COLLECTION: ("plans", "plan"),
    Payment.COLLECTION: ("payments", "payment"),
}
"""By collection: the topic of its lists, and that of one of its documents."""
_WAITING: Final = frozenset({Registration.COLLECTION, Exchange.COLLECTION, Payment.COLLECTION})
_POSITION: Final = re.compile(r"(\d{1,10})\.(\d{1,10})", re.ASCII)


class TooManyStreams(CxcError):
    """As many pages of one person, or of all, follow changes as can be served."""

    code = "too-many-streams"
    status = 429
    title = "Too many open pages"


class NoStreamNow(CxcError):
    """The database does not say what changes."""

    code = "unavailable"
    status = 503
    title = "No changes can be told at the moment"


class Position(NamedTuple):
    """A point in the order of changes; everything up to that operation time of the server is told."""

    seconds: int
    increment: int

    @classmethod
    def parse(cls, text: str | None) -> Position | None:
        """What `str` gave; None for anything else."""
        found = _POSITION.fullmatch(text or "")
        return cls(int(found[1]), int(found[2])) if found else None

    @classmethod
    def of(cls, time: Timestamp) -> Position:
        """That operation time."""
        return cls(time.time, time.inc)

    def __str__(self) -> str:
        return f"{self.seconds}.{self.increment}"


class Change(NamedTuple):
    """A document of the read model changed: who sees it, and what its pages follow it by."""

    at: Position
    seen_by: frozenset[str]
    topics: frozenset[str]

    @classmethod
    def of(cls, told: Document) -> Change:
        """Made from what `_PIPELINE` lets through."""
        collection, id = told["ns"]["coll"], told["documentKey"]["_id"]
        lists, one = _TOPICS[collection]
        waiting = {"waiting"} if collection in _WAITING else set()
        public = {PUBLIC} if collection == Exchange.COLLECTION else set()
        return cls(
            Position.of(told["clusterTime"]),
            frozenset(told.get("seen_by") or ()),
            frozenset({lists, f"{one}:{id}", *waiting, *public}),
        )

    def told_to(self, key: str | None) -> frozenset[str]:
        """The topics that whoever looks as `key` hears of."""
        if key is not None and key in self.seen_by:
            return self.topics
        return self.topics & {PUBLIC}


@dataclass(frozen=True)
class Told:
    """What a page hears."""

    position: Position | None
    topics: frozenset[str] = frozenset()
    everything: bool = False
    """All may have changed; without that and without topics it is a sign of life."""


@dataclass(eq=False)
class _Ear:
    """Takes what one page has yet to hear."""

    key: str | None
    topics: set[str] = field(default_factory=set)
    everything: bool = False
    stirred: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, topics: Iterable[str]) -> None:
        self.topics.update(topics)
        if self.topics:
            self.everything = self.everything or len(self.topics) > MOST_TOLD
            self.stirred.set()

    def lose(self) -> None:
        self.everything = True
        self.stirred.set()

    def take(self) -> tuple[frozenset[str], bool]:
        heard, everything = frozenset(self.topics), self.everything
        self.topics, self.everything = set(), False
        self.stirred.clear()
        return heard, everything


class Live:
    """What changes, for all pages of this process that follow it."""

    def __init__(self, database: Database, *, streams: int, streams_of_one: int) -> None:
        self._database = database
        self._places = Places(streams=streams, of_one=streams_of_one, gauge=STREAMS)
        self._ears: set[_Ear] = set()
        self._heard: deque[Change] = deque(maxlen=REMEMBERED)
        self._since: Position | None = None
        """From when on all changes are remembered."""
        self._reached: Position | None = None
        self._common = CommonWatch(self._watch)

    @contextmanager
    def place(self, whose: str) -> Iterator[None]:
        """Room for one more page of somebody; raises `TooManyStreams`."""
        if self._places.full_for(whose) or self._places.full:
            raise TooManyStreams("Too many pages follow changes; load this one again to see what changed.")
        with self._places.take(whose):
            yield

    async def ready(self) -> None:
        """Return once changes are watched for; raises `NoStreamNow` when that takes too long."""
        try:
            await self._common.ready()
        except TimeoutError:
            raise NoStreamNow("The database does not say what changes; try again in a few seconds.") from None

    async def follow(
        self, key: str | None, after: Position | None, *, lasts_s: float
    ) -> AsyncGenerator[Told]:
        """What whoever looks as `key` may know has changed since `after`, or from now on, for so long."""
        await self.ready()
        until = asyncio.get_running_loop().time() + lasts_s
        ear = _Ear(key)
        self._ears.add(ear)
        try:
            if after is not None:
                self._catch_up(ear, after)
            # What was missed comes next: until then the page is where it was.
            yield Told(after if ear.stirred.is_set() else self._reached)
            while (left := until - asyncio.get_running_loop().time()) > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ear.stirred.wait(), min(HEARTBEAT_S, left))
                topics, everything = ear.take()
                yield Told(self._reached, topics, everything)
                if topics or everything:
                    await asyncio.sleep(TOGETHER_S)
        finally:
            self._ears.discard(ear)

    async def close(self) -> None:
        """Stop watching."""
        await self._common.close()

    # ── the common stream ────────────────────────────────────────────────────────────────────

    def _catch_up(self, ear: _Ear, after: Position) -> None:
        """What was missed; where that is not known, everything may have been."""
        if self._since is None or after < self._since:
            ear.lose()
            return
        for change in self._heard:
            if change.at > after:
                ear.hear(change.told_to(ear.key))

    async def _watch(self) -> None:
        while True:
            try:
                began = Position.of((await self._database.client.admin.command("ping"))["operationTime"])
                since = Timestamp(began.seconds, began.increment)
                async with await watch(self._database, _PIPELINE, since=since) as stream:
                    self._heard.clear()
                    self._since = self._reached = began
                    self._common.opened.set()
                    while stream.alive:
                        told = await stream.try_next()
                        if told is not None:
                            self._hand_out(told)
                            await asyncio.sleep(0)
            except (PyMongoError, OSError) as error:
                _log.warning("changes_unheard", error=repr(error)[:300])
            finally:
                self._common.opened.clear()
                for ear in self._ears:
                    ear.lose()
            await asyncio.sleep(1.0)

    def _hand_out(self, told: Document) -> None:
        self._reached = Position.of(told["clusterTime"])
        if told["operationType"] == "rename":  # the read model was built anew
            for ear in self._ears:
                ear.lose()
            return
        change = Change.of(told)
        if len(self._heard) == REMEMBERED:
            self._since = self._heard[0].at
        self._heard.append(change)
        for ear in self._ears:
            ear.hear(change.told_to(ear.key))


_PIPELINE: Final[list[dict[str, Any]]] = [
    {
        "$match": {
            "$or": [
                {"ns.coll": {"$in": sorted(_TOPICS)}, "operationType": {"$in": ["insert", "replace"]}},
                {"to.coll": {"$in": sorted(_TOPICS)}, "operationType": "rename"},
            ]
        }
    },
    {
        "$project": {
            "clusterTime": 1,
            "operationType": 1,
            "ns": 1,
            "documentKey": 1,
            "seen_by": "$fullDocument.seen_by",
        }
    },
]
