"""A fact told once, whatever is redelivered; and what its recipients may do with it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from pydantic import TypeAdapter

from services.notifications.domain.notification import (
    Moment,
    Notification,
    NotificationState,
    NotInTheInbox,
    moment_text,
    notification_id,
)
from services.notifications.domain.rules import Channel
from services.notifications.domain.searches import InboxSearch, LogSearch
from services.notifications.handlers import handlers
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.notify import notify
from services.notifications.use_cases.read_notification import read_notification
from shared.contracts.examples import golden_examples
from shared.contracts.matching import MatchApproved
from shared.contracts.types import EventType
from shared.errors import NotFound
from shared.messaging.consumer import BatchConsumer
from shared.messaging.topics import events
from shared.storage.store import INBOX, OUTBOX
from shared.storage.transactions import Transactions
from tests.builders import A_MOMENT, a_message, an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples

AT = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)


@pytest.fixture
def transactions() -> MemoryTransactions[NotificationsUnitOfWork]:
    return MemoryTransactions(samples.open_unit)


def stored(transactions: MemoryTransactions[NotificationsUnitOfWork]) -> dict[str, Notification]:
    documents = transactions.database[Notification.COLLECTION]
    return {id: Notification.from_document(document) for id, document in documents.items()}


async def test_a_fact_delivered_twice_is_told_once(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    approved = samples.a_match(MatchApproved)
    fact = an_envelope(approved, service="matching", subject="m-1")
    made = await transactions.run(lambda uow: notify(uow, fact, approved))
    first = stored(transactions)
    assert len(made) == len(first) == 6

    assert await transactions.run(lambda uow: notify(uow, fact, approved)) == []
    assert stored(transactions) == first


async def test_the_same_fact_an_hour_later_is_told_again(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    approved = samples.a_match(MatchApproved)
    for hours in range(2):
        once = an_envelope(approved, service="matching", subject="m-1")
        fact = once.model_copy(update={"time": A_MOMENT + timedelta(hours=hours)})
        await transactions.run(lambda uow, fact=fact: notify(uow, fact, approved))  # type: ignore[misc]
    assert len(stored(transactions)) == 12


async def test_facts_of_one_batch_share_a_unit_of_work(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    event = samples.an_acceptance()
    facts = [an_envelope(event, service="registration", subject=f"r-{n}") for n in range(20)]

    async def batch(uow: NotificationsUnitOfWork) -> None:
        await asyncio.gather(*(notify(uow, fact, event) for fact in facts))

    await transactions.run(batch)
    assert len(stored(transactions)) == 40


async def test_a_mail_waits_and_an_inbox_entry_is_there_at_once(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    event = samples.an_acceptance()
    fact = an_envelope(event, service="registration", subject="r-visitor")
    await transactions.run(lambda uow: notify(uow, fact, event))
    by_channel = {notification.channel: notification for notification in stored(transactions).values()}
    mail, entry = by_channel[Channel.EMAIL], by_channel[Channel.INBOX]
    assert (mail.state, mail.address) == (NotificationState.PENDING, samples.VISITOR.email)
    assert mail.due_at == mail.created_at
    assert (entry.state, entry.address, entry.due_at) == (NotificationState.SENT, None, None)
    assert mail.about == "r-visitor"
    assert mail.correlation_id == fact.correlationid
    assert mail.partnerships == ["hempclub"]


async def test_an_entry_is_read_once_and_only_in_ones_own_inbox(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    event = samples.an_acceptance()
    fact = an_envelope(event, service="registration", subject="r-visitor")
    made = await transactions.run(lambda uow: notify(uow, fact, event))
    entry = next(one for one in made if one.channel is Channel.INBOX)
    mail = next(one for one in made if one.channel is Channel.EMAIL)

    with pytest.raises(NotFound):
        await transactions.run(lambda uow: read_notification(uow, entry.id, key="organisation:another"))
    with pytest.raises(NotInTheInbox):
        await transactions.run(lambda uow: read_notification(uow, mail.id, key=mail.recipient_key))
    first = await transactions.run(lambda uow: read_notification(uow, entry.id, key=entry.recipient_key))
    again = await transactions.run(lambda uow: read_notification(uow, entry.id, key=entry.recipient_key))
    assert first.read_at is not None
    assert again.read_at == first.read_at

    unread = await transactions.read(
        lambda uow: uow.notifications.inbox(
            InboxSearch(entry.recipient_key, unread=True), limit=10, after=None
        )
    )
    assert unread == []


async def test_the_log_is_the_partnerships_own_and_is_paged_newest_fact_first(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    for hours, party in enumerate((samples.VISITOR, samples.HOST, samples.VISITOR)):
        event = samples.an_acceptance(party=party)
        once = an_envelope(event, service="registration", subject=party.registration_id)
        fact = once.model_copy(update={"time": A_MOMENT + timedelta(hours=hours)})
        await transactions.run(lambda uow, fact=fact, event=event: notify(uow, fact, event))  # type: ignore[misc]

    async def page(partnership: str | None, after: str | None = None) -> list[Notification]:
        return await transactions.read(
            lambda uow: uow.notifications.log(LogSearch(partnership), limit=3, after=after)
        )

    first = await page(None)
    rest = await page(None, first[-1].id)
    ids = [notification.id for notification in first + rest]
    assert len(ids) == 6
    assert ids == sorted(ids, reverse=True)
    assert {notification.about for notification in await page("sampletex")} == {"r-host"}


def test_an_id_is_the_same_for_the_same_message_and_in_the_order_of_facts() -> None:
    one = notification_id("f-1", AT, "organisation:a", 0, Channel.EMAIL)
    assert one == notification_id("f-1", AT, "organisation:a", 0, Channel.EMAIL)
    others = {
        notification_id("f-2", AT, "organisation:a", 0, Channel.EMAIL),
        notification_id("f-1", AT, "organisation:b", 0, Channel.EMAIL),
        notification_id("f-1", AT, "organisation:a", 1, Channel.EMAIL),
        notification_id("f-1", AT, "organisation:a", 0, Channel.INBOX),
    }
    assert len(others | {one}) == 5
    assert one[14] == "8"
    later = notification_id("f-1", AT + timedelta(milliseconds=1), "organisation:a", 0, Channel.EMAIL)
    assert later > max(others | {one})


def test_moments_sort_as_text() -> None:
    moments = [
        AT,
        AT + timedelta(microseconds=1),
        AT + timedelta(milliseconds=500),
        AT + timedelta(seconds=1),
    ]
    texts = [moment_text(moment) for moment in moments]
    assert texts == sorted(texts)
    assert [TypeAdapter(Moment).validate_python(text) for text in texts] == moments


async def test_every_golden_example_is_told_once_through_the_consumer_however_often_it_comes(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    consumer = BatchConsumer(handlers, cast("Transactions[NotificationsUnitOfWork]", transactions))
    # Its erasure would silence the organisation that all the examples are of.
    told_of = set(handlers.types) - {EventType.REGISTRATION_ERASED}
    examples = [event for event in golden_examples().values() if event["type"] in told_of]
    assert {event["type"] for event in examples} == told_of
    messages = [
        a_message(event, topic=events(event["source"].rpartition("/")[2]), offset=offset)
        for offset, event in enumerate(examples)
    ]
    await consumer.consume(messages)
    first = stored(transactions)
    # The examples' partnership accepts by itself: its acceptance says what the screenings would.
    said_already = {EventType.REGISTRATION_SCREENED, EventType.REGISTRATION_AMENDED}
    told = set(samples.RULES.events) & told_of - said_already
    assert {notification.fact_type for notification in first.values()} == told
    assert not transactions.database[OUTBOX], "set aside"
    await consumer.consume([message._replace(offset=message.offset + 100) for message in messages])
    transactions.database[INBOX].clear()
    await consumer.consume(messages)
    assert stored(transactions) == first
