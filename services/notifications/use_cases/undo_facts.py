"""Facts do not hold any more: what waits to be said of them is not sent."""

from __future__ import annotations

from datetime import datetime

from services.notifications.domain import recipients
from services.notifications.domain.digest import Mailbox
from services.notifications.domain.fact import UndoneFacts, undone_ids
from services.notifications.domain.rules import Undoing
from services.notifications.repositories import NotificationsUnitOfWork
from shared.contracts.envelope import CloudEvent, Event


async def undo_facts(
    uow: NotificationsUnitOfWork, fact: CloudEvent, event: Event, undoing: Undoing, *, at: datetime
) -> dict[Mailbox, datetime]:
    """Cancel what the event undoes and has not gone out; who has not heard of it, with since when it waited.

    What a courier has in its hands, or has tried, counts as heard. What of it comes later still finds that
    it is undone.
    """
    about, matter = recipients.about(event), recipients.matter(event)
    types = undoing.undone | undoing.overtaken
    cancelled: dict[Mailbox, datetime] = {}
    heard: set[Mailbox] = set()
    for message in await uow.notifications.on_the_way_about(about, matter, types, at):
        whose = Mailbox(message.person, message.channel, message.address)
        if message.fact_type in undoing.undone and message.may_have_arrived:
            heard.add(whose)
        elif message.fact_type in undoing.undone:
            cancelled[whose] = min(cancelled.get(whose, message.created_at), message.created_at)
        if message.waits:
            message.cancel(f"It was undone by {event.TYPE} before it went out.")
    if cancelled:
        heard |= await uow.notifications.heard_of(about, matter, undoing.undone, at)

    id = undone_ids(about, matter)[-1]
    facts = await uow.undone_facts.find(id)
    if facts is None:
        facts = UndoneFacts(id=id)
        uow.undone_facts.add(facts)
    facts.note(types, at, fact)
    return {whose: since for whose, since in cancelled.items() if whose not in heard}
