"""What lets messages out through one channel: none while it is held, and no more than its rate allows."""

from __future__ import annotations

from typing import Final, NamedTuple

from pymongo import ReturnDocument

from services.notifications.domain.switchboard import Outlet
from services.notifications.holding import Holding
from shared.storage.driver import Database

BURST_S: Final = 0.25
"""What a channel lets out at once after a rest: as much as its rate allows in this time."""
_LOOK_AGAIN_S: Final = 0.5


class Room(NamedTuple):
    """How many messages may go out now, and where it is none, in how many seconds to ask again."""

    messages: int
    again_in_s: float = 0.0


class Gate:
    """The gate of one outlet; whoever asks at all of them, in whatever process, shares its rate.

    per_second: messages of the whole installation; 0 for as many as there are.
    """

    def __init__(
        self, database: Database, outlet: Outlet, holding: Holding, *, per_second: float = 0
    ) -> None:
        self._outlet = outlet
        self._holding = holding
        self._rate = per_second
        self._burst = max(1.0, per_second * BURST_S)
        self._allowances = database["allowances"]

    async def is_shut(self) -> bool:
        """Whether it is held; what has been let out and is not on its way yet then turns back."""
        return await self._holding.is_held(self._outlet)

    async def ask(self, wanted: int) -> Room:
        """Room for so many messages or fewer, which counts as used; raises what the database raises."""
        if await self.is_shut():
            return Room(0, _LOOK_AGAIN_S)
        if not self._rate:
            return Room(wanted)
        # A token bucket, by the database's clock.
        elapsed_s = {
            "$divide": [{"$max": [0, {"$subtract": ["$$NOW", {"$ifNull": ["$at", "$$NOW"]}]}]}, 1000]
        }
        filled = {"$add": [{"$ifNull": ["$left", self._burst]}, {"$multiply": [self._rate, elapsed_s]}]}
        found = await self._allowances.find_one_and_update(
            {"_id": self._outlet.value},
            [
                {"$set": {"left": {"$min": [self._burst, filled]}, "at": "$$NOW"}},
                {"$set": {"granted": {"$min": [wanted, {"$floor": "$left"}]}}},
                {"$set": {"left": {"$subtract": ["$left", "$granted"]}}},
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert found is not None, "it is made where there is none"
        granted = int(found["granted"])
        return Room(granted) if granted else Room(0, (1 - found["left"]) / self._rate)

    async def give_back(self, unused: int) -> None:
        """So many messages were not there to use the room they were given."""
        if self._rate and unused:
            await self._allowances.update_one({"_id": self._outlet.value}, {"$inc": {"left": unused}})
