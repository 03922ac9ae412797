"""Somebody's wishes have changed: what waits for their digests waits for the new ones."""

from __future__ import annotations

from typing import Final

from services.notifications.domain.recipients import partnership_key
from services.notifications.domain.wishes import NO_WISH, next_moment
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.make_digest import zone_for

AT_MOST: Final = 500
"""Messages that are moved; of more, the others come when they would have come."""


async def move_gathered(uow: NotificationsUnitOfWork, person: str) -> None:
    """Have what is gathered for them come when they wish it now; what they want to hear at once, now.

    The wishes of a desk are those of each seat at it that has none of its own. Whether they still want to
    hear of it at all is looked at when it is due. What waits for another reason waits as long as before.
    """
    seats = {
        seat.person
        for known in uow.desks.values()
        if partnership_key(known.id) == person
        for seat in known.seats
    }
    wishes = await uow.wishes.of(seats)
    current = await uow.wishes.that_hold_for(person)
    zone = zone_for(current)
    for message in await uow.notifications.gathered_by_wish(
        {person, *(seats - wishes.keys())}, limit=AT_MOST
    ):
        wish = current.of_kind(message.kind) if current else NO_WISH
        due_at = next_moment(uow.now, wish.pace, current.quiet if current else None, zone)
        message.wait_for(wish.pace, due_at)
