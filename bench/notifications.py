"""Facts in, mails out: what the notifications worker carries, and how soon a fact is a mail.

Real Kafka, MongoDB and SMTP server, and the worker's own process, on this machine. The facts are the lives
of exchanges, told as the other services tell them: two organisations that exchange, and two more that only
register, each exchange with ids and addresses of its own, in a thousand partnerships. Three settings, the
same code: as shipped; with 100,000 reminders scheduled; and one by one (a fact a transaction, a mail at a
time), as it is usually written. For each: throughput with everything published at once, and latency at a
light load.

Run: `make bench`, or `python bench/notifications.py [--facts N] [--single-facts N] [--reminders N]
[--light-s S]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

import orjson
import yaml
from aiokafka import AIOKafkaProducer
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from bench.measuring import cpu_seconds, under
from ops.platform import Platform, Ports
from services.notifications.domain.notification import Notification, moment_text
from services.notifications.domain.reminder import Reminder, ReminderState
from shared.contracts import examples
from shared.contracts.envelope import new_id
from shared.messaging.outbox import TYPE_HEADER
from shared.messaging.topics import ServiceName, events
from shared.storage.driver import Document
from shared.storage.store import INBOX, OUTBOX

STATE: Final = Path("var/bench/notifications")
EXAMPLES: Final = Path(examples.__file__).parent
PARTNERSHIPS: Final = 1000
NOTIFICATIONS: Final = "cxc_notifications"

REGISTERS: Final = ("registration.screened", "registration.accepted", "fits.found")
"""What every organisation that registers leads to."""
EXCHANGE: Final = (
    "match.proposed",
    "match.agreed",
    "match.endorsed",
    "match.approved",
    "commitment.drawn_up",
    "commitment.signed",
    "commitment.completed",
    "grant.reserved",
    "agreement.drawn_up",
    "agreement.signed",
    "grant.committed",
    "report.submitted",
    "report.validated",
    "evidence.submitted",
    "evidence.accepted",
    "grant.payable",
    "grant.prepared",
    "grant.released",
    "grant.paid",
)
"""What becomes of two of them."""
LIGHT: Final = ("registration.accepted", "match.proposed", "match.approved", "grant.reserved", "grant.paid")
"""Facts of which an organisation has a mail at once."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Fact = tuple[str, bytes, bytes, str]
"""Topic, key, value, type."""


# ── facts ────────────────────────────────────────────────────────────────────────────────────


class Templates:
    """The golden examples, as texts to fill in for one exchange after the other."""

    def __init__(self) -> None:
        story = {*REGISTERS, *EXCHANGE, *LIGHT}
        # Stays of next year: of deadlines that are over, nobody would be reminded.
        year = f"{datetime.now(UTC).year + 1}-"
        self._texts = {
            name: (EXAMPLES / f"cxc.{name}.v1.json").read_text(encoding="utf-8").replace("2023-", year)
            for name in story
        }

    def fact(self, name: str, replacements: dict[str, str]) -> Fact:
        """One fact of one exchange, happening now."""
        text = self._texts[name]
        for sample, own in replacements.items():
            text = text.replace(sample, own)
        event = orjson.loads(text)
        event |= {"id": new_id(), "time": datetime.now(UTC).isoformat()}
        topic = events(event["source"].rpartition("/")[2])
        return topic, event["partitionkey"].encode(), orjson.dumps(event), event["type"]


def of_exchange(run: str, number: int) -> dict[str, str]:
    """What the golden examples say → what this exchange says instead."""

    def own(what: str) -> str:
        return str(uuid5(UUID(int=number), f"{run} {what}"))

    return {
        "0185ca2f-ac00-7945-a70f-a7f9c13fe193": own("match"),
        "4936d0f5-0157-5759-856b-05f07e20d86e": own("commitment"),
        "9e1b2ff4-6477-5977-a464-0aa34ff314d2": own("visitor"),
        "caf5b69b-3f65-513c-b8dc-5a93f04bcdf8": own("host"),
        "office@tagus-fibre.example": f"{run}-{number}@visitor.example",
        "office@navigli-textile.example": f"{run}-{number}@host.example",
        '"hempclub"': f'"partnership-{number % PARTNERSHIPS}"',
        '"sample-fashion"': f'"partnership-{(7 * number + 3) % PARTNERSHIPS}"',
    }


def lives(run: str) -> Iterator[Fact]:
    """Lives of exchanges, of ten at a time in turns, as they happen side by side."""
    templates = Templates()
    number = 0
    while True:
        ten = [of_exchange(run, number + one) for one in range(10)]
        number += 10
        for replacements in ten:
            others = (replacements, *(_single(replacements, which) for which in ("host", "one", "two")))
            for organisation in others:
                yield from (templates.fact(name, organisation) for name in REGISTERS)
        for name in EXCHANGE:
            yield from (templates.fact(name, replacements) for replacements in ten)


def _single(replacements: dict[str, str], which: str) -> dict[str, str]:
    """Another organisation that registers beside the visitor."""
    visitor, address = "9e1b2ff4-6477-5977-a464-0aa34ff314d2", "office@tagus-fibre.example"
    own = str(uuid5(UUID(replacements[visitor]), which))
    return {**replacements, visitor: own, address: f"{which}-{replacements[address]}"}


def light(run: str, count: int) -> list[tuple[Fact, str]]:
    """Facts of an exchange of its own each, and the address that one of its mails goes to."""
    templates = Templates()
    made = []
    for number in range(count):
        name, replacements = LIGHT[number % len(LIGHT)], of_exchange(run, number)
        side = "navigli-textile" if name == "match.proposed" else "tagus-fibre"
        made.append((templates.fact(name, replacements), replacements[f"office@{side}.example"]))
    return made


def schedule_reminders(store: Database[Document], count: int) -> None:
    """So many reminders like those that facts have led to, of other cases, due in the months to come."""
    reminders = store[Reminder.COLLECTION]
    scheduled = list(reminders.find({"state": ReminderState.SCHEDULED.value}).limit(100))
    for start in range(0, count, 5_000):
        numbers = range(start, min(count, start + 5_000))
        reminders.insert_many(
            [another(scheduled[number % len(scheduled)], number) for number in numbers], ordered=False
        )


def another(reminder: Document, number: int) -> Document:
    """The same of another case."""
    text = orjson.dumps(reminder).decode()
    own: Document = orjson.loads(_UUID.sub(lambda id: str(uuid5(UUID(id[0]), str(number))), text))
    return {**own, "due_at": moment_text(datetime.now(UTC) + timedelta(days=10 + number % 300))}


def partnerships_file(directory: Path) -> Path:
    """The partnerships, each with one address."""
    content = [
        {
            "id": f"partnership-{number}",
            "name": f"Partnership {number} (sample)",
            "ecosystems": ["textile"],
            "countries": [],
            "staff": [{"email": f"staff@partnership-{number}.example", "language": "en"}],
            "auto_accept": True,
            "auto_approve_pre_agreed": False,
            "budget": "90000000.00",
            "objective": 80,
            "done": 0,
            "preferred_working_days": 5,
        }
        for number in range(PARTNERSHIPS)
    ]
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "partnerships.yaml"
    path.write_text(yaml.safe_dump({"partnerships": content}), encoding="utf-8")
    return path


# ── measuring ────────────────────────────────────────────────────────────────────────────────


@dataclass
class Measured:
    """What one setting came to."""

    facts: int = 0
    mails: int = 0
    facts_s: float = 0.0
    """From the first fact published to the last one taken in."""
    mails_s: float = 0.0
    """From the first fact published to the last mail accepted."""
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def facts_per_second(self) -> float:
        return self.facts / self.facts_s

    @property
    def mails_per_second(self) -> float:
        return self.mails / self.mails_s

    def latency_ms(self, share: float) -> float:
        """The latency that this share of the mails stays under."""
        return under(self.latencies_ms, share)


def producer(platform: Platform) -> AIOKafkaProducer:
    """Publishes as a relay does."""
    return AIOKafkaProducer(bootstrap_servers=platform.kafka_bootstrap, acks="all", max_batch_size=256 * 1024)


async def publish(kafka: AIOKafkaProducer, fact: Fact) -> None:
    """Hand one fact over, its type beside it."""
    topic, key, value, wire_type = fact
    await kafka.send(topic, value, key=key, headers=[(TYPE_HEADER, wire_type.encode())])


async def throughput(platform: Platform, facts: Sequence[Fact]) -> Measured:
    """Publish everything at once; the clock stops when the last mail is with the SMTP server."""
    measured = Measured(facts=len(facts))
    with MongoClient[Document](platform.mongo_url) as client:
        store = client[NOTIFICATIONS]
        before = store[INBOX].count_documents({})
        mails_before = len(mails_in(platform))
        cpu_before = cpu_seconds(platform)
        began, began_at = time.monotonic(), time.time()
        kafka = producer(platform)
        await kafka.start()
        for fact in facts:
            await publish(kafka, fact)
        await kafka.stop()
        deadline = time.monotonic() + 600
        while not measured.facts_s or waiting(store):
            if not measured.facts_s and _there(store[INBOX], before + len(facts)):
                measured.facts_s = time.monotonic() - began
            if time.monotonic() > deadline:
                raise SystemExit(f"stuck; see {platform.log_directory}")
            await asyncio.sleep(0.05)
        measured.cpu_seconds = {
            name: spent - cpu_before[name] for name, spent in cpu_seconds(platform).items()
        }
        sent = store[Notification.COLLECTION].count_documents({"channel": "email", "state": "sent"})
    received = mails_in(platform)
    assert len(received) == sent, f"{sent} mails were sent, {len(received)} came"
    measured.mails = len(received) - mails_before
    measured.mails_s = max(at for at, _ in received[mails_before:]) - began_at
    return measured


def _there(collection: Collection[Document], count: int) -> bool:
    """Whether so many are there: the estimate is quick and runs ahead, the count is slow and true."""
    return collection.estimated_document_count() >= count <= collection.count_documents({})


def waiting(store: Database[Document]) -> bool:
    """Whether a mail waits, or an event is not published yet."""
    pending = store[Notification.COLLECTION].find_one({"state": "pending", "channel": "email"}, {"_id": 1})
    return pending is not None or store[OUTBOX].estimated_document_count() > 0


async def latency(platform: Platform, facts: Sequence[tuple[Fact, str]], per_second: float) -> list[float]:
    """Milliseconds from publishing a fact to the SMTP server's acceptance of its mail, at a steady pace."""
    kafka = producer(platform)
    await kafka.start()
    published: dict[str, float] = {}
    began = time.time()
    for number, (fact, address) in enumerate(facts):
        await asyncio.sleep(max(0.0, began + number / per_second - time.time()))
        published[address] = time.time()
        await publish(kafka, fact)
    await kafka.stop()
    deadline = time.monotonic() + 30
    accepted: dict[str, float] = {}
    while time.monotonic() < deadline and accepted.keys() < published.keys():
        await asyncio.sleep(0.5)
        accepted = {address: at for at, address in mails_in(platform) if address in published}
    missing = published.keys() - accepted.keys()
    assert not missing, f"no mail for {sorted(missing)[:5]}"
    return [(accepted[address] - at) * 1000 for address, at in published.items()]


def mails_in(platform: Platform) -> list[tuple[float, str]]:
    """When the mails were accepted (seconds since 1970) and to whom they went, in their order."""
    found = []
    # Read in place: asking the server would have it parse every mail.
    with (platform.state / "mail" / "mails").open("rb") as file:
        while (head := file.readline()).endswith(b"\n"):
            _, received, _, recipients, length = json.loads(head)
            found.append((datetime.fromisoformat(received).timestamp(), recipients[0]))
            file.seek(length + 1, os.SEEK_CUR)
    return found


# ── all settings, and the report ─────────────────────────────────────────────────────────────


def measure(
    name: str, environment: dict[str, str], count: int, light_facts: int, rate: float, reminders: int = 0
) -> Measured:
    """One setting on fresh servers."""
    state = STATE / name
    shutil.rmtree(state, ignore_errors=True)
    environment = {"CXC_ISSUER": "bench", "CXC_JWKS_URL": "http://127.0.0.1:9/", **environment}
    only: tuple[ServiceName, ...] = ("notifications",)
    with Platform(
        state,
        ports=Ports.any(),
        servers=("kafka", "mongo", "mail"),
        services=only,
        partnerships=partnerships_file(state),
        environment=environment,
        log_level="warning",
    ) as platform:
        platform.start()
        platform.wait_ready(within_s=120)
        platform.stop_one("notifications-api")
        facts = lives("warm")
        asyncio.run(throughput(platform, list(islice(facts, min(500, count)))))  # warms everything up
        if reminders:
            with MongoClient[Document](platform.mongo_url) as client:
                schedule_reminders(client[NOTIFICATIONS], reminders)
        measured = asyncio.run(throughput(platform, list(islice(lives("full"), count))))
        measured.latencies_ms = asyncio.run(latency(platform, light("light", light_facts), rate))
    print(
        f"  {name}: {measured.facts_per_second:.0f} facts/s, {measured.mails_per_second:.0f} mails/s",
        flush=True,
    )
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--facts", type=int, default=20_000)
    parser.add_argument("--single-facts", type=int, default=1_000)
    parser.add_argument("--reminders", type=int, default=100_000)
    parser.add_argument("--light-s", type=float, default=20.0)
    parser.add_argument("--light-per-s", type=float, default=10.0)
    given = parser.parse_args()
    many = int(given.light_s * given.light_per_s)
    single = {
        "CXC_BATCH_SIZE": "1",
        "CXC_LINGER_MS": "0",
        "CXC_LANES": "1",
        "CXC_MAIL_BATCH": "1",
        "CXC_SMTP_CONNECTIONS": "1",
    }
    print(f"{os.cpu_count()} cores, shared by everything; each setting on fresh servers", flush=True)
    results = {
        "shipped": measure("shipped", {}, given.facts, many, given.light_per_s),
        "reminders": measure("reminders", {}, given.facts, many, given.light_per_s, given.reminders),
        "one by one": measure("single", single, given.single_facts, min(many, 40), 2.0),
    }
    report(results, given.light_per_s)


def report(results: dict[str, Measured], light_per_s: float) -> None:
    """Tables for people, then one line of JSON."""
    columns = ("facts", "mails", "facts/s", "mails/s", "median ms", "p99 ms")
    print(f"\n{'setting':<12}" + "".join(f"{column:>12}" for column in columns))
    for name, one in results.items():
        figures = (one.facts, one.mails, one.facts_per_second, one.mails_per_second,
                   statistics.median(one.latencies_ms), one.latency_ms(0.99))  # fmt: skip
        print(f"{name:<12}" + "".join(f"{figure:>12.0f}" for figure in figures))
    shipped = results["shipped"]
    cores = os.cpu_count() or 1
    print(f"\nCPU while {shipped.facts} facts came in and {shipped.mails} mails went out:")
    for name, spent in sorted(shipped.cpu_seconds.items(), key=lambda item: -item[1]):
        share = spent / (max(shipped.facts_s, shipped.mails_s) * cores)
        print(f"  {name:<22}{spent:>7.1f} s{share:>7.0%}{spent / shipped.facts * 1e6:>8.0f} µs a fact")
    print(
        json.dumps(
            {
                "bench": "notifications",
                "facts_per_s": {name: round(one.facts_per_second) for name, one in results.items()},
                "mails_per_s": {name: round(one.mails_per_second) for name, one in results.items()},
                "latency_ms": {
                    name: {
                        "median": round(statistics.median(one.latencies_ms)),
                        "p99": round(one.latency_ms(0.99)),
                    }
                    for name, one in results.items()
                },
                "light_load_per_s": light_per_s,
                "cpu_us_per_fact": {
                    name: round(spent / shipped.facts * 1e6) for name, spent in shipped.cpu_seconds.items()
                },
            }
        )
    )


if __name__ == "__main__":
    main()
