"""The console with 20,000 cases: how fast events are folded, what questions cost, how soon a page is there.

Whole lives of exchanges, up to some point of the way each, are folded into the read model as the worker folds
them, on real MongoDB. Then every question that pages ask is asked in this process, and pages that answer from
the read model are fetched from an API process of its own, by somebody who signed in.

Run: `make bench`, or `python bench/console.py [--cases N] [--batch N] [--requests N]`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from typing import Any, Final

import httpx

from bench.measuring import measured_alone
from ops.platform import Platform
from ops.processes import free_port
from services.console.bootstrap import Console, bootstrap
from services.console.handlers import handlers
from services.console.people import Person
from services.console.settings import ConsoleSettings
from shared.contracts.envelope import new_id
from shared.messaging.consumer import BatchConsumer
from shared.messaging.message import Message
from shared.security import Caller, CallerRole
from tests.e2e.console.people import sign_in
from tests.unit.console.stories import a_paid_exchange

PARTNERSHIPS: Final = ("hempclub", "woolclub", "linenclub", "solarclub")
REGISTERED: Final = 4
"""Events of a story before its match; half of the organisations find none."""
COUNTRIES: Final = ("PT", "AT", "FI", "GR", "HR", "PL", "SE", "UA")
WORDS: Final = ("Alder", "Birch", "Cedar", "Elm", "Hazel", "Linden", "Maple", "Oak", "Rowan", "Willow")
LANES: Final = 2


def stories(pairs: int) -> Iterator[list[Message]]:
    """Two organisations each, and what happened to them, as it is published."""
    template = [(envelope, envelope.to_json().decode()) for _, envelope in a_paid_exchange().told]
    rng = random.Random(1)
    for number in range(pairs):
        length = rng.randrange(REGISTERED + 1, len(template) + 1) if number % 2 else REGISTERED
        visiting, hosting = rng.choice(PARTNERSHIPS), rng.choice(PARTNERSHIPS)
        own = {
            "visitor-1": f"visitor-{number}",
            "host-1": f"host-{number}",
            "match-1": f"match-{number}",
            "tagus-fibre-works": f"visitor-{number}",
            '"navigli"': f'"host-{number}"',
            '"payment_id":"p"': f'"payment_id":"payment-{number}"',
            "Tagus Fibre Works": f"{rng.choice(WORDS)} {rng.choice(WORDS)} {number}",
            '"country":"PT"': f'"country":"{rng.choice(COUNTRIES)}"',
            '"hempclub"': f'"{visiting}"',
            '"woolclub"': f'"{hosting}"',
        }
        messages = []
        for envelope, text in template[:length]:
            for given, instead in own.items():
                text = text.replace(given, instead)
            text = text.replace(envelope.id, new_id())
            subject = f"{number}/{envelope.subject}".encode()
            messages.append(Message("cxc.bench.events", 0, 0, subject, text.encode(), (), 0))
        yield messages


async def fold(console: Console, pairs: int, batch: int) -> dict[str, Any]:
    """Fold all stories; how many events a second that were."""
    consumer = BatchConsumer(handlers, console.transactions)
    waiting: asyncio.Queue[list[Message]] = asyncio.Queue()
    gathered: list[Message] = []
    count = 0
    for messages in stories(pairs):
        gathered += messages
        count += len(messages)
        if len(gathered) >= batch:
            waiting.put_nowait(gathered)
            gathered = []
    waiting.put_nowait(gathered)

    async def lane() -> None:
        while not waiting.empty():
            await consumer.consume(waiting.get_nowait())

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(lane() for _ in range(LANES)))
    took = time.perf_counter() - started
    assert await console.database["happenings"].count_documents({}) == count
    return {
        "events": count,
        "folded_per_s": round(count / took),
        "cpu_us_an_event": round(1e6 * (time.process_time() - cpu) / count),
    }


def person(role: CallerRole, **claims: Any) -> Person:
    """Somebody who looks."""
    return Person(session="", caller=Caller("bench", role, **claims), name="", token="", csrf="")


def questions(console: Console, pairs: int) -> dict[str, Callable[[random.Random], Awaitable[Any]]]:
    """What pages ask, by name."""
    cases = console.cases
    staff, office = (
        person(CallerRole.STAFF, partnership="hempclub"),
        person(CallerRole.SUPPORT_OFFICE),
    )

    def matched(rng: random.Random) -> int:
        return rng.randrange(pairs // 2) * 2 + 1

    def visitor(rng: random.Random) -> Person:
        return person(CallerRole.PARTICIPANT, organisation=f"visitor-{matched(rng)}")

    return {
        "registrations": lambda rng: cases.registrations(staff),
        "registrations, all, by name": lambda rng: cases.registrations(office, sort="name"),
        "registrations, searched": lambda rng: cases.registrations(
            office, search=f"{rng.choice(WORDS)[:3]} {rng.randrange(pairs)}"
        ),
        "registrations, filtered": lambda rng: cases.registrations(
            staff, state=["accepted"], country=rng.choice(COUNTRIES)
        ),
        "exchanges": lambda rng: cases.exchanges(staff),
        "exchanges, by step": lambda rng: cases.exchanges(office, step=[rng.choice(("paid", "reserved"))]),
        "exchanges, searched": lambda rng: cases.exchanges(
            staff, search=f"{rng.choice(WORDS)} {rng.choice(WORDS)}"
        ),
        "exchanges of an organisation": lambda rng: cases.exchanges(visitor(rng)),
        "one exchange": lambda rng: cases.exchange(staff, f"match-{matched(rng)}"),
        "a timeline": lambda rng: cases.happenings_of(office, f"match-{matched(rng)}"),
        "waiting, by kind": lambda rng: cases.waiting_by_kind(staff),
        "waiting": lambda rng: cases.waiting(staff),
        "counts": lambda rng: cases.counts(staff),
        "counts, of all": lambda rng: cases.counts(office),
        "audit": lambda rng: cases.happenings(staff, type=["cxc.match.approved.v1"]),
        "audit of days": lambda rng: cases.happenings(staff, first_day=date(2023, 1, 9)),
        "progress": lambda rng: cases.progress(),
        "flows": lambda rng: cases.flows(),
    }


async def timed(ask: Callable[[], Awaitable[Any]], count: int) -> dict[str, Any]:
    """Milliseconds that half of so many stay under, and nearly all; some before do not count."""
    took = []
    for number in range(count + 5):
        started = time.perf_counter()
        await ask()
        if number >= 5:
            took.append((time.perf_counter() - started) * 1000)
    cuts = statistics.quantiles(took, n=100)
    return {"p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}


PAGES: Final = (
    "/",
    "/cases",
    "/cases?search=maple",
    "/cases?what=exchanges",
    "/audit?what=happenings",
    "/today",
)


async def pages(url: str, requests: int) -> dict[str, Any]:
    """How soon pages are there, and how many bytes they are, uncompressed."""
    seat = {"role": "staff", "partnership": "hempclub", "seat": "1"}
    figures = {}
    client = await sign_in(url, seat)
    try:
        for path in PAGES:
            answer = await client.get(path)
            assert answer.status_code == 200, f"{path} answered {answer.status_code}"
            figures[f"page {path}"] = await timed(lambda path=path: client.get(path), requests) | {  # type: ignore[misc]
                "bytes": len(answer.content)
            }
    finally:
        await client.aclose()
    return figures


async def measure(platform: Platform, given: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    port = free_port()
    os.environ.update(platform.service_environment())
    os.environ.update(CXC_LOG_LEVEL="error", CXC_PUBLIC_URL=f"http://127.0.0.1:{port}")
    console = await bootstrap(ConsoleSettings.load())
    pairs = given.cases // 2
    figures: dict[str, Any] = {"cases": given.cases, **await fold(console, pairs, given.batch)}
    rng = random.Random(3)
    for name, question in questions(console, pairs).items():
        figures[name] = await timed(lambda question=question: question(rng), given.requests)  # type: ignore[misc]
    await console.close()
    command = ["uvicorn", "services.console.api:create_app", "--factory", "--port", str(port)]
    api = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", *command, "--log-level", "warning"], env={**os.environ, "PYTHONPATH": "."}
    )
    try:
        url = os.environ["CXC_PUBLIC_URL"]
        async with httpx.AsyncClient(base_url=url) as http:
            while not await _answers(http):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        figures |= await pages(url, given.requests)
    finally:
        api.terminate()
        api.wait()
    return figures


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/ready")).status_code == 200
    except httpx.TransportError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000, help="registrations; half have an exchange")
    parser.add_argument("--batch", type=int, default=500, help="events folded in one transaction")
    parser.add_argument("--requests", type=int, default=200)
    given = parser.parse_args()
    partnerships = (
        {
            "id": id,
            "name": id,
            "ecosystems": ["textile"],
            "staff": [{"email": f"staff@{id}.example"}],
            "budget": "1000000.00",
            "objective": 80,
        }
        for id in PARTNERSHIPS
    )
    measured_alone("console", partnerships, lambda platform: measure(platform, given))


if __name__ == "__main__":
    main()
