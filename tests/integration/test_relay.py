"""The relay on real Kafka and MongoDB: nothing is deleted that the broker has not, and order holds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer

from ops.topics import apply_topics
from shared.messaging import topics
from shared.messaging.relay import Relay
from shared.settings import KafkaSettings
from shared.storage.driver import Database, close, connect
from shared.storage.lease import LEASES
from shared.storage.store import OUTBOX, prepare_database
from shared.storage.transactions import Transactions
from tests.builders import a_host_party, an_approved_match
from tests.conftest import Servers
from tests.tally import Tally, TallyUnitOfWork

pytestmark = pytest.mark.integration

HOSTS = ("host-a", "host-b", "host-c")


@pytest.fixture
async def store(mongo_url: str, database: str) -> AsyncIterator[Database]:
    client = connect(mongo_url)
    await prepare_database(client[database])
    yield client[database]
    await close(client)


@pytest.fixture
async def kafka(kafka_bootstrap: str) -> KafkaSettings:
    await apply_topics(kafka_bootstrap, topics=[topics.Topic(topics.events("funding"), 6)])
    return KafkaSettings(bootstrap=kafka_bootstrap)


async def change(store: Database, prefix: str, times: int) -> list[str]:
    """Count matches in three tallies, one transaction each; returns the match ids."""
    transactions = Transactions(store.client, store, TallyUnitOfWork)
    ids = []
    for number in range(times):
        match_id = f"{prefix}-{number}"
        host = f"{prefix}-{HOSTS[number % len(HOSTS)]}"

        async def work(uow: TallyUnitOfWork, host: str = host, match_id: str = match_id) -> None:
            tally = await uow.tallies.find(host)
            if tally is None:
                tally = Tally(id=host)
                uow.tallies.add(tally)
            tally.count(an_approved_match(match_id, host=a_host_party(host)))

        await transactions.run(work)
        ids.append(match_id)
    return ids


@contextlib.asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    task = asyncio.create_task(relay.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        relay.wake()
        await task


async def eventually(condition: Callable[[], Awaitable[bool]], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


async def published(kafka: KafkaSettings, prefix: str) -> list[dict[str, Any]]:
    """Everything in the topic about this test's tallies, each partition in its order."""
    consumer = AIOKafkaConsumer(
        topics.events("funding"), **kafka.client_options(), auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found = []
        for partition, end in ends.items():
            while await consumer.position(partition) < end:
                for records in (await consumer.getmany(partition, timeout_ms=500)).values():
                    found += [orjson.loads(record.value) for record in records]
        return [event for event in found if event["subject"].startswith(prefix)]
    finally:
        await consumer.stop()


async def is_empty(store: Database) -> bool:
    return await store[OUTBOX].count_documents({}) == 0


async def test_every_event_is_published_in_the_order_of_its_key_and_the_outbox_is_empty_after(
    store: Database, kafka: KafkaSettings, unique: Callable[[str], str]
) -> None:
    prefix = unique("order")
    async with running(Relay("funding", store, kafka)):
        ids = await change(store, prefix, 30)
        await eventually(lambda: is_empty(store))
    events = await published(kafka, prefix)
    assert sorted(event["data"]["match_id"] for event in events) == sorted(ids)
    for host in HOSTS:
        sequences = [int(event["sequence"]) for event in events if event["subject"] == f"{prefix}-{host}"]
        assert sequences == list(range(1, 11))


async def test_while_kafka_is_away_nothing_is_lost_and_when_it_is_back_all_goes_out(
    servers: Servers, store: Database, kafka: KafkaSettings, unique: Callable[[str], str]
) -> None:
    prefix = unique("outage")
    relay = Relay("funding", store, kafka)
    async with running(relay):
        await change(store, prefix, 3)
        await eventually(lambda: is_empty(store))
        await asyncio.to_thread(servers.kill, "kafka")
        try:
            await change(store, prefix + "-later", 6)
            assert await store[OUTBOX].count_documents({}) > 0
        finally:
            await asyncio.to_thread(servers.start, "kafka")
        await eventually(lambda: is_empty(store))
    ids = {event["data"]["match_id"] for event in await published(kafka, prefix)}
    assert len(ids) == 9


async def test_of_two_relays_one_is_active_and_the_other_takes_over_when_it_is_gone(
    store: Database, kafka: KafkaSettings, unique: Callable[[str], str]
) -> None:
    prefix = unique("lease")
    first, second = Relay("funding", store, kafka), Relay("funding", store, kafka)

    async def owner() -> Any:
        lease = await store[LEASES].find_one({"_id": "relay"})
        return lease and lease["owner"]

    async def owned() -> bool:
        return await owner() is not None

    async with running(second):
        await eventually(owned)
        holder = await owner()
        async with running(first):
            await change(store, prefix, 3)
            await eventually(lambda: is_empty(store))
            assert await owner() == holder
    async with running(first):
        await change(store, prefix + "-b", 3)
        await eventually(lambda: is_empty(store))
        assert await owner() not in (None, holder)
    assert len(await published(kafka, prefix)) == 6
