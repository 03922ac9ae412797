"""What the index of the pool is worth: best fits through the API, the catalogue, and acceptances a second.

A pool of 20,000 hosts and some visitors, made like the sample programme, is accepted through the
worker's handlers on real MongoDB; then a pool that is full goes on changing. The clock stops when the
index has heard of everybody, and again when everybody has been told of its best fits, which is done
beside the handlers in the same process. The API, a process of its own, is asked for the best hosts of one
visitor after the other, also while acceptances come in, and for pages of the catalogue.

Run: `make bench`, or `python bench/best_fits.py [--hosts N] [--visitors N] [--requests N]`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.measuring import cpu_of
from ops.issuer import issue_token
from ops.platform import Platform, Ports
from ops.processes import free_port
from ops.sample.programme import sample_registrations
from services.matching.bootstrap import Matching, bootstrap
from services.matching.domain.newcomers import Newcomers
from services.matching.handlers import handlers
from services.matching.newcomers import tell_newcomers
from services.matching.settings import MatchingSettings
from shared.contracts.common import Party, Place
from shared.contracts.envelope import now
from shared.contracts.registration import Profile, RegistrationAccepted, Submission
from shared.contracts.vocabulary import Role
from shared.messaging import topics
from shared.messaging.consumer import BatchConsumer
from shared.partnerships import Partnerships
from tests.builders import a_message, an_envelope

BATCH = 500
LANES = 2
STEADY_PER_S = 100
"""Acceptances that come in while the API is asked."""


def members(hosts: int, visitors: int, partnerships: Partnerships) -> Iterator[tuple[Party, Profile]]:
    """So many hosts, then so many visitors, as the sample programme has them."""
    wanted = {Role.HOST: hosts, Role.VISITOR: visitors}
    later: list[tuple[Party, Profile]] = []
    sample = sample_registrations(1, 10 * (hosts + visitors), start=now().date(), partnerships=partnerships)
    for number, registration in enumerate(sample):
        submission = Submission.model_validate(registration.data)
        role = submission.roles[0]
        if len(submission.roles) > 1 or not wanted[role]:
            continue
        wanted[role] -= 1
        member = _member(f"{role}-{number}", submission, next(iter(partnerships)).id)
        if role is Role.HOST:
            yield member
        else:
            later.append(member)
        if not any(wanted.values()):
            break
    yield from later


def _member(id: str, submission: Submission, partnership: str) -> tuple[Party, Profile]:
    organisation = submission.organisation
    party = Party(
        registration_id=id,
        organisation=organisation.name,
        kind=organisation.kind,
        place=Place(
            country=organisation.country, city=organisation.city, lat=organisation.lat, lon=organisation.lon
        ),
        email=submission.participant.email,
        partnership=submission.partnership or partnership,
        roles=submission.roles,
        owner=id,
        identifiers=[f"pic:{organisation.pic}"],
    )
    profile = Profile(
        goals=submission.goals,
        ecosystems=submission.ecosystems,
        offers=submission.offers,
        needs=submission.needs,
        languages=submission.languages,
        availability=submission.availability,
        preferred_countries=submission.preferences.countries,
        preferred_working_days=submission.preferences.working_days,
        host_places=submission.host_places,
        motivation=submission.motivation,
    )
    return party, profile


# ── acceptances, through the worker's handlers ───────────────────────────────────────────────


class Acceptances:
    """Events for the handlers, as batches of the worker's lanes."""

    def __init__(self, matching: Matching, mongo: int) -> None:
        self._matching = matching
        self._mongo = mongo
        self._offset = 0

    async def take(self, accepted: Sequence[tuple[Party, Profile]], version: int) -> dict[str, float]:
        """Handle them all; how fast, until the pool has heard of all, and until all have been told."""
        messages = self._messages(accepted, version)
        started, cpu, mongo = time.perf_counter(), time.process_time(), cpu_of(self._mongo)
        await asyncio.gather(*(self._lane(messages[lane::LANES]) for lane in range(LANES)))
        while not all(self._is_current(party, version) for party, _ in accepted):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        current = time.perf_counter() - started
        newcomers = self._matching.database[Newcomers.COLLECTION]
        while await newcomers.find_one({}, {"_id": 1}) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        told = time.perf_counter() - started
        each = 1e6 / len(accepted)
        return {
            "n": len(accepted),
            "per_s": round(len(accepted) / current),
            "told_per_s": round(len(accepted) / told),
            "cpu_us_each": round((time.process_time() - cpu) * each),
            "mongo_cpu_us_each": round((cpu_of(self._mongo) - mongo) * each),
        }

    async def steadily(
        self, accepted: Sequence[tuple[Party, Profile]], version: int, per_s: int, stopping: asyncio.Event
    ) -> None:
        """Handle them anew, so many a second, until told to stop."""
        at_once = max(1, per_s // 10)
        start = 0
        while not stopping.is_set():
            due = time.perf_counter() + at_once / per_s
            await self._lane(self._messages(accepted[start : start + at_once], version))
            start += at_once
            if start >= len(accepted):
                start, version = 0, version + 1
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    def _messages(self, accepted: Sequence[tuple[Party, Profile]], version: int) -> list[list[Any]]:
        first = self._offset
        self._offset += len(accepted)
        return [
            [
                a_message(
                    an_envelope(
                        RegistrationAccepted(party=party, profile=profile, automatic=True),
                        service="registration",
                        subject=party.registration_id,
                        sequence=version,
                    ),
                    topic=topics.events("registration"),
                    offset=first + start + number,
                )
                for number, (party, profile) in enumerate(accepted[start : start + BATCH])
            ]
            for start in range(0, len(accepted), BATCH)
        ]

    def _is_current(self, party: Party, version: int) -> bool:
        member = self._matching.pool.member(party.registration_id)
        return member is not None and member.heard >= version

    async def _lane(self, batches: list[list[Any]]) -> None:
        consumer = BatchConsumer(handlers, self._matching.transactions)
        for batch in batches:
            await consumer.consume(batch)


@asynccontextmanager
async def worker(settings: MatchingSettings) -> AsyncIterator[Matching]:
    """What a worker of matching has beside its lanes: the pool, and who tells newcomers."""
    matching = await bootstrap(settings, browsed=False)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as in the worker
    stopping = asyncio.Event()
    telling = asyncio.create_task(tell_newcomers(matching, stopping))
    try:
        yield matching
    finally:
        stopping.set()
        await telling
        await matching.close()


# ── the API, in a process of its own ─────────────────────────────────────────────────────────


async def percentiles(
    http: httpx.AsyncClient, pid: int, paths: Sequence[str], at_once: int
) -> dict[str, float]:
    """Milliseconds of these requests, so many at once, and CPU milliseconds of the API each."""
    took: list[float] = []
    waiting = iter(paths)

    async def ask() -> None:
        for path in waiting:
            started = time.perf_counter()
            answer = await http.get(path)
            took.append((time.perf_counter() - started) * 1000)
            answer.raise_for_status()

    before = cpu_of(pid)
    await asyncio.gather(*(ask() for _ in range(at_once)))
    cpu_ms = (cpu_of(pid) - before) * 1000 / len(took)
    cuts = statistics.quantiles(took, n=100)
    return {"p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1), "cpu_ms": round(cpu_ms, 2)}


def paths_of(visitors: list[str]) -> dict[str, Callable[[random.Random], str]]:
    """What is asked for, by name."""
    words = ("hemp", "robot", "packag", "energy", "solar", "design", "organic food")
    return {
        "suggestions": lambda rng: f"/visitors/{rng.choice(visitors)}/suggestions",
        "catalogue newest": lambda rng: "/catalogue?side=hosts",
        "catalogue words": lambda rng: f"/catalogue?side=hosts&sort=name&text={rng.choice(words)}",
        "catalogue filters": lambda rng: "/catalogue?side=hosts&country=LU&goal=explore_market&language=fr",
        "catalogue by fit": lambda rng: f"/catalogue?side=hosts&sort=fit&for={rng.choice(visitors)}",
    }


async def measure(platform: Platform, hosts: int, visitors: int, requests: int) -> dict[str, Any]:
    """All figures of one pool."""
    os.environ.update(platform.service_environment())
    os.environ["CXC_LOG_LEVEL"] = "warning"
    settings = MatchingSettings.load()
    mongo = platform.children["mongo"].pid
    assert mongo is not None
    everybody = list(members(hosts, visitors, Partnerships.load(settings.partnerships)))
    seeking = [member for member in everybody if Role.VISITOR in member[0].roles]
    again = random.Random(2).sample(everybody, min(len(everybody), 4 * BATCH))
    async with worker(settings) as matching:
        acceptances = Acceptances(matching, mongo)
        taken = {
            "into an empty pool": await acceptances.take(everybody, 2),
            "anew, in a full pool": await acceptances.take(again, 3),
            "visitors, in a full pool": await acceptances.take(seeking, 4),
        }
        # This process asks the API too: no collection of its own garbage is to be taken for the API's time.
        gc.collect()
        gc.freeze()
        token = issue_token(platform.issuer_key, issuer=platform.issuer_url, role="support_office")
        async with api(token) as (http, pid, ready_s):
            asked = await ask_for_all(http, pid, [party.registration_id for party, _ in seeking], requests)
            stopping = asyncio.Event()
            coming_in = asyncio.create_task(acceptances.steadily(again, 5, STEADY_PER_S, stopping))
            seekers = [party.registration_id for party, _ in seeking]
            asked[f"suggestions, {STEADY_PER_S} acceptances/s"] = await ask_for(
                http, pid, lambda rng: f"/visitors/{rng.choice(seekers)}/suggestions", requests, at_once=1
            )
            stopping.set()
            await coming_in
    return {
        "hosts": hosts,
        "visitors": visitors,
        "api_ready_s": ready_s,
        "acceptances": taken,
        "requests": asked,
    }


async def ask_for_all(
    http: httpx.AsyncClient, pid: int, seekers: list[str], requests: int
) -> dict[str, dict[str, float]]:
    """All that can be asked for, one at a time and four."""
    return {
        f"{name}, {at_once} at once": await ask_for(http, pid, path, requests, at_once=at_once)
        for name, path in paths_of(seekers).items()
        for at_once in (1, 4)
    }


async def ask_for(
    http: httpx.AsyncClient, pid: int, path: Callable[[random.Random], str], requests: int, *, at_once: int
) -> dict[str, float]:
    """So many of one kind, after a few that warm up."""
    rng = random.Random(3)
    await percentiles(http, pid, [path(rng) for _ in range(20)], at_once)
    return await percentiles(http, pid, [path(rng) for _ in range(requests)], at_once)


@asynccontextmanager
async def api(token: str) -> AsyncIterator[tuple[httpx.AsyncClient, int, float]]:
    """The API as a process of its own: who asks it, its process id, and the seconds until it was ready."""
    port = free_port()
    command = ["uvicorn", "services.matching.api:create_app", "--factory", "--port", str(port)]
    quietly = ["--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", *command, *quietly], env={**os.environ, "PYTHONPATH": "."}
    )
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=60
        ) as http:
            started = time.perf_counter()
            while not await _answers(http):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            yield http, process.pid, round(time.perf_counter() - started, 1)
    finally:
        process.terminate()
        process.wait()


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/catalogue?side=hosts&limit=1")).status_code == 200
    except httpx.TransportError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=20_000)
    parser.add_argument("--visitors", type=int, default=2_000)
    parser.add_argument("--requests", type=int, default=1_000)
    given = parser.parse_args()
    state = Path("var/bench/best_fits")
    shutil.rmtree(state, ignore_errors=True)
    with Platform(
        state, ports=Ports.any(), servers=("mongo", "issuer"), services=[], kafka_bootstrap="127.0.0.1:1"
    ) as platform:
        platform.start()
        platform.wait_ready()
        figures = asyncio.run(measure(platform, given.hosts, given.visitors, given.requests))
    report(figures)


def report(figures: dict[str, Any]) -> None:
    """Tables for people, then one line of JSON."""
    print(f"\n{figures['hosts']} hosts and {figures['visitors']} visitors; CPU in µs an acceptance")
    table(
        "acceptances",
        {"n": "number", "per_s": "a second", "told_per_s": "told/s", "cpu_us_each": "worker CPU",
         "mongo_cpu_us_each": "MongoDB CPU"},
        figures["acceptances"],
    )  # fmt: skip
    print(f"\nThe API, ready after {figures['api_ready_s']} s")
    columns = {"p50_ms": "p50 ms", "p99_ms": "p99 ms", "cpu_ms": "API CPU ms"}
    table("requests", columns, figures["requests"])
    print(json.dumps({"bench": "best_fits", "load": os.getloadavg()[0], **figures}))


def table(name: str, columns: dict[str, str], rows: dict[str, dict[str, float]]) -> None:
    """One line a row; `columns` are the titles of the figures."""
    print(f"{name:<34}" + "".join(f"{title:>13}" for title in columns.values()))
    for row, figures in rows.items():
        print(f"{row:<34}" + "".join(f"{figures[column]:>13}" for column in columns))


if __name__ == "__main__":
    main()
