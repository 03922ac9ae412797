"""The feed on real Kafka and MongoDB: every event numbered once, whatever dies, and for whom it concerns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from services.registration.domain.feed import GAP
from services.registration.feed.builder import FeedBuilder
from services.registration.feed.erasure import erase_from_feed
from services.registration.feed.pages import BLOCKS, PAGES, prepare_feed, read_feed
from services.registration.feed.writer import BLOCK_EVENTS, FeedWriter
from shared.contracts.common import ERASED, Party
from shared.contracts.envelope import CloudEvent, Event, new_id
from shared.contracts.registration import RegistrationErased, RegistrationWithdrawn
from shared.messaging.message import Message
from shared.scopes import EVERYTHING, WITHHELD, scope_of_partnership
from shared.settings import KafkaSettings
from shared.storage.driver import Database, close, connect
from shared.storage.store import ConcurrentChange
from tests.builders import a_host_party, a_message, a_party, an_approved_match, an_envelope
from tests.conftest import MakeTopic

pytestmark = pytest.mark.integration

Numbered = list[tuple[int, dict[str, Any]]]


@pytest.fixture
async def store(mongo_url: str, database: str) -> AsyncIterator[Database]:
    client = connect(mongo_url)
    await prepare_feed(client[database])
    yield client[database]
    await close(client)


def a_withdrawal(party: Party, reason: str = "No time this year.") -> CloudEvent:
    return an_envelope(
        RegistrationWithdrawn(party=party, reason=reason),
        service="registration",
        subject=party.registration_id,
    )


def a_match(visitor: Party, host: Party) -> CloudEvent:
    return of_matching(an_approved_match(visitor=visitor, host=host))


def of_matching(event: Event) -> CloudEvent:
    return an_envelope(event, service="matching", subject=new_id())


def messages(events: Sequence[CloudEvent], *, first_offset: int = 0, topic: str = "t") -> list[Message]:
    return [a_message(event, topic=topic, offset=offset) for offset, event in enumerate(events, first_offset)]


async def everything(store: Database, scope: str = EVERYTHING, limit: int = 1000) -> Numbered:
    """The whole feed of a scope as a reader gets it, page after page."""
    found: Numbered = []
    while True:
        after = found[-1][0] if found else 0
        reading = await read_feed(store, scope, after=after, limit=limit)
        found += [(number, orjson.loads(raw)) for number, raw in reading.items]
        if not reading.items:
            assert reading.last == after
            return found


def numbers(feed: Numbered) -> list[int]:
    return [number for number, _ in feed]


def ids(feed: Numbered) -> list[str]:
    return [event["id"] for _, event in feed]


# ── numbering ────────────────────────────────────────────────────────────────────────────────


async def test_every_scope_has_its_own_numbers_without_holes(store: Database) -> None:
    lisbon = a_party(source="/sample/crm")
    milan = a_host_party(partnership="woolclub")
    events = [a_withdrawal(lisbon), a_withdrawal(milan), a_match(lisbon, milan)] * 200
    events = [event.model_copy(update={"id": new_id()}) for event in events]
    writer = await FeedWriter.open(store)
    for first in range(0, len(events), 150):
        await writer.write(messages(events[first : first + 150], first_offset=first))

    for scope, chosen in (
        (EVERYTHING, events),
        ("partnership:hempclub", [event for at, event in enumerate(events) if at % 3 != 1]),
        ("partnership:woolclub", [event for at, event in enumerate(events) if at % 3 != 0]),
        ("source:/sample/crm", [event for at, event in enumerate(events) if at % 3 != 1]),
        ("partnership:solarclub", []),
    ):
        for limit in (1000, 37):
            feed = await everything(store, scope, limit)
            assert numbers(feed) == list(range(1, len(chosen) + 1))
            assert ids(feed) == [event.id for event in chosen]


async def test_what_a_relay_published_twice_has_one_number_also_after_a_restart(store: Database) -> None:
    events = [a_withdrawal(a_party()) for _ in range(BLOCK_EVENTS + 10)]
    await (await FeedWriter.open(store)).write(messages(events + events[:5]))
    again = await FeedWriter.open(store)
    more = a_withdrawal(a_party())
    await again.write(messages([*events, more, more], first_offset=1000))

    assert ids(await everything(store)) == [event.id for event in (*events, more)]
    assert again.offsets == {("t", 0): 1000 + len(events) + 2}


async def test_of_two_that_write_at_once_one_gives_way_and_no_number_is_given_twice(store: Database) -> None:
    first, second = await FeedWriter.open(store), await FeedWriter.open(store)
    events = [a_withdrawal(a_party()) for _ in range(3)]
    await first.write(messages(events[:2]))
    with pytest.raises(ConcurrentChange):
        await second.write(messages(events[:2]))
    await (await FeedWriter.open(store)).write(messages(events[2:], first_offset=2))

    feed = await everything(store)
    assert numbers(feed) == [1, 2, 3]
    assert ids(feed) == [event.id for event in events]


async def test_a_message_that_is_no_event_is_passed_over(store: Database) -> None:
    good = a_withdrawal(a_party())
    broken = [b"not json", b"[]", b'{"id": 1, "type": "x", "data": {}}', None]
    writer = await FeedWriter.open(store)
    await writer.write([a_message(one, topic="t", offset=at) for at, one in enumerate((*broken, good))])
    assert ids(await everything(store)) == [good.id]
    assert writer.offsets == {("t", 0): 5}


# ── built from Kafka ─────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def building(store: Database, bootstrap: str, *topics: str) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    builder = FeedBuilder(store, KafkaSettings(bootstrap=bootstrap), event_topics=topics)
    task = asyncio.create_task(builder.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


async def publish(bootstrap: str, topic: str, events: Sequence[CloudEvent]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        sent = [
            await producer.send(topic, event.to_json(), key=(event.subject or "").encode())
            for event in events
        ]
        await asyncio.gather(*sent)


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


async def holds(store: Database, count: int) -> bool:
    return (await read_feed(store, EVERYTHING, after=0, limit=1)).last >= count


async def test_the_events_of_all_topics_come_into_the_feed_and_it_goes_on_where_it_was(
    store: Database, kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    one, other = await make_topic("events"), await make_topic("events")
    events = [a_withdrawal(a_party()) for _ in range(400)]
    for first in (0, 200):
        await publish(kafka_bootstrap, one, events[first : first + 100])
        async with building(store, kafka_bootstrap, one, other):
            await publish(kafka_bootstrap, other, events[first + 100 : first + 200])
            await until(lambda first=first: holds(store, first + 200))  # type: ignore[misc]

    feed = await everything(store)
    assert numbers(feed) == list(range(1, 401))
    assert sorted(ids(feed)) == sorted(event.id for event in events)


async def test_a_builder_that_is_killed_again_and_again_gives_every_event_one_number(
    store: Database, database: str, mongo_url: str, kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("events", partitions=6)
    parties = [a_party(partnership=f"club-{at % 3}") for at in range(60)]
    events = [a_withdrawal(parties[at % 60]) for at in range(6000)]
    program = (
        "import asyncio, sys\n"
        "from services.registration.feed.builder import FeedBuilder\n"
        "from shared.settings import KafkaSettings\n"
        "from shared.storage.driver import connect\n"
        "from shared.storage import lease\n"
        "lease.LEASE_S = 0.5\n"  # so that two of them are at work at once
        "async def main():\n"
        "    mongo, name, kafka, topic = sys.argv[1:]\n"
        "    database, settings = connect(mongo)[name], KafkaSettings(bootstrap=kafka)\n"
        "    await FeedBuilder(database, settings, event_topics=[topic]).run(asyncio.Event())\n"
        "asyncio.run(main())\n"
    )

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", program, mongo_url, database, kafka_bootstrap, topic])

    publishing = asyncio.create_task(_slowly(kafka_bootstrap, topic, events))
    builders = [start(), start()]
    try:
        for kill in range(8):
            before = (await read_feed(store, EVERYTHING, after=0, limit=1)).last
            await until(lambda before=before: holds(store, min(before + 1, len(events))))  # type: ignore[misc]
            os.kill(builders[kill % 2].pid, signal.SIGKILL)
            builders[kill % 2].wait()
            builders[kill % 2] = start()
        await publishing
        await until(lambda: holds(store, len(events)), within_s=120)
    finally:
        publishing.cancel()
        for builder in builders:
            builder.kill()
            builder.wait()

    feed = await everything(store)
    assert numbers(feed) == list(range(1, len(events) + 1))
    assert sorted(ids(feed)) == sorted(event.id for event in events)
    for party in parties[:3]:
        scope = scope_of_partnership(party.partnership or "")
        own = await everything(store, scope)
        assert numbers(own) == list(range(1, len(own) + 1))
        assert ids(own) == [
            event["id"] for _, event in feed if event["data"]["party"]["partnership"] == party.partnership
        ]


async def _slowly(bootstrap: str, topic: str, events: Sequence[CloudEvent]) -> None:
    for first in range(0, len(events), 300):
        await publish(bootstrap, topic, events[first : first + 300])
        await asyncio.sleep(0.5)


async def test_events_that_were_gone_before_they_were_read_are_said_to_be_missing(
    store: Database, kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("events", partitions=1)
    events = [a_withdrawal(a_party()) for _ in range(30)]
    await publish(kafka_bootstrap, topic, events[:10])
    async with building(store, kafka_bootstrap, topic):
        await until(lambda: holds(store, 10))
    await publish(kafka_bootstrap, topic, events[10:20])
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=15)})
    await admin.close()
    late = a_withdrawal(a_party(partnership="woolclub"))
    async with building(store, kafka_bootstrap, topic):
        await until(lambda: holds(store, 16))
        await publish(kafka_bootstrap, topic, [late])
        await until(lambda: holds(store, 17))

    feed = await everything(store)
    gap = feed[10][1]
    assert gap["type"] == GAP
    assert gap["data"] == {"topic": topic, "partition": 0, "first_offset": 10, "next_offset": 15}
    assert ids(feed) == [event.id for event in (*events[:10], *events[15:20], late)][:10] + [gap["id"]] + [
        event.id for event in (*events[15:20], late)
    ]
    assert (await everything(store, "partnership:hempclub"))[10][1] == gap
    # Nobody knows whom the lost ones concerned: a scope that begins later is told as well.
    assert ids(await everything(store, "partnership:woolclub")) == [gap["id"], late.id]


async def test_offsets_beyond_the_end_of_a_topic_that_was_made_anew_are_a_gap_too(
    store: Database, kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("events", partitions=1)
    old, new = a_withdrawal(a_party()), a_withdrawal(a_party())
    await (await FeedWriter.open(store)).write([a_message(old, topic=topic, offset=500)])
    async with building(store, kafka_bootstrap, topic):
        await publish(kafka_bootstrap, topic, [new])
        await until(lambda: holds(store, 3))
    assert [event["type"] for _, event in await everything(store)] == [old.type, GAP, new.type]


# ── erasure ──────────────────────────────────────────────────────────────────────────────────


def an_erasure(party: Party) -> CloudEvent:
    event = RegistrationErased(party=party.erased(), on_behalf_of="organisation")
    return an_envelope(event, service="registration", subject=party.registration_id)


async def test_an_erasure_reaches_what_was_stored_before_and_what_comes_in_late(
    store: Database, kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("events", partitions=1)
    gone, stays = a_party(source="/sample/crm"), a_host_party()
    early = [a_withdrawal(gone, "Tagus Fibre Works (sample) moves away."), a_match(gone, stays)]
    await publish(kafka_bootstrap, topic, [*early, a_withdrawal(stays)])
    async with building(store, kafka_bootstrap, topic):
        await until(lambda: holds(store, 3))
        await publish(kafka_bootstrap, topic, [an_erasure(gone), a_match(gone, stays)])
        await until(lambda: holds(store, 5))

        async def blanked() -> bool:
            return await store[BLOCKS].count_documents({"about": gone.registration_id}) == 0

        await until(blanked)
    feed = await everything(store)
    said = orjson.dumps(feed).decode()
    for word in ("Tagus", "office@tagus-fibre.example", "Lisbon", f"pic:{gone.registration_id}"):
        assert word not in said
    assert said.count("Navigli") == 3
    assert numbers(feed) == [1, 2, 3, 4, 5]
    assert [event["id"] for _, event in feed[:2]] == [event.id for event in early]
    assert feed[0][1]["data"]["party"]["organisation"] == ERASED
    assert feed[0][1]["data"]["party"]["place"]["country"] == "PT"
    assert ids(await everything(store, "source:/sample/crm")) == ids([feed[at] for at in (0, 1, 3, 4)])


async def test_a_builder_in_the_middle_of_a_batch_learns_of_an_erasure(store: Database) -> None:
    gone = a_party()
    writer = await FeedWriter.open(store)
    await writer.write(messages([a_withdrawal(gone)]))
    await erase_from_feed(store, gone.registration_id)
    late = messages([a_withdrawal(gone)], first_offset=1)
    with pytest.raises(ConcurrentChange):
        await writer.write(late)
    await (await FeedWriter.open(store)).write(late)
    assert "Tagus" not in orjson.dumps(await everything(store)).decode()
    assert await store[PAGES].count_documents({"scope": EVERYTHING}) == 2


# ── what readers see ─────────────────────────────────────────────────────────────────────────


async def test_a_reader_sees_addresses_and_identifiers_of_its_own_cases_only(store: Database) -> None:
    visitor = a_party(source="/sample/crm")
    host = a_host_party(partnership="woolclub", source="/sample/portal")
    await (await FeedWriter.open(store)).write(messages([a_match(visitor, host)]))

    async def seen_in(scope: str) -> tuple[str, str]:
        [(_, event)] = await everything(store, scope)
        return event["data"]["visitor"]["email"], event["data"]["host"]["email"]

    assert await seen_in(EVERYTHING) == (visitor.email, host.email)
    for scope in ("source:/sample/crm", "partnership:hempclub"):
        assert await seen_in(scope) == (visitor.email, WITHHELD)
    for scope in ("source:/sample/portal", "partnership:woolclub"):
        assert await seen_in(scope) == (WITHHELD, host.email)
