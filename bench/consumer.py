"""One service's consumer against its peers: the same events, the same effects, three ways to deliver them.

Every side consumes the same CloudEvents from Kafka and lets each take effect exactly once in MongoDB:
validate, look the id up in the inbox, update an aggregate, write its event to the outbox and the id to
the inbox. What differs is how messages come to the handler:

- `worker`: this project's, a Faust worker with its intake, lanes and batches;
- `faststream`: FastStream's batch subscriber, which hands its batches to the same transaction;
- `single`: one transaction a message, as a consumer is usually written.

Run: `make bench`, or `python bench/consumer.py [--events N] [--single-events N] [--rounds R]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import MongoClient

from ops.platform import Platform, Ports
from ops.topics import apply_topics
from shared.messaging import topics
from shared.messaging.consumer import BatchConsumer
from shared.messaging.message import Message
from shared.settings import ServiceSettings
from shared.storage.driver import Client, Database, close, connect
from shared.storage.lease import LEASES
from shared.storage.store import INBOX, OUTBOX, prepare_database
from shared.storage.transactions import Transactions
from tests.builders import a_host_party, a_party, an_approved_match, an_envelope
from tests.tally import TallyUnitOfWork, handlers

SIDES = ("worker", "faststream", "single")
Run = dict[str, float]


class BenchSettings(ServiceSettings):
    """Settings of a side's process, from the environment the benchmark gives it."""

    service: ClassVar[topics.ServiceName] = "funding"

    @property
    def database(self) -> str:
        return os.environ["CXC_BENCH_RUN"]

    @property
    def source(self) -> str:
        """The topic of this run alone."""
        return topic_of(self.database)


def topic_of(run: str) -> str:
    """The topic a run consumes."""
    return f"cxc.bench.{run}"


class Root:
    """The tally service put together."""

    def __init__(self, settings: BenchSettings, client: Client, database: Database) -> None:
        self.settings = settings
        self.client = client
        self.database = database
        self.transactions = Transactions(client, database, TallyUnitOfWork)

    async def close(self) -> None:
        await close(self.client)


async def bootstrap(settings: BenchSettings) -> Root:
    client = connect(settings.mongo_url.get_secret_value(), settings.mongo_driver)
    database = client[settings.database]
    await prepare_database(database)
    return Root(settings, client, database)


# ── the sides, each in a process of its own ──────────────────────────────────────────────────


def run_worker() -> None:
    """This project's worker."""
    from faust.worker import Worker

    from shared.messaging.worker import create_worker

    settings = BenchSettings.load()
    app = create_worker(settings, handlers, lambda: bootstrap(settings), sources=[settings.source])
    app.conf.web_enabled = False
    Worker(app, loglevel="warning", quiet=True).execute_from_commandline()


def run_faststream() -> None:
    """FastStream's batch subscriber around the same transaction."""
    from faststream import AckPolicy, FastStream
    from faststream.kafka import KafkaBroker
    from faststream.kafka.annotations import KafkaMessage

    settings = BenchSettings.load()
    broker = KafkaBroker(settings.kafka.bootstrap)

    async def raw(message: Any) -> Any:
        return message.raw_message

    consumer: BatchConsumer[TallyUnitOfWork] | None = None

    subscriber: Any = broker.subscriber(
        settings.source,
        group_id="bench",
        batch=True,
        max_records=settings.batch_size,
        batch_timeout_ms=settings.linger_ms,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK,
        decoder=raw,
    )

    async def consume(message: KafkaMessage) -> None:
        assert consumer is not None
        records: Any = message.raw_message
        await consumer.consume([Message.of(record) for record in records])

    subscriber(consume)

    async def main() -> None:
        nonlocal consumer
        root = await bootstrap(settings)
        consumer = BatchConsumer(handlers, root.transactions)
        await FastStream(broker).run()

    asyncio.run(main())


def run_single() -> None:
    """One transaction, and one commit of its offset, a message."""

    async def main() -> None:
        settings = BenchSettings.load()
        consumer = BatchConsumer(handlers, (await bootstrap(settings)).transactions)
        kafka = AIOKafkaConsumer(
            settings.source,
            **settings.kafka.client_options(),
            group_id="bench",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await kafka.start()
        async for record in kafka:
            await consumer.consume([Message.of(record)])
            await kafka.commit()

    asyncio.run(main())


# ── the benchmark ────────────────────────────────────────────────────────────────────────────


def events(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of approved matches, ten a host."""
    for number in range(count):
        event = an_approved_match(
            f"match-{number}", visitor=a_party(), host=a_host_party(f"host-{number % max(1, count // 10)}")
        )
        envelope = an_envelope(event, service="matching", subject=event.match_id)
        # The key is the id of the aggregate that changes, as it is between the services.
        yield event.host.registration_id.encode(), envelope.to_json()


async def fill(bootstrap_servers: str, topic: str, count: int) -> None:
    """Publish the events to a topic of their own."""
    await apply_topics(bootstrap_servers, topics=[*topics.all_topics(), topics.Topic(topic, 6)])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, max_batch_size=256 * 1024)
    await producer.start()
    for key, value in events(count):
        await producer.send(topic, value, key=key)
    await producer.stop()


def measure(side: str, platform: Platform, count: int, round_: int) -> Run:
    """Run one side until `count` events have taken effect; checks that each did exactly once."""
    database = f"bench_{side}_{round_}"
    asyncio.run(fill(platform.kafka_bootstrap, topic_of(database), count))
    environment = {
        **os.environ,
        **platform.service_environment(),
        "CXC_ISSUER": "bench",
        "CXC_JWKS_URL": "http://127.0.0.1:9/",
        "CXC_BENCH_RUN": database,
        "CXC_LOG_LEVEL": "warning",
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
    with MongoClient[dict[str, Any]](platform.mongo_url) as client:
        store = client[database]
        client.drop_database(database)
        # Nobody publishes here: the outbox is what all sides end with.
        forever = datetime.now(UTC) + timedelta(days=1)
        store[LEASES].insert_one({"_id": "relay", "owner": "nobody", "expires_at": forever})
        child = subprocess.Popen([sys.executable, __file__, "--side", side], env=environment)
        try:
            first: tuple[float, int] | None = None
            deadline = time.monotonic() + 300
            # The estimate is quick and runs ahead of what is committed; the count is slow and true.
            while (done := store[INBOX].estimated_document_count()) < count or (
                done := store[INBOX].count_documents({})
            ) < count:
                if child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{side} ended or got stuck at {done} of {count} events")
                if done and first is None:
                    first = (time.monotonic(), done)
                time.sleep(0.02)
            assert first is not None
            rate = (count - first[1]) / (time.monotonic() - first[0])
            cpu = _cpu_seconds(child.pid)
        finally:
            child.kill()
            child.wait()
        counted = list(
            store["tallies"].aggregate([{"$group": {"_id": None, "n": {"$sum": {"$size": "$matches"}}}}])
        )
        published = list(
            store[OUTBOX].aggregate([{"$group": {"_id": None, "n": {"$sum": {"$size": "$messages"}}}}])
        )
        assert counted[0]["n"] == count, "an effect is missing"
        assert published[0]["n"] == counted[0]["n"], "an event is missing or doubled"
        client.drop_database(database)
    return {"events_per_s": rate, "cpu_us_per_event": cpu / count * 1e6}


def _cpu_seconds(pid: int) -> float:
    """CPU seconds the process has used so far, its start included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--single-events", type=int, default=1_500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        {"worker": run_worker, "faststream": run_faststream, "single": run_single}[given.side]()
        return
    runs: dict[str, list[Run]] = {side: [] for side in SIDES}
    state = Path("var/bench/consumer")
    shutil.rmtree(state, ignore_errors=True)  # topics of an earlier run would be consumed too
    with Platform(state, ports=Ports.any(), servers=("kafka", "mongo"), services=()) as platform:
        platform.start()
        size = len(next(events(1))[1])
        print(f"{given.events} events of {size} bytes; {os.cpu_count()} cores, shared with both servers")
        for round_ in range(given.rounds):
            for side in SIDES:
                count = given.single_events if side == "single" else given.events
                runs[side].append(measure(side, platform, count, round_))
                print(
                    f"  round {round_ + 1} {side:<11}{runs[side][-1]['events_per_s']:>8.0f} events/s",
                    flush=True,
                )
    report(runs)


def report(runs: dict[str, list[Run]]) -> None:
    """A table for people, then one line of JSON."""
    rates = {side: statistics.median(run["events_per_s"] for run in found) for side, found in runs.items()}
    cpus = {side: statistics.median(run["cpu_us_per_event"] for run in found) for side, found in runs.items()}
    print(f"\n{'side':<12}{'events/s':>10}{'CPU µs an event':>18}{'worker is':>12}")
    for side in SIDES:
        print(f"{side:<12}{rates[side]:>10.0f}{cpus[side]:>18.0f}{rates['worker'] / rates[side]:>11.2f}x")
    print(
        json.dumps(
            {
                "bench": "consumer",
                "events_per_s": {side: round(rate) for side, rate in rates.items()},
                "cpu_us_per_event": {side: round(cpu) for side, cpu in cpus.items()},
                "ratio": {
                    "worker_to_faststream": round(rates["worker"] / rates["faststream"], 2),
                    "worker_to_single": round(rates["worker"] / rates["single"], 1),
                },
            }
        )
    )


if __name__ == "__main__":
    main()
