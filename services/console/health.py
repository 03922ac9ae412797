"""How the processes of the platform are: what their health pages and their metrics say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.console.settings import ConsoleSettings
from shared.messaging.topics import SERVICES, ServiceName

LAG: Final = "cxc_consumer_lag"
OLDEST: Final = "cxc_outbox_oldest_seconds"
_ANSWERS_WITHIN_S: Final = 3.0
_STUCK_AFTER_S: Final = 60.0
"""An outbox row this old means that nothing is published."""


@dataclass(frozen=True)
class Process:
    """One api or worker, and its own word on how it is."""

    name: str
    ready: bool
    says: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """What it says beyond being ready, in one line."""
        left_out = ("status", "lag", "service")
        said = [f"{name}: {value}" for name, value in self.says.items() if name not in left_out]
        return ", ".join(said)


@dataclass
class ServiceHealth:
    """The processes of one service, and what its worker measures."""

    service: ServiceName
    api: Process
    workers: list[Process] = field(default_factory=list)
    behind: int | None = None
    """Messages not yet handled; None where no worker says."""
    oldest_s: float | None = None
    """Age of the oldest row of the outbox, in seconds; None where no worker says."""

    @property
    def well(self) -> bool:
        """Whether nothing keeps its work from being done, as far as it is known."""
        processes = [self.api, *self.workers]
        return all(one.ready for one in processes) and (self.oldest_s or 0.0) < _STUCK_AFTER_S


async def health_of(settings: ConsoleSettings) -> list[ServiceHealth]:
    """Every service; all are asked at the same time, and none is waited for longer than three seconds."""
    urls: dict[ServiceName, str] = {**settings.api_urls, "console": ""}
    async with httpx.AsyncClient(timeout=_ANSWERS_WITHIN_S) as client:
        apis, workers = await asyncio.gather(
            asyncio.gather(*(_process(client, f"{name}-api", urls[name]) for name in SERVICES)),
            asyncio.gather(*(_worker(client, *worker) for worker in settings.worker_urls)),
        )
    found = {name: ServiceHealth(name, api) for name, api in zip(SERVICES, apis, strict=True)}
    for (service, _), (worker, measured) in zip(settings.worker_urls, workers, strict=True):
        of = found[service]
        of.workers.append(worker)
        if (lag := measured.get(LAG)) is not None:  # each worker measures its own partitions
            of.behind = (of.behind or 0) + int(lag)
        if (oldest := measured.get(OLDEST)) is not None:
            of.oldest_s = max(of.oldest_s or 0.0, oldest)
    return list(found.values())


async def _process(client: httpx.AsyncClient, name: str, url: str) -> Process:
    if not url:
        return Process(name, True)  # it is the one that asks
    try:
        answer = await client.get(f"{url}/ready")
        said = answer.json()
    except (httpx.HTTPError, ValueError):
        return Process(name, False, {"status": "does not answer"})
    return Process(name, answer.is_success, said if isinstance(said, dict) else {})


async def _worker(
    client: httpx.AsyncClient, service: ServiceName, url: str
) -> tuple[Process, dict[str, float]]:
    process = await _process(client, f"{service}-worker", url)
    try:
        return process, measures((await client.get(f"{url}/metrics")).text, service)
    except (httpx.HTTPError, ValueError):
        return process, {}


def measures(text: str, service: str) -> dict[str, float]:
    """The lag and the age of the outbox of a service, from Prometheus' format; all labels summed up."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in (LAG, OLDEST) and sample.labels.get("service") == service:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found
