"""Whether an outlet is held: what every courier of every worker asks before it lets anything out."""

from __future__ import annotations

import time
from typing import Final

import structlog
from pymongo.errors import PyMongoError

from services.notifications.domain.switchboard import THE_ONLY, Outlet, Switchboard
from shared.storage.driver import Database

_log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5


class Holding:
    """The switches as they stood half a second ago at the earliest; one is shared by a process's couriers."""

    def __init__(self, database: Database) -> None:
        self._switchboard = database[Switchboard.COLLECTION]
        self._held: frozenset[str] = frozenset()
        self._looked_at = float("-inf")

    async def is_held(self, outlet: Outlet) -> bool:
        """Whether nothing may go out there now; what is on its way already is brought to its end.

        While the database is away, as it was before.
        """
        if time.monotonic() - self._looked_at > LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            try:
                found = await self._switchboard.find_one({"_id": THE_ONLY}, {"held": 1})
                self._held = frozenset(found["held"] if found else ())
            except PyMongoError as error:
                _log.warning("switchboard_not_read", error=repr(error)[:300])
        return outlet.value in self._held
