"""What the index of the pool is worth: best fits through the API, the catalogue, and acceptances a second.

A pool of 20,000 hosts and some visitors, made like the sample programme, is accepted through the
worker's handlers on real MongoDB; then a pool that is full goes on changing. The API, a process of its
own, is asked for the best hosts of one visitor after the other, and for pages of the catalogue.

Run: `python bench/best_fits.py [--hosts N] [--visitors N] [--requests N]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from ops.issuer import issue_token
from ops.platform import Platform, Ports
from ops.processes import free_port
from ops.sample.programme import sample_registrations
from services.matching.bootstrap import Matching, bootstrap
from services.matching.handlers import handlers
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

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._offset = 0

    async def take(self, accepted: Sequence[tuple[Party, Profile]], version: int) -> dict[str, float]:
        """Handle them all; how fast, until the pool has heard of all of them."""
        messages = [
            [
                a_message(
                    an_envelope(
                        RegistrationAccepted(party=party, profile=profile, automatic=True),
                        service="registration",
                        subject=party.registration_id,
                        sequence=version,
                    ),
                    topic=topics.events("registration"),
                    offset=self._offset + number,
                )
                for number, (party, profile) in enumerate(part)
            ]
            for part in (accepted[start : start + BATCH] for start in range(0, len(accepted), BATCH))
        ]
        self._offset += len(accepted)
        started, cpu = time.perf_counter(), time.process_time()
        lanes = [self._lane(messages[lane::LANES]) for lane in range(LANES)]
        await asyncio.gather(*lanes)
        while not all(party.registration_id in self._matching.pool for party, _ in accepted):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        return {"per_s": round(len(accepted) / seconds), "cpu_ms_each": round(cpu / len(accepted) * 1000, 2)}

    async def _lane(self, batches: list[list[Any]]) -> None:
        consumer = BatchConsumer(handlers, self._matching.transactions)
        for batch in batches:
            await consumer.consume(batch)


# ── the API, in a process of its own ─────────────────────────────────────────────────────────


async def percentiles(http: httpx.AsyncClient, paths: Sequence[str], at_once: int) -> dict[str, float]:
    """Milliseconds of these requests, so many at once."""
    took: list[float] = []
    waiting = iter(paths)

    async def ask() -> None:
        for path in waiting:
            started = time.perf_counter()
            answer = await http.get(path)
            took.append((time.perf_counter() - started) * 1000)
            answer.raise_for_status()

    await asyncio.gather(*(ask() for _ in range(at_once)))
    cuts = statistics.quantiles(took, n=100)
    return {"p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1), "n": len(took)}


def paths_of(visitors: list[str], requests: int) -> dict[str, Callable[[random.Random], str]]:
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
    everybody = list(members(hosts, visitors, Partnerships.load(settings.partnerships)))
    seekers = [party.registration_id for party, _ in everybody if Role.VISITOR in party.roles]
    matching = await bootstrap(settings)
    figures: dict[str, Any] = {"hosts": hosts, "visitors": visitors}
    acceptances = Acceptances(matching)
    figures["acceptances into an empty pool"] = await acceptances.take(everybody, 2)
    again = random.Random(2).sample(everybody, min(len(everybody), 4 * BATCH))
    figures["anew, in a full pool"] = await acceptances.take(again, 3)
    seeking = [member for member in everybody if Role.VISITOR in member[0].roles]
    figures["visitors, in a full pool"] = await acceptances.take(seeking, 4)
    await matching.close()

    port = free_port()
    command = [
        "uvicorn",
        "services.matching.api:create_app",
        "--factory",
        "--port",
        str(port),
        "--no-access-log",
    ]
    api = subprocess.Popen([sys.executable, "-m", *command], env={**os.environ, "PYTHONPATH": "."})  # noqa: ASYNC220
    token = issue_token(platform.issuer_key, issuer=platform.issuer_url, role="support_office")
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=60
        ) as http:
            started = time.perf_counter()
            while not await _answers(http):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            figures["api ready, s"] = round(time.perf_counter() - started, 1)
            rng = random.Random(3)
            for name, path in paths_of(seekers, requests).items():
                for at_once in (1, 4):
                    await percentiles(http, [path(rng) for _ in range(20)], at_once)
                    paths = [path(rng) for _ in range(requests)]
                    figures[f"{name}, {at_once} at once"] = await percentiles(http, paths, at_once)
    finally:
        api.terminate()
        api.wait()
    return figures


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
    for name, figure in figures.items():
        print(f"{name:<34}{figure}")
    print(json.dumps({"bench": "best_fits", "load": os.getloadavg()[0], **figures}))


if __name__ == "__main__":
    main()
