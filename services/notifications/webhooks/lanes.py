"""The lanes of the endpoints: which deliveries wait in each, who is sending them, and when to try again.

One worker has a lane at a time, by a lease that all its lanes share one heartbeat for. Whose worker
died is taken over within `LEASE_S` seconds; what it was just sending is sent again, under the same id.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.notifications.domain.notification import moment_text
from services.notifications.webhooks.delivery import ATTEMPTS_KEPT, Delivery, DeliveryState
from services.notifications.webhooks.schedule import Answer
from services.notifications.webhooks.subscriptions import Subscription
from shared.contracts.envelope import new_id
from shared.storage.driver import Database, Document

LANES: Final = "webhook_lanes"
LEASE_S: Final = 10.0
BEAT_S: Final = 3.0
PINGS_APART: Final = timedelta(seconds=5)

WAITING: Final[Document] = {"state": DeliveryState.WAITING.value}


class Trouble(NamedTuple):
    """What keeps a lane from going on: a delivery that failed so often, and is due again."""

    delivery: str
    failed: int
    since: datetime
    due_at: datetime
    version: int
    """The endpoint's at that time: whoever changes it has mended something, and is not kept waiting."""


class Backlog(NamedTuple):
    """What waits, and since when the oldest does."""

    waiting: int
    oldest: datetime | None


async def prepare_lanes(database: Database) -> None:
    """Make the indexes of deliveries; safe to call again and at once."""
    deliveries = database[Delivery.COLLECTION]
    # With the state in front, though it is the same in all of it: without, each look for endpoints that
    # something waits for goes through every delivery there is.
    await deliveries.create_index(
        [("state", 1), ("endpoint", 1), ("position", 1), ("created_at", 1)], partialFilterExpression=WAITING
    )
    await deliveries.create_index([("endpoint", 1), ("_id", -1)])
    await deliveries.create_index("registrations")


class Lanes:
    """All lanes, as one worker sees them."""

    def __init__(self, database: Database) -> None:
        self._lanes = database[LANES]
        self._deliveries = database[Delivery.COLLECTION]
        self._me = new_id()

    # ── whose turn it is ─────────────────────────────────────────────────────────────────────

    async def with_something_waiting(self) -> list[str]:
        """The endpoints that something waits for."""
        return list(await self._deliveries.distinct("endpoint", WAITING))

    async def due(self, endpoints: list[Subscription], now: datetime) -> list[str]:
        """Those of them whose lane is free, and not waiting for its next attempt."""
        versions = {one.endpoint: one.version for one in endpoints}
        found = await self._lanes.find({"_id": {"$in": list(versions)}}).to_list(None)
        kept = {
            lane["_id"]
            for lane in found
            if (trouble := _trouble(lane))
            and trouble.due_at > now
            and trouble.version == versions[lane["_id"]]
        }
        return [id for id in versions if id not in kept]

    async def claim(self, endpoint: str) -> bool:
        """Whether the lane is ours now, by the server's clock."""
        taken = {"$and": [{"$ne": ["$owner", self._me]}, {"$gt": ["$expires_at", "$$NOW"]}]}
        lease = {name: {"$cond": [taken, f"${name}", ours]} for name, ours in self._lease().items()}
        try:
            lane = await self._lanes.find_one_and_update(
                {"_id": endpoint}, [{"$set": lease}], upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:  # another one made it in the same moment
            return False
        return lane is not None and lane["owner"] == self._me

    async def beat(self) -> None:
        """Keep all lanes that are ours."""
        await self._lanes.update_many({"owner": self._me}, [{"$set": self._lease()}])

    async def let_go(self, endpoint: str) -> None:
        """Let another worker have it at once."""
        await self._lanes.update_one(
            {"_id": endpoint, "owner": self._me}, {"$set": {"owner": None, "expires_at": None}}
        )

    async def let_all_go(self) -> None:
        """The same for every lane that is still ours."""
        await self._lanes.update_many({"owner": self._me}, {"$set": {"owner": None, "expires_at": None}})

    def _lease(self) -> Document:
        return {"owner": self._me, "expires_at": {"$add": ["$$NOW", int(LEASE_S * 1000)]}}

    # ── what is in a lane ────────────────────────────────────────────────────────────────────

    async def next(self, endpoint: str, limit: int) -> list[Delivery]:
        """What waits there, in its order."""
        found = self._deliveries.find({**WAITING, "endpoint": endpoint}).sort("position", 1).limit(limit)
        return [Delivery.from_document(document) for document in await found.to_list(None)]

    async def trouble(self, endpoint: str) -> Trouble | None:
        """What keeps the lane from going on, if anything does."""
        return _trouble(await self._lanes.find_one({"_id": endpoint}) or {})

    async def delivered(self, delivery: Delivery, answer: Answer, at: datetime) -> None:
        """It was taken."""
        await self._note(
            delivery, answer, {"state": DeliveryState.DELIVERED.value, "settled_at": moment_text(at)}
        )

    async def failed(self, delivery: Delivery, answer: Answer, trouble: Trouble) -> None:
        """It was not taken, and waits for its next attempt; so does all that comes after it."""
        await self._note(delivery, answer, {})
        kept = trouble._asdict() | {
            "since": moment_text(trouble.since),
            "due_at": moment_text(trouble.due_at),
        }
        await self._lanes.update_one({"_id": delivery.endpoint}, {"$set": {"trouble": kept}})

    async def clear(self, endpoint: str) -> None:
        """Nothing keeps it any more."""
        await self._lanes.update_one({"_id": endpoint}, {"$unset": {"trouble": ""}})

    async def may_ping(self, endpoint: str, now: datetime) -> bool:
        """Whether none was sent a moment ago; from now on one was."""
        long_ago = moment_text(now - PINGS_APART)
        try:
            noted = await self._lanes.update_one(
                {"_id": endpoint, "pinged_at": {"$not": {"$gt": long_ago}}},
                {"$set": {"pinged_at": moment_text(now)}},
                upsert=True,
            )
        except DuplicateKeyError:
            return False
        return bool(noted.matched_count or noted.upserted_id is not None)

    async def _note(self, delivery: Delivery, answer: Answer, change: Document) -> None:
        push = {"$each": [answer.model_dump(mode="json")], "$slice": -ATTEMPTS_KEPT}
        update: Document = {"$push": {"attempts": push}, "$inc": {"version": 1}}
        if change:
            update["$set"] = change
        # One that was skipped or blanked meanwhile is not ours to settle: its receiver may have repeated what
        # was erased since, and is sent what is left of it.
        as_sent = {"_id": delivery.id, "version": delivery.version, **WAITING}
        await self._deliveries.update_one(as_sent, update)

    async def backlog(self, endpoints: Iterable[str]) -> Backlog:
        """All that waits for these endpoints."""
        pipeline: list[Document] = [
            {"$match": {**WAITING, "endpoint": {"$in": list(endpoints)}}},
            {"$group": {"_id": None, "waiting": {"$sum": 1}, "oldest": {"$min": "$created_at"}}},
        ]
        asked: Any = self._deliveries.aggregate(pipeline)
        cursor = await asked if hasattr(asked, "__await__") else asked
        [found] = await cursor.to_list(None) or [{"waiting": 0, "oldest": None}]
        oldest = datetime.fromisoformat(found["oldest"]) if found["oldest"] else None
        return Backlog(found["waiting"], oldest)


def _trouble(lane: Document) -> Trouble | None:
    kept = lane.get("trouble")
    if kept is None:
        return None
    moments = {name: datetime.fromisoformat(kept[name]) for name in ("since", "due_at")}
    return Trouble(**{**kept, **moments})
