"""Writes the feed: numbers events in their scopes and stores them, each batch in one transaction.

Only what the state document says is true: a batch is written together with the offsets that follow
it, if nobody else has written since. So whatever dies when, every event gets its numbers once. What
a relay published twice has the same id twice, and gets one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Self

import orjson
import structlog
from prometheus_client import Counter

from services.registration.domain.feed import GAP, FeedGap
from services.registration.feed.erasure import blanked, to_be_erased
from services.registration.feed.pages import BLOCKS, ERASED, PAGES, STATE, last_number, state_of_feed
from shared.contracts.envelope import SCHEMAS, CloudEvent, new_id, now
from shared.messaging.message import Message
from shared.scopes import EVERYTHING, erased_by, registrations_in, scopes_of
from shared.storage.driver import Database, Document, transaction
from shared.storage.store import ConcurrentChange

_log = structlog.get_logger(__name__)

FEED_EVENTS = Counter(
    "cxc_feed_events_total", "Messages of the event topics, by what the feed did", ["outcome"]
)
FEED_GAPS = Counter("cxc_feed_gaps_total", "Times that events were gone before the feed had read them")

REMEMBERED: Final = 200_000
"""Events whose repetition is noticed: more than a relay that died can have published again."""
BLOCK_EVENTS: Final = 250
BLOCK_BYTES: Final = 1024 * 1024
_TURN: Final = 100
"""Events read before everything else in this process has a turn."""
_HEADS_KEPT: Final = 20_000

Place = tuple[str, int]
"""A topic and its partition."""


class _Entry(NamedTuple):
    """An event on its way into the feed."""

    short_id: bytes
    raw: bytes
    scopes: list[str]
    about: set[str]

    @classmethod
    def of(cls, message: Message, event: dict[str, Any]) -> Self:
        """The event of a message, for those whom it concerns."""
        raw, data = message.value or b"", event["data"]
        return cls(_short(event["id"]), raw, scopes_of(data), registrations_in(raw, data))

    def without(self, registration_ids: set[str]) -> _Entry:
        """Without the personal data of these registrations."""
        late = self.about & registration_ids
        if not late:
            return self
        return self._replace(raw=blanked(self.raw, late), about=self.about - late)


@dataclass
class _Block:
    """Events that are stored together."""

    entries: list[_Entry] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        return len(self.entries) >= BLOCK_EVENTS or self.size >= BLOCK_BYTES

    def add(self, entry: _Entry) -> None:
        self.entries.append(entry)
        self.size += len(entry.raw)

    def to_document(self, number: int) -> Document:
        return {
            "_id": number,
            "events": [entry.raw for entry in self.entries],
            "ids": b"".join(entry.short_id for entry in self.entries),
            "about": sorted(set().union(*(entry.about for entry in self.entries))),
            "rewritten": 0,
        }


class _Remembered:
    """The ids of the last events, to know one that comes again."""

    def __init__(self) -> None:
        self._ids: set[bytes] = set()
        self._order: deque[bytes] = deque()

    def __contains__(self, short_id: bytes) -> bool:
        return short_id in self._ids

    def add(self, short_ids: Iterable[bytes]) -> None:
        for short_id in short_ids:
            self._ids.add(short_id)
            self._order.append(short_id)
        while len(self._order) > REMEMBERED:
            self._ids.discard(self._order.popleft())


class FeedWriter:
    """One process's hand on the feed; opened anew after anything went wrong."""

    def __init__(self, database: Database, state: Document, erased: set[str]) -> None:
        self._database = database
        self._state = state
        self._erased = erased
        self._remembered = _Remembered()
        self._heads: dict[str, int] = {}
        self.offsets: dict[Place, int] = {
            (place["topic"], place["partition"]): place["next"] for place in state["offsets"]
        }
        """The offset to read next of each partition that was read before."""
        self.erasing = True
        """There may be something to blank in what is stored."""

    @classmethod
    async def open(cls, database: Database) -> Self:
        """The feed as it is stored."""
        state = await state_of_feed(database)
        erased = {document["_id"] async for document in database[ERASED].find({}, {"_id": 1})}
        writer = cls(database, state, erased)
        await writer._remember()
        return writer

    async def _remember(self) -> None:
        found: list[bytes] = []
        count = 0
        async for block in self._database[BLOCKS].find({}, {"ids": 1}).sort("_id", -1):
            found.append(block["ids"])
            count += len(block["ids"]) // 16
            if count >= REMEMBERED:
                break
        for ids in reversed(found):
            self._remembered.add(ids[at : at + 16] for at in range(0, len(ids), 16))

    # ── events ───────────────────────────────────────────────────────────────────────────────

    async def write(self, messages: Sequence[Message]) -> None:
        """Take the messages into the feed, in this order, and move the offsets on.

        Raises `ConcurrentChange` when another process has written since, and the driver's errors.
        """
        offsets = dict(self.offsets)
        entries: list[_Entry] = []
        ids: set[bytes] = set()
        erased: set[str] = set()
        for count, message in enumerate(messages, 1):
            offsets[message.topic, message.partition] = message.offset + 1
            # Read, used and let go of one after the other: thousands of them kept would be looked
            # through by the garbage collector again and again.
            event = _read(message)
            if event is None:
                continue
            entry = _Entry.of(message, event)
            if entry.short_id in ids or entry.short_id in self._remembered:
                FEED_EVENTS.labels("repeated").inc()
                continue
            ids.add(entry.short_id)
            entries.append(entry)
            if (id := erased_by(event)) is not None:
                erased.add(id)
            if count % _TURN == 0:
                await asyncio.sleep(0)
        erased -= self._erased
        if gone := (self._erased | erased if erased else self._erased):
            entries = [entry.without(gone) for entry in entries]
        await self._store(entries, offsets, erased)

    async def _store(self, entries: Sequence[_Entry], offsets: dict[Place, int], erased: set[str]) -> None:
        blocks = _in_blocks(entries)
        numbered = _Numbered(await self._heads_of({scope for entry in entries for scope in entry.scopes}))
        first = self._state["blocks"]
        for scope in [scope for scope, head in numbered.heads.items() if head == 0]:
            # Nobody knows whether what was lost concerned a scope that is only beginning.
            for gap in self._state["gaps"]:
                numbered.add(scope, gap, [0])
        for block_number, block in enumerate(blocks, first):
            in_scope: dict[str, list[int]] = {}
            for position, entry in enumerate(block.entries):
                for scope in entry.scopes:
                    in_scope.setdefault(scope, []).append(position)
            for scope, positions in in_scope.items():
                numbered.add(scope, block_number, positions, whole=len(positions) == len(block.entries))
        await self._commit(
            [block.to_document(number) for number, block in enumerate(blocks, first)],
            numbered,
            offsets,
            erased=erased,
        )
        self._remembered.add(entry.short_id for entry in entries)
        FEED_EVENTS.labels("numbered").inc(len(entries))

    async def _heads_of(self, scopes: set[str]) -> dict[str, int]:
        if len(self._heads) > _HEADS_KEPT:
            self._heads.clear()
        # What is kept is true as long as nobody else writes, and else the commit fails.
        for scope in scopes - self._heads.keys():
            self._heads[scope] = await last_number(self._database, scope)
        return {scope: self._heads[scope] for scope in scopes}

    # ── gaps ─────────────────────────────────────────────────────────────────────────────────

    async def note_gap(self, topic: str, partition: int, next_offset: int) -> None:
        """Say in every scope that events of a partition were lost, and go on at `next_offset`."""
        gap = FeedGap(
            topic=topic,
            partition=partition,
            first_offset=self.offsets.get((topic, partition), 0),
            next_offset=next_offset,
        )
        event = CloudEvent.model_construct(
            specversion="1.0",
            id=new_id(),
            source="/cxc/registration",
            type=GAP,
            subject=f"{topic}/{partition}",
            time=now(),
            datacontenttype="application/json",
            dataschema=f"{SCHEMAS}{GAP}.json",
            data=gap,
        )
        block = _Block()
        block.add(_Entry(_short(event.id), event.to_json(), [], set()))
        number = self._state["blocks"]
        scopes = {EVERYTHING, *await self._database[PAGES].distinct("scope")}
        numbered = _Numbered({scope: await last_number(self._database, scope) for scope in scopes})
        for scope in scopes:
            numbered.add(scope, number, [0])
        offsets = {**self.offsets, (topic, partition): next_offset}
        await self._commit([block.to_document(number)], numbered, offsets, gap=number)
        FEED_GAPS.inc()
        _log.error("feed_gap", **gap.model_dump())

    # ── both ─────────────────────────────────────────────────────────────────────────────────

    async def _commit(
        self,
        blocks: list[Document],
        numbered: _Numbered,
        offsets: dict[Place, int],
        *,
        erased: Collection[str] = (),
        gap: int | None = None,
    ) -> None:
        before = self._state
        state = {
            **before,
            "version": before["version"] + 1,
            "blocks": before["blocks"] + len(blocks),
            "gaps": before["gaps"] if gap is None else [*before["gaps"], gap],
            "offsets": [
                {"topic": topic, "partition": partition, "next": offset}
                for (topic, partition), offset in offsets.items()
            ],
            # For readers who wait: whom there is something new for.
            "touched": list(numbered.heads),
        }
        async with transaction(self._database.client) as session:
            replaced = await self._database[STATE].replace_one(
                {"_id": before["_id"], "version": before["version"]}, state, session=session
            )
            if replaced.matched_count != 1:
                raise ConcurrentChange("the feed was written by another process, or something was erased")
            if blocks:
                await self._database[BLOCKS].insert_many(blocks, session=session)
                await self._database[PAGES].insert_many(numbered.pages, session=session)
            if erased:
                await self._database[ERASED].bulk_write([to_be_erased(id) for id in erased], session=session)
                self.erasing = True
        self._state = state
        self._erased |= set(erased)
        self.offsets = offsets
        self._heads.update(numbered.heads)


class _Numbered:
    """Pages in the making, and the last number of each scope they go into."""

    def __init__(self, heads: dict[str, int]) -> None:
        self.heads = heads
        self.pages: list[Document] = []

    def add(self, scope: str, block: int, positions: list[int], *, whole: bool = False) -> None:
        """Give the next numbers to these events of the block; of a whole one positions need no saying."""
        head = self.heads[scope]
        last = self.heads[scope] = head + len(positions)
        page: Document = {"scope": scope, "first": head + 1, "last": last, "block": block}
        self.pages.append(page if whole else {**page, "positions": positions})


def _in_blocks(entries: Iterable[_Entry]) -> list[_Block]:
    blocks: list[_Block] = []
    for entry in entries:
        if not blocks or blocks[-1].full:
            blocks.append(_Block())
        blocks[-1].add(entry)
    return blocks


def _read(message: Message) -> dict[str, Any] | None:
    """The event, or None, with a word in the log, where the message is none."""
    try:
        event = orjson.loads(message.value or b"")
        if (
            isinstance(event["id"], str)
            and isinstance(event["type"], str)
            and isinstance(event["data"], dict)
        ):
            return event  # type: ignore[no-any-return]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass
    # Only services may write to these topics, and they write nothing else.
    FEED_EVENTS.labels("unreadable").inc()
    _log.error("feed_message_unreadable", where=message.coordinates)
    return None


def _short(id: str) -> bytes:
    """Sixteen bytes that stand for an event's id: a UUID's own, else a digest."""
    if len(id) == 36:
        try:
            return bytes.fromhex(id.replace("-", ""))
        except ValueError:
            pass
    return blake2b(id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
