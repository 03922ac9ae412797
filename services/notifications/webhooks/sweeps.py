"""Changes of many deliveries at once: what is replayed, what is skipped, what is old."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.notifications.domain.notification import first_id_at, moment_text
from services.notifications.webhooks.delivery import Delivery, DeliveryState
from services.notifications.webhooks.endpoint import Endpoint, EndpointState
from services.notifications.webhooks.lanes import LANES, WAITING
from shared.storage.driver import Database, Document

AT_ONCE: Final = 1000


async def replay_all(database: Database, endpoint: str, *, since: datetime, only_failed: bool) -> int:
    """Let everything wait again that was stored for the endpoint since that moment; how many.

    `only_failed`: what it never took, that is what was given up or skipped.
    """
    states = [DeliveryState.FAILED.value, DeliveryState.SKIPPED.value]
    if not only_failed:
        states.append(DeliveryState.DELIVERED.value)
    changed = await database[Delivery.COLLECTION].update_many(
        {"endpoint": endpoint, "created_at": {"$gte": moment_text(since)}, "state": {"$in": states}},
        {"$set": {**WAITING, "settled_at": None}, "$inc": {"version": 1}},
    )
    return changed.modified_count


async def skip_waiting(database: Database, endpoint: str, at: datetime) -> int:
    """Send nothing of what waits for the endpoint now; how many that are."""
    changed = await database[Delivery.COLLECTION].update_many(
        {**WAITING, "endpoint": endpoint},
        {
            "$set": {"state": DeliveryState.SKIPPED.value, "settled_at": moment_text(at)},
            "$inc": {"version": 1},
        },
    )
    return changed.modified_count


async def delete_deliveries(database: Database, before: datetime) -> int:
    """Delete some of what nobody will ask for: deliveries from before that moment, and of deleted endpoints.

    What waits for an endpoint that is enabled is kept. How many were deleted.
    """
    deliveries = database[Delivery.COLLECTION]
    endpoints = await database[Endpoint.COLLECTION].find({}, {"state": 1}).to_list(None)
    enabled = [one["_id"] for one in endpoints if one["state"] == EndpointState.ENABLED.value]
    old: Document = {
        "_id": {"$lt": first_id_at(before)},
        "created_at": {"$lt": moment_text(before)},
        "$nor": [{**WAITING, "endpoint": {"$in": enabled}}],
    }
    there = {one["_id"] for one in endpoints}
    orphaned = [id for id in await deliveries.distinct("endpoint") if id not in there]
    found = await deliveries.find(old, {"_id": 1}).limit(AT_ONCE).to_list(None)
    if orphaned:
        found += (
            await deliveries.find({"endpoint": {"$in": orphaned}}, {"_id": 1}).limit(AT_ONCE).to_list(None)
        )
        await database[LANES].delete_many({"_id": {"$in": orphaned}})
    if found:
        await deliveries.delete_many({"_id": {"$in": [one["_id"] for one in found]}})
    return len(found)
