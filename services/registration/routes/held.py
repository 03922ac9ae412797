"""All that this service holds about a registration."""

from __future__ import annotations

from services.registration.bootstrap import Registering
from services.registration.feed.pages import count_events_about
from services.registration.use_cases.tell_what_is_held import tell_what_is_held
from shared.held import UNTIL_ERASED, Kind, held_router
from shared.security import Caller


async def _tell(registering: Registering, id: str, caller: Caller) -> list[Kind]:
    kinds = await registering.transactions.read(lambda uow: tell_what_is_held(uow, id, by=caller))
    events = await count_events_about(registering.database, id)
    feed = Kind(
        name="feed",
        what="How many events in the feed for outside systems name it: screenings, decisions, matches, "
        "grants and mails, from which those systems learn what became of what they sent.",
        kept=f"The events stay, the data in them do not. {UNTIL_ERASED}",
        documents=[{"events": events}] if events else [],
    )
    return [*kinds, feed]


router = held_router("registration", _tell)
