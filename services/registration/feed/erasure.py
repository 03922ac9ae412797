"""Erasure in the feed: what it holds of a registration's organisation is blanked, its numbers stay.

The builder does it when it meets `cxc.registration.erased.v1`; whoever cannot wait for that calls
`erase_from_feed`. Either way the registration is remembered, so that an event which comes in late is
blanked before it is stored.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import orjson
from pymongo import ReplaceOne

from services.registration.feed.pages import BLOCKS, ERASED, STATE, state_of_feed
from shared.scopes import registrations_in, without_personal_data_of
from shared.storage.driver import Database, Document, transaction

_AT_ONCE: Final = 500
_BLOCKS_AT_ONCE: Final = 10


async def erase_from_feed(database: Database, registration_id: str) -> None:
    """Blank the personal data of a registration in everything the feed holds, and will hold.

    May be called again and at once; one that is interrupted is finished by the builder.
    """
    await state_of_feed(database)
    async with transaction(database.client) as session:
        await database[ERASED].bulk_write([to_be_erased(registration_id)], session=session)
        # A builder that is about to write does not know of it: it has to begin anew, and then will.
        await database[STATE].update_one({}, {"$inc": {"version": 1}}, session=session)
    while await _blank_blocks(database, {registration_id}):
        pass


async def go_on_erasing(database: Database) -> bool:
    """Blank some of what is still to be; returns whether there is more."""
    pending = database[ERASED].find({"pending": True}, {"_id": 1}, limit=_AT_ONCE)
    ids = {document["_id"] async for document in pending}
    if not ids:
        return False
    more = await _blank_blocks(database, ids)
    return more or len(ids) == _AT_ONCE


def to_be_erased(registration_id: str) -> ReplaceOne[Document]:
    """Remembers that the personal data of a registration are gone, and to be blanked here."""
    return ReplaceOne(
        {"_id": registration_id},
        {"_id": registration_id, "pending": True, "at": datetime.now(UTC)},
        upsert=True,
    )


def blanked(raw: bytes, registration_ids: set[str]) -> bytes:
    """The event as written, without the personal data of these registrations."""
    event = orjson.loads(raw)
    concerned = registrations_in(raw, event["data"]) & registration_ids
    for registration_id in concerned:
        event = without_personal_data_of(registration_id, event)
    return orjson.dumps(event) if concerned else raw


async def _blank_blocks(database: Database, ids: set[str]) -> bool:
    """Blank them in some blocks; returns whether there may be more."""
    blocks = database[BLOCKS]
    found = await blocks.find({"about": {"$in": sorted(ids)}}, limit=_BLOCKS_AT_ONCE).to_list(None)
    for block in found:
        gone = ids.intersection(block["about"])
        events = [blanked(raw, gone) for raw in block["events"]]
        # A block that was blanked is no longer about them, so the search ends.
        await blocks.update_one(
            {"_id": block["_id"], "rewritten": block["rewritten"]},
            {"$set": {"events": events}, "$inc": {"rewritten": 1}, "$pullAll": {"about": sorted(gone)}},
        )
    if not found:
        await database[ERASED].update_many({"_id": {"$in": sorted(ids)}}, {"$set": {"pending": False}})
    return bool(found)
