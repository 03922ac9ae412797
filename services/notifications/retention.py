"""Lets go of messages once the time is over for which it is kept what was said when."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from pymongo.errors import PyMongoError

from services.notifications.domain.fact import SAME_WITHIN_S, ToldFact, UndoneFacts, first_fact_id
from services.notifications.domain.notification import WAITING, Notification, first_id_at, moment_text
from services.notifications.domain.suppression import Suppression
from services.notifications.domain.wishes import Wishes
from services.notifications.repositories import lying_with
from services.notifications.webhooks.sweeps import delete_deliveries
from shared.contracts.envelope import now
from shared.storage.driver import Database

if TYPE_CHECKING:
    from services.notifications.bootstrap import Notifications

_log = structlog.get_logger(__name__)

EVERY_S: Final = 3600.0
AT_ONCE: Final = 1000
FACTS_KEPT: Final = timedelta(days=90)
"""That a fact was told is known for as long as events can be replayed, however soon messages go."""


async def let_go_of_old(root: Notifications, stopping: asyncio.Event) -> None:
    """The worker's companion: every hour, delete what is older than `kept_days`, or `webhook_kept_days`.

    Several workers may do it at once: whoever is later finds nothing.
    """
    while not stopping.is_set():
        try:
            before = now() - timedelta(days=root.settings.kept_days)
            while not stopping.is_set() and await delete_before(root.database, before) == AT_ONCE:
                pass
            await delete_facts_before(root.database, min(before, now() - FACTS_KEPT))
            await delete_wishes_before(root.database, before)
            sent_before = now() - timedelta(days=root.settings.webhook_kept_days)
            while not stopping.is_set() and await delete_deliveries(root.database, sent_before):
                pass
            old = {"changed_at": {"$lt": moment_text(before)}}
            await root.database[Suppression.COLLECTION].delete_many(old)
        except PyMongoError as error:
            _log.warning("old_messages_not_deleted", error=repr(error)[:300])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), EVERY_S)


async def delete_before(database: Database, before: datetime) -> int:
    """Delete some of the messages made before that moment; one that still waits is kept. How many were."""
    messages = database[Notification.COLLECTION]
    old = {
        "_id": {"$lt": first_id_at(before)},
        "created_at": {"$lt": moment_text(before)},
        "state": {"$nin": [state.value for state in WAITING]},
    }
    found = await messages.find(old, {"_id": 1}).sort("_id", 1).limit(AT_ONCE).to_list(None)
    if found:
        await messages.delete_many({"_id": {"$in": [one["_id"] for one in found]}})
    return len(found)


async def delete_facts_before(database: Database, before: datetime) -> None:
    """Delete the notes of facts that were told, and of facts that were undone, before that moment."""
    first = first_fact_id(before.timestamp() // SAME_WITHIN_S)
    await database[ToldFact.COLLECTION].delete_many({"_id": {"$lt": first}})
    newer = {"$elemMatch": {"at": {"$gte": moment_text(before)}}}
    await database[UndoneFacts.COLLECTION].delete_many({"undone": {"$not": newer}})


async def delete_wishes_before(database: Database, before: datetime) -> None:
    """Delete wishes of organisations that were not changed since, and to whom nothing was told since."""
    wishes = database[Wishes.COLLECTION]
    old = {
        "_id": {"$gte": "organisation:", "$lt": "organisation;"},
        "changed_at": {"$lt": moment_text(before)},
    }
    async for one in wishes.find(old, {"_id": 1}):
        if await database[Notification.COLLECTION].find_one(lying_with([one["_id"]]), {"_id": 1}) is None:
            await wishes.delete_one({**old, "_id": one["_id"]})
