"""Tell everyone a fact concerns, once: through the channels and in the words the rule table says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from services.notifications.domain import recipients
from services.notifications.domain.deadlines import Deadline
from services.notifications.domain.fact import ToldFact, UndoneFacts, fact_key, latest, undone_ids
from services.notifications.domain.notification import Notification, notification_id
from services.notifications.domain.planning import Planned, persons, plan
from services.notifications.domain.recipients import Served
from services.notifications.domain.rules import Channel
from services.notifications.domain.suppression import Suppression, address_key
from services.notifications.domain.wishes import Wishes
from services.notifications.domain.wording import Wording
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.undo_facts import undo_facts
from shared.contracts.envelope import CloudEvent, Event
from shared.erasure import Erasure, without_data_of

_UNDATED: Final = datetime(1970, 1, 1, tzinfo=UTC)

_Place = tuple[str, int, Channel]
"""Whose inbox or which of its seats, and the channel: one message of a fact."""


async def notify(
    uow: NotificationsUnitOfWork, fact: CloudEvent, event: Event, *, reminds_of: Deadline | None = None
) -> list[Notification]:
    """Make the notifications of an event and return the new ones.

    `reminds_of` where it is no news: the deadline says who is told then, and in which words.

    A fact that was told before, by whatever delivery of the event or by another event that says the same,
    is not told again. One that undoes others cancels what waits of them, and corrects only whoever has
    heard of them. An organisation whose data were erased is not told, and not named to others, however
    late the event.
    """
    undoing = None if reminds_of else uow.rules.undoing(event)
    served = recipients.serve(
        event, reminds_of.rules if reminds_of else uow.rules.rules_for(event.TYPE), uow.desks
    )
    if not served and undoing is None:
        return []

    at = fact.time or uow.now
    key = fact_key(fact, event)
    near = ToldFact.ids_near(key, at)
    about, matter = recipients.about(event), recipients.matter(event)
    undoable = undone_ids(about, matter) if uow.rules.may_be_undone(fact.type) else ()
    named, people = recipients.registrations(event), persons(served)
    ids = _ids(fact, served)
    addresses = [seat.address for recipient, _ in served for seat in recipient.seats]
    await uow.prefetch(
        (ToldFact, near),
        (Notification, ids.values()),
        (UndoneFacts, undoable),
        (Wishes, people),
        (Suppression, map(address_key, addresses)),
        (Erasure, named),
    )
    undone = latest(await uow.undone_facts.get_all(undoable), fact.type)
    told = await uow.told_facts.get_all(near)
    if any(one.is_same(at, undone.at if undone else None) for one in told) or await uow.notifications.get_all(
        ids.values()
    ):
        return []
    spared = await undo_facts(uow, fact, event, undoing, at=at) if undoing else {}
    # At hand, and asked for last: who was erased meanwhile in this unit of work is not told.
    suppressed = await uow.suppressions.why_skipped(addresses)
    wishes, erased = await uow.wishes.of(people), await uow.erasures.among(named)
    if not served:
        return []

    event = without_data_of(event, erased)
    link = uow.rules.links[reminds_of.link] if reminds_of else uow.rules.link_for(event.TYPE)
    kind = uow.rules.kind_for(event.TYPE)
    planned = [
        one
        for one in plan(
            served,
            kind=kind,
            wishes=wishes,
            at=uow.now,
            chats=uow.chats,
            suppressed=suppressed,
            spared=spared,
        )
        if (isinstance(one, Planned) or one.recorded) and not one.recipient.is_of(erased)
    ]
    # All words first: a template that fails must not leave half the recipients told.
    wordings: dict[tuple[str, str], Wording] = {}
    for one in planned:
        reader = (one.recipient.key, one.language)
        if reader not in wordings:
            wordings[reader] = uow.words.word(
                one.rule.template,
                event,
                one.recipient,
                about=about,
                link=link,
                why=one.rule.why,
                language=one.language,
            )
    case, case_name = recipients.case(event), recipients.case_name(event)
    partnerships = recipients.partnerships(event)
    made = [
        Notification.make(
            one,
            wordings[one.recipient.key, one.language],
            id=ids.get(place := (one.recipient.key, one.seat, one.channel)) or _id(fact, *place),
            fact_id=fact.id,
            fact_type=fact.type,
            fact_key=key,
            about=about,
            matter=matter,
            case=case,
            case_name=case_name,
            asks=one.rule.asks or reminds_of is not None,
            correlation_id=fact.correlationid or fact.id,
            partnerships=partnerships,
            mentions=[id for id in recipients.mentioned(event, one.recipient, named) if id != about],
            at=uow.now,
        )
        for one in planned
    ]
    for notification in made:
        if undone is not None and undone.holds_for(fact, at) and notification.waits:
            notification.cancel(f"It was undone by {undone.by} before it was heard of here.")
        uow.notifications.add(notification)
    if (known := await uow.told_facts.find(near[0])) is None:
        uow.told_facts.add(ToldFact.of(near[0], fact, at))
    else:
        known.happen_again(fact, at)
    return made


def _ids(fact: CloudEvent, served: Sequence[Served]) -> dict[_Place, str]:
    """Those of the messages that there are unless somebody wishes otherwise."""
    places: list[_Place] = []
    for recipient, rule in served:
        if Channel.INBOX in rule.channels:
            places.append((recipient.key, 0, Channel.INBOX))
        if Channel.EMAIL in rule.channels:
            places += [(recipient.key, seat, Channel.EMAIL) for seat in range(len(recipient.seats))]
    return {place: _id(fact, *place) for place in places}


def _id(fact: CloudEvent, key: str, seat: int, channel: Channel) -> str:
    return notification_id(fact.id, fact.time or _UNDATED, key, seat, channel)
