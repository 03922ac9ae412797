"""Where the feed lies: blocks of events as they were published, and pages that number them for each scope.

A block holds some hundred events; a page says which of them come next in one scope, and the numbers
they have there. Both are written in the transaction that moves the builder's offsets on, so an event
has one number in each of its scopes, for good. See ADR 18.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple, cast

import orjson
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from shared.errors import CxcError
from shared.scopes import EVERYTHING, as_seen_in
from shared.storage.driver import Collection, Database, Document

STATE: Final = "feed_state"
BLOCKS: Final = "feed_blocks"
PAGES: Final = "feed_pages"
ERASED: Final = "feed_erased"

_FEED: Final = {"_id": "feed"}
_MOST_BYTES: Final = 4 * 1024 * 1024
"""A reading ends with the page that takes it over this size; the rest comes with the next one."""


class AheadOfTheFeed(CxcError):
    """The reader has numbers that this feed has not given out."""

    code = "ahead-of-the-feed"
    status = 409
    title = "This feed has not come that far"


class Reading(NamedTuple):
    """What a reader gets at once; `items` are JSON objects as bytes, by their numbers."""

    feed: str
    scope: str
    items: list[tuple[int, bytes]]
    next: int
    """`after` of the reading that follows."""
    last: int
    """The last number given out in this scope."""

    def to_json(self) -> bytes:
        """As it is answered; the events are copied, not read."""
        return orjson.dumps(
            {
                "feed": self.feed,
                "scope": self.scope,
                "items": [{"number": number, "event": orjson.Fragment(raw)} for number, raw in self.items],
                "next": self.next,
                "last": self.last,
            }
        )


async def prepare_feed(database: Database) -> None:
    """Make the feed's indexes and its state; safe to call again and at once."""
    await database[PAGES].create_index([("scope", 1), ("last", 1)], unique=True)
    await database[BLOCKS].create_index("about")
    await database[ERASED].create_index("pending", partialFilterExpression={"pending": True})
    await state_of_feed(database)


async def state_of_feed(database: Database) -> Document:
    """The feed's state, made where there is none: its name for itself, version, offsets, blocks, gaps.

    The name is of this feed alone: a reader that meets another one holds numbers of another feed.
    """
    states = _settled(database, STATE)
    while (state := await states.find_one(_FEED)) is None:
        try:
            await database[STATE].insert_one(
                {**_FEED, "feed": str(uuid.uuid4()), "version": 0, "offsets": [], "blocks": 0, "gaps": []}
            )
        except DuplicateKeyError:
            continue
    return state


async def rename_feed(database: Database) -> tuple[str, str] | None:
    """Give the feed a new name: what it was and what it is, or None where there is no feed.

    Readers hold numbers with the name of their feed, and begin anew.
    """
    before = await database[STATE].find_one_and_update(
        _FEED, {"$set": {"feed": (name := str(uuid.uuid4()))}, "$inc": {"version": 1}}
    )
    return (before["feed"], name) if before else None


async def last_number(database: Database, scope: str) -> int:
    """The last number given out in a scope; 0 where there is none yet."""
    last = await _settled(database, PAGES).find_one(
        {"scope": scope}, {"_id": 0, "last": 1}, sort=[("last", -1)]
    )
    return last["last"] if last else 0


async def read_feed(database: Database, scope: str, *, after: int, limit: int) -> Reading:
    """The events of a scope with the numbers that follow `after`, `limit` or fewer.

    Raises `AheadOfTheFeed`. What a reading gives is on a majority of the servers: no failover takes
    a number back.
    """
    feed = (await state_of_feed(database))["feed"]
    last = await last_number(database, scope)
    if after > last:
        raise AheadOfTheFeed(
            f"You ask for what comes after {after}, and the last number of '{scope}' in this feed is {last}. "
            f"Your numbers are another feed's: keep them apart, and read this one (its 'feed' is {feed}) "
            "from after=0."
        )
    items: list[tuple[int, bytes]] = []
    size = 0
    if after < last:
        async for page in _pages(database, scope, after, limit):
            numbered = zip(range(page["first"], page["last"] + 1), page["block"][0]["events"], strict=True)
            for number, raw in numbered:
                if number > after and len(items) < limit:
                    items.append((number, raw))
                    size += len(raw)
            if len(items) >= limit or size >= _MOST_BYTES:
                break
    if scope != EVERYTHING:
        items = [(number, orjson.dumps(as_seen_in(scope, orjson.loads(raw)))) for number, raw in items]
    following = items[-1][0] if items else after
    return Reading(feed, scope, items, following, max(last, following))


async def count_events_about(database: Database, registration_id: str) -> int:
    """How many events of the feed name this registration and have not been blanked."""
    blocks = database[BLOCKS].find({"about": registration_id}, {"events": 1})
    return sum([registration_id.encode() in raw async for block in blocks for raw in block["events"]])


def _settled(database: Database, collection: str) -> Collection:
    return database[collection].with_options(read_concern=ReadConcern("majority"))


async def _pages(database: Database, scope: str, after: int, limit: int) -> AsyncIterator[Document]:
    """Pages from the one with the number after `after` on, each with its events picked from its block."""
    some = {"$map": {"input": "$$positions", "in": {"$arrayElemAt": ["$events", "$$this"]}}}
    # A page without positions has all of its block.
    picked = {"$cond": [{"$isArray": "$$positions"}, some, "$events"]}
    pipeline: list[Document] = [
        {"$match": {"scope": scope, "last": {"$gt": after}}},
        {"$sort": {"last": 1}},
        {"$limit": limit},
        {
            "$lookup": {
                "from": BLOCKS,
                "localField": "block",
                "foreignField": "_id",
                "let": {"positions": "$positions"},
                "pipeline": [{"$project": {"_id": 0, "events": picked}}],
                "as": "block",
            }
        },
    ]
    opening: Any = _settled(database, PAGES).aggregate(pipeline, batchSize=4)
    cursor = await opening if hasattr(opening, "__await__") else opening
    try:
        async for page in cursor:
            yield cast(Document, page)
    finally:
        await cursor.close()
