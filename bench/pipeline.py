"""The whole pipeline: registrations a second from Kafka through all four services to the mail sink.

Real servers and all eight processes on this machine. The registrations are the sample programme's, in
three partnerships with budget enough, one tenth of them pre-agreed pairs, so that matches are approved
and lump sums reserved by events alone. Two settings in one run, the same handlers: batches as shipped,
and batches of one message. For each: throughput with everything published at once, and latency at a
light load.

Run: `make bench`, or `python bench/pipeline.py [--registrations N] [--single-registrations N] [--light-s S]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import orjson
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import MongoClient

from bench.measuring import cpu_seconds, under
from ops.platform import Platform, Ports
from ops.sample import SAMPLE_PARTNERSHIPS, sample_registrations
from shared.contracts.envelope import new_id
from shared.contracts.types import EventType
from shared.messaging.topics import REGISTRATION_INBOX, SERVICES, dead_letters, events
from shared.partnerships import Partnerships
from shared.storage.store import OUTBOX

START = date(2027, 2, 1)
QUIET_S = 3.0
STATE = Path("var/bench/pipeline")


@dataclass
class Measured:
    """What one setting came to."""

    registrations: int = 0
    seconds: float = 0.0
    mails: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.registrations / self.seconds

    def latency_ms(self, share: float) -> float:
        """The latency that this share of the registrations stays under."""
        return under(self.latencies_ms, share)


def partnerships_file(directory: Path) -> Path:
    """The sample partnerships, all automatic, with budget enough for everybody."""
    content = yaml.safe_load(SAMPLE_PARTNERSHIPS.read_text(encoding="utf-8"))
    for partnership in content["partnerships"]:
        partnership |= {"auto_accept": True, "auto_approve_pre_agreed": True, "budget": "90000000.00"}
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "partnerships.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def messages(seed: int, count: int, partnerships: Partnerships) -> list[tuple[bytes, bytes, str]]:
    """Key, value and mail address of so many registrations."""
    made = []
    for sample in sample_registrations(seed, count, start=START, partnerships=partnerships):
        event = {
            "specversion": "1.0",
            "id": new_id(),
            "source": "/bench",
            "type": EventType.SUBMIT_REGISTRATION,
            "subject": sample.reference,
            "data": sample.data,
        }
        made.append((sample.reference.encode(), orjson.dumps(event), sample.data["participant"]["email"]))
    return made


# ── throughput ───────────────────────────────────────────────────────────────────────────────


async def throughput(platform: Platform, letters: list[tuple[bytes, bytes, str]]) -> Measured:
    """Publish everything at once; the clock stops when the last mail is in the sink."""
    measured = Measured(registrations=len(letters))
    feed = AIOKafkaConsumer(
        *map(events, SERVICES), bootstrap_servers=platform.kafka_bootstrap, fetch_max_wait_ms=200
    )
    await feed.start()
    await feed.getmany(timeout_ms=500)
    mails_before = mails_in(platform)
    cpu_before = cpu_seconds(platform)
    began = time.monotonic()
    producer = AIOKafkaProducer(bootstrap_servers=platform.kafka_bootstrap, max_batch_size=256 * 1024)
    await producer.start()
    for key, value, _ in letters:
        await producer.send(REGISTRATION_INBOX, value, key=key)
    await producer.stop()
    last_at = time.monotonic()
    while time.monotonic() - last_at < QUIET_S or outbox_rows(platform):
        for records in (await feed.getmany(timeout_ms=200)).values():
            for record in records:
                # Types are all that is needed: no JSON is read while the clock runs.
                measured.counts[record.value.split(b'"type":"', 1)[1].split(b'"', 1)[0].decode()] += 1
                last_at = time.monotonic()
    await feed.stop()
    measured.seconds = last_at - began
    measured.mails = mails_in(platform) - mails_before
    measured.cpu_seconds = {
        name: spent - cpu_before.get(name, 0.0) for name, spent in cpu_seconds(platform).items()
    }
    check(measured)
    return measured


def check(measured: Measured) -> None:
    """Everything that was sent has come to its end, once."""
    counts = measured.counts
    assert counts[EventType.REGISTRATION_SCREENED] == measured.registrations, counts
    assert counts[EventType.MATCH_APPROVED] > 0, counts
    lump_sums = sum(counts[kind] for kind in (
        EventType.GRANT_RESERVED, EventType.GRANT_NEEDS_REVIEW, EventType.GRANT_REFUSED))  # fmt: skip
    assert lump_sums == counts[EventType.MATCH_APPROVED], counts
    assert counts[EventType.NOTIFICATION_SENT] == measured.mails, (counts, measured.mails)


def outbox_rows(platform: Platform) -> int:
    """Rows not yet published, in all services."""
    with MongoClient[dict[str, Any]](platform.mongo_url) as client:
        return sum(client[f"cxc_{service}"][OUTBOX].estimated_document_count() for service in SERVICES)


def mails_in(platform: Platform) -> int:
    """How many mails the sink holds."""
    return int(httpx.get(f"{platform.mail_url}/api/v1/messages", params={"limit": 1}).json()["total"])


# ── latency ──────────────────────────────────────────────────────────────────────────────────


async def latency(
    platform: Platform, letters: list[tuple[bytes, bytes, str]], per_second: float
) -> list[float]:
    """Milliseconds from publishing a registration to its first mail in the sink, at a steady light load."""
    producer = AIOKafkaProducer(bootstrap_servers=platform.kafka_bootstrap)
    await producer.start()
    sent: dict[str, float] = {}
    began = time.time()
    for number, (key, value, address) in enumerate(letters):
        await asyncio.sleep(max(0.0, began + number / per_second - time.time()))
        sent[address] = time.time()
        await producer.send(REGISTRATION_INBOX, value, key=key)
    await producer.stop()
    arrived: dict[str, float] = {}
    deadline = time.monotonic() + 30
    total = -1
    while time.monotonic() < deadline and total != mails_in(platform):
        total = mails_in(platform)
        await asyncio.sleep(QUIET_S)
    async with httpx.AsyncClient(timeout=30) as client:
        for start in range(0, total, 500):
            url = f"{platform.mail_url}/api/v1/messages"
            page = (await client.get(url, params={"start": start, "limit": 500})).json()["messages"]
            for mail in page:
                address = mail["To"][0]["Address"]
                if address in sent:
                    at = datetime.fromisoformat(mail["Created"]).timestamp()
                    arrived[address] = min(at, arrived.get(address, at))
    return [(arrived[address] - sent[address]) * 1000 for address in sent if address in arrived]


# ── both settings, and the report ────────────────────────────────────────────────────────────


def measure(name: str, environment: dict[str, str], count: int, light: int, per_second: float) -> Measured:
    """One setting on fresh servers."""
    state = STATE / name
    shutil.rmtree(state, ignore_errors=True)
    path = partnerships_file(state)
    partnerships = Partnerships.load(path)
    with Platform(
        state, ports=Ports.any(), partnerships=path, environment=environment, log_level="warning"
    ) as platform:
        platform.start()
        platform.wait_ready(within_s=120)
        asyncio.run(throughput(platform, messages(1, min(100, count), partnerships)))  # warms everything up
        measured = asyncio.run(throughput(platform, messages(2, count, partnerships)))
        measured.latencies_ms = asyncio.run(latency(platform, messages(3, light, partnerships), per_second))
        assert dead_letters_in(platform) == 0, "something was set aside"
    return measured


def dead_letters_in(platform: Platform) -> int:
    """Messages in the dead-letter topics of all services."""

    async def count() -> int:
        consumer = AIOKafkaConsumer(*map(dead_letters, SERVICES), bootstrap_servers=platform.kafka_bootstrap)
        await consumer.start()
        ends = await consumer.end_offsets(consumer.assignment())
        await consumer.stop()
        return sum(ends.values())

    return asyncio.run(count())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--registrations", type=int, default=6000)
    parser.add_argument("--single-registrations", type=int, default=300)
    parser.add_argument("--light-s", type=float, default=20.0)
    parser.add_argument("--light-per-s", type=float, default=10.0)
    given = parser.parse_args()
    light = int(given.light_s * given.light_per_s)
    single = {"CXC_BATCH_SIZE": "1", "CXC_LINGER_MS": "0"}
    print(f"{os.cpu_count()} cores, shared by everything; both settings on fresh servers", flush=True)
    results = {
        "batches": measure("batches", {}, given.registrations, light, given.light_per_s),
        "single": measure("single", single, given.single_registrations, min(light, 40), 2.0),
    }
    report(results, given.light_per_s)


def report(results: dict[str, Measured], light_per_s: float) -> None:
    """Tables for people, then one line of JSON."""
    columns = ("registrations", "seconds", "a second", "mails/s", "median ms", "p99 ms")
    print(f"\n{'setting':<10}" + "".join(f"{column:>15}" for column in columns))
    for name, one in results.items():
        figures = (one.registrations, one.seconds, one.per_second, one.mails / one.seconds,
                   statistics.median(one.latencies_ms), one.latency_ms(0.99))  # fmt: skip
        print(f"{name:<10}" + "".join(f"{figure:>15.0f}" for figure in figures))
    batches, single = results["batches"], results["single"]
    print(f"\nCPU of both cores while {batches.registrations} registrations went through in batches:")
    for name, spent in sorted(batches.cpu_seconds.items(), key=lambda item: -item[1]):
        share = spent / (batches.seconds * (os.cpu_count() or 1))
        each = spent / batches.registrations * 1e6
        print(f"  {name:<22}{spent:>7.1f} s{share:>7.0%}{each:>8.0f} µs a registration")
    busy = sum(batches.cpu_seconds.values()) / (batches.seconds * (os.cpu_count() or 1))
    print(f"  {'all':<22}{sum(batches.cpu_seconds.values()):>7.1f} s{busy:>7.0%}")
    print("\nEvents:", ", ".join(f"{count} {kind}" for kind, count in sorted(batches.counts.items())))
    ratio = Decimal(batches.per_second / single.per_second).quantize(Decimal("0.1"))
    print(
        json.dumps(
            {
                "bench": "pipeline",
                "registrations_per_s": {name: round(one.per_second, 1) for name, one in results.items()},
                "mails_per_s": {name: round(one.mails / one.seconds, 1) for name, one in results.items()},
                "latency_ms": {
                    name: {
                        "median": round(statistics.median(one.latencies_ms)),
                        "p99": round(one.latency_ms(0.99)),
                    }
                    for name, one in results.items()
                },
                "light_load_per_s": light_per_s,
                "cpu_busy": round(busy, 2),
                "ratio": float(ratio),
            }
        )
    )


if __name__ == "__main__":
    main()
