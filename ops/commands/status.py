"""`cxc status`: processes, consumer lag, outboxes and dead letters, and whether work gets done."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import typer
from pymongo.errors import OperationFailure

from ops.commands import CommandFailed
from ops.commands.cluster import Cluster
from ops.commands.shown import printable, show_table
from ops.processes import started_at
from shared.messaging.consumption import Consumption, consumption_of
from shared.messaging.letters import letters_of
from shared.storage.driver import Client
from shared.storage.store import OUTBOX

STUCK_AFTER_S: Final = 60.0
"""An outbox row this old means that nothing is published."""

T = TypeVar("T")


@dataclass(frozen=True)
class ProcessStatus:
    """A process of the local platform, and its own word on whether it is ready."""

    name: str
    ready: bool
    pid: int | None
    port: int | None
    says: dict[str, Any]


@dataclass(frozen=True)
class Outbox:
    """Rows not yet published, and the age of the oldest in seconds."""

    rows: int
    oldest_s: float


@dataclass
class Status:
    """All that `cxc status` shows; `wrong` has a sentence for everything that keeps work from being done."""

    processes: list[ProcessStatus] = field(default_factory=list)
    consumption: dict[str, Consumption] = field(default_factory=dict)
    outboxes: dict[str, Outbox] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not self.wrong


def status(state: Path, services: Sequence[str], as_json: bool) -> bool:
    """Show how things stand; False when something is wrong."""
    found = asyncio.run(look(Cluster.find(state), services))
    if as_json:
        typer.echo(json.dumps({"ready": found.ready, **asdict(found)}, indent=2))
    else:
        _show(found, services)
    return found.ready


async def look(cluster: Cluster, services: Sequence[str]) -> Status:
    """Ask everything at the same time; what does not answer becomes a sentence in `wrong`."""
    found = Status()
    if cluster.run is not None:
        services = [name for name in services if f"{name}-worker" in cluster.run["urls"]]
        found.processes = await _processes(cluster.run)

    async def unless_failed(part: Awaitable[T], otherwise: T) -> T:
        try:
            return await part
        except CommandFailed as error:
            if str(error) not in found.wrong:
                found.wrong.append(str(error))
            return otherwise

    found.consumption, found.outboxes, found.dead_letters, clocks_apart = await asyncio.gather(
        unless_failed(consumption_of(cluster, services), {}),
        unless_failed(_outboxes(cluster, services), {}),
        unless_failed(_dead_letters(cluster, services), {}),
        unless_failed(_clocks_apart(cluster, services), None),
    )
    found.wrong += [
        f"{process.name} is not ready: {_words(process.says)}."
        for process in found.processes
        if not process.ready
    ]
    found.wrong += [
        f"{service} has no worker in its consumer group: nothing is handled."
        for service, consumption in found.consumption.items()
        if not consumption.workers
    ]
    found.wrong += [
        f"{service} has not published for {outbox.oldest_s:.0f} s: see its worker's log."
        for service, outbox in found.outboxes.items()
        if outbox.oldest_s > STUCK_AFTER_S
    ]
    if clocks_apart:
        found.wrong.append(f"Nobody is reminded of deadlines. {clocks_apart}")
    return found


# ── processes ────────────────────────────────────────────────────────────────────────────────


async def _processes(run: dict[str, Any]) -> list[ProcessStatus]:
    recorded: dict[str, dict[str, Any]] = run["processes"]
    # A process that has died is no longer recorded, but its address still is.
    names = [*recorded, *(name for name in run["urls"] if name not in recorded)]
    async with httpx.AsyncClient(timeout=3.0) as web:
        return await asyncio.gather(*(_process(web, name, recorded.get(name), run["urls"]) for name in names))


async def _process(
    web: httpx.AsyncClient, name: str, record: dict[str, Any] | None, urls: dict[str, str]
) -> ProcessStatus:
    if record is None or started_at(record["pid"]) != record["started"]:
        return ProcessStatus(name, False, None, None, {"status": "not running"})
    pid, port = record["pid"], record["port"]
    page = {"mail": "readyz", "issuer": "jwks.json"}.get(name, "ready")
    if "-" not in name and name not in urls:
        return ProcessStatus(name, True, pid, port, {"status": "running"})  # Kafka, MongoDB: asked below
    try:
        answer = await web.get(f"http://127.0.0.1:{port}/{page}")
    except httpx.HTTPError:
        return ProcessStatus(name, False, pid, port, {"status": "does not answer"})
    says: dict[str, Any] = {"status": "ready" if answer.is_success else "not ready"}
    if page == "ready" and answer.headers.get("content-type", "").startswith("application/json"):
        says |= answer.json()
    return ProcessStatus(name, answer.is_success, pid, port, says)


# ── Kafka and MongoDB ────────────────────────────────────────────────────────────────────────


async def _outboxes(cluster: Cluster, services: Sequence[str]) -> dict[str, Outbox]:
    async with cluster.mongo() as client:
        found = await asyncio.gather(*(_outbox(client, service) for service in services))
    return dict(zip(services, found, strict=True))


async def _outbox(client: Client, service: str) -> Outbox:
    outbox = client[f"cxc_{service}"][OUTBOX]
    try:
        oldest = await outbox.find({}, {"position": 1}).sort("position", 1).limit(1).to_list(None)
        rows = await outbox.count_documents({})
    except OperationFailure as error:
        raise CommandFailed(f"The outbox of {service} cannot be read: {error.details or error}.") from error
    return Outbox(rows, max(0.0, time.time() - oldest[0]["position"].time) if oldest else 0.0)


async def _clocks_apart(cluster: Cluster, services: Sequence[str]) -> str | None:
    """What notifications said of its clock and MongoDB's when it last looked for deadlines."""
    if "notifications" not in services:
        return None
    async with cluster.mongo() as client:
        looks = client["cxc_notifications"]["looks"]
        try:
            look = await looks.find_one({"_id": "reminders"})
        except OperationFailure as error:
            raise CommandFailed(
                f"What notifications has looked for cannot be read: {error.details or error}."
            ) from error
    return look["clocks_apart"] if look else None


async def _dead_letters(cluster: Cluster, services: Sequence[str]) -> dict[str, int]:
    found = await asyncio.gather(*(letters_of(cluster, service) for service in services))
    return {
        service: sum(not letter.replayed for letter in letters)
        for service, letters in zip(services, found, strict=True)
    }


# ── shown ────────────────────────────────────────────────────────────────────────────────────


def _show(found: Status, services: Sequence[str]) -> None:
    if found.processes:
        show_table(
            "Processes",
            ("process", "", "#pid", "#port", "says"),
            (
                (
                    process.name,
                    "ready" if process.ready else "NOT READY",
                    str(process.pid or ""),
                    str(process.port or ""),
                    _words(process.says),
                )
                for process in found.processes
            ),
        )
    if found.consumption:
        show_table(
            "Consumers",
            ("service", "#workers", "topic", "#messages behind"),
            (
                (service if first else "", str(consumption.workers) if first else "", topic, str(behind))
                for service, consumption in found.consumption.items()
                for first, (topic, behind) in _with_first(consumption.behind)
            ),
        )
    if found.outboxes or found.dead_letters:
        show_table(
            "Outbox and dead letters",
            ("service", "#unpublished rows", "#oldest, s", "#dead letters not replayed"),
            (
                (
                    service,
                    str(outbox.rows) if (outbox := found.outboxes.get(service)) else "?",
                    f"{outbox.oldest_s:.1f}" if outbox else "?",
                    str(found.dead_letters.get(service, "?")),
                )
                for service in services
                if service in found.outboxes or service in found.dead_letters
            ),
        )
    for sentence in found.wrong:
        typer.echo(printable(sentence), err=True)
    if found.ready:
        typer.echo("Everything is ready.")


def _with_first(behind: dict[str, int]) -> list[tuple[bool, tuple[str, int]]]:
    rows = list(behind.items()) or [("has never read anything", 0)]
    return [(number == 0, row) for number, row in enumerate(rows)]


def _words(says: dict[str, Any]) -> str:
    """What a process says of itself, without what the tables below say in more detail."""
    said = [str(says.get("status", ""))]
    said += ["paused"] if says.get("paused") else []
    said += [
        f"{name}: {value}"
        for name, value in says.items()
        if name not in ("status", "lag", "paused", "mongodb")
    ]
    said += [f"MongoDB: {says['mongodb']}"] if says.get("mongodb") not in (None, "ok") else []
    return printable(", ".join(said))
