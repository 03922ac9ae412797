"""One service's processes as ops meet them: control topic, health, metrics, the end, and missing settings."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import AsyncMongoClient

from ops.platform import Platform, Ports
from ops.processes import Child
from shared.contracts.envelope import new_id
from shared.messaging import topics
from tests.builders import a_submission, an_inbox_event
from tests.conftest import Servers
from tests.integration.apis import PARTNERSHIPS

pytestmark = pytest.mark.integration


class Registration:
    """The registration service as two processes, on the Kafka and MongoDB of the tests."""

    def __init__(
        self, platform: Platform, http: httpx.AsyncClient, mongo: AsyncMongoClient[dict[str, Any]]
    ) -> None:
        self.platform = platform
        self._http = http
        self._mongo = mongo

    @property
    def worker(self) -> Child:
        return self.platform.children["registration-worker"]

    async def page(self, name: str, path: str) -> httpx.Response:
        return await self._http.get(f"http://127.0.0.1:{self.platform.port(name)}{path}")

    async def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.page("registration-worker", "/ready")).json()
        return found

    async def say(self, command: Any) -> None:
        """Something on the service's control topic."""
        await self._publish(topics.control("registration"), command)

    async def register(self) -> str:
        """A registration from outside; returns the sender's reference."""
        reference = f"REG-{new_id()}"
        event = an_inbox_event(a_submission(), source="/sample/worker-test", subject=reference)
        await self._publish(topics.REGISTRATION_INBOX, event)
        return reference

    async def has(self, reference: str) -> bool:
        found = await self._mongo["cxc_registration"]["registrations"].find_one(
            {"origin.reference": reference}
        )
        return found is not None

    async def _publish(self, topic: str, content: Any) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.platform.kafka_bootstrap) as producer:
            await producer.send_and_wait(topic, json.dumps(content).encode(), key=b"k")

    def log(self) -> list[dict[str, Any]]:
        """What the worker has logged, as far as its lines are JSON."""
        lines = (self.platform.log_directory / "registration-worker.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture(scope="module")
async def registration_service(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Registration]:
    platform = Platform(
        tmp_path_factory.mktemp("worker"),
        ports=Ports.any(),
        servers=["issuer"],
        services=["registration"],
        kafka_bootstrap=servers.kafka_bootstrap,
        mongo_url=servers.mongo_url,
        partnerships=PARTNERSHIPS,
    )
    with platform:
        await asyncio.to_thread(platform.start)
        await asyncio.to_thread(platform.wait_ready)
        async with (
            httpx.AsyncClient(timeout=10) as http,
            AsyncMongoClient[dict[str, Any]](servers.mongo_url) as mongo,
        ):
            yield Registration(platform, http, mongo)


async def until(
    condition: Callable[[], Any], within_s: float = 60, told: Callable[[], Any] | None = None
) -> None:
    """Wait for it; `told` says what was not so when it did not come true in time."""
    deadline = time.monotonic() + within_s
    while not await condition():
        if time.monotonic() >= deadline:
            pytest.fail(await told() if told else "the condition did not come true in time")
        await asyncio.sleep(0.05)


async def test_a_paused_worker_takes_nothing_until_it_is_resumed(registration_service: Registration) -> None:
    service = registration_service
    reference = await service.register()
    await until(lambda: service.has(reference))

    async def paused() -> bool:
        # Said again and again: a worker that has just joined hears only what is said from then on.
        await service.say({"command": "pause"})
        return bool((await service.ready())["paused"])

    async def behind() -> bool:
        return bool((await service.ready())["lag"])

    await until(paused)
    waiting = await service.register()
    await until(behind)
    assert not await service.has(waiting)
    assert (await service.page("registration-worker", "/ready")).status_code == 200  # paused is no fault

    await service.say({"command": "resume"})
    await until(lambda: service.has(waiting))
    assert (await service.ready())["paused"] is False


async def test_a_worker_changes_its_log_level_and_survives_bad_commands(
    registration_service: Registration,
) -> None:
    service = registration_service

    def heard(command: dict[str, Any]) -> bool:
        return any(line.get("said") == command for line in service.log())

    def resume() -> dict[str, Any]:
        """Harmless, and told apart from the others."""
        return {"command": "resume", "note": new_id()}

    async def listens() -> bool:
        await service.say(again)
        return heard(again)

    again = resume()
    await until(listens)
    unheard, late = resume(), resume()
    nonsense: list[Any] = [
        {"command": "dance"},
        {"level": "info"},
        [],
        7,
        {"command": "log_level", "level": "x"},
    ]
    for command in (
        {"command": "log_level", "level": "warning"},
        unheard,
        *nonsense,
        {"command": "log_level", "level": "info"},
        late,
    ):
        await service.say(command)

    async def told() -> bool:
        return heard(late)

    await until(told)
    assert not heard(unheard)  # obeyed, but that is no warning
    assert sum(line["event"] == "control_command_ignored" for line in service.log()) == len(nonsense)
    reference = await service.register()
    await until(lambda: service.has(reference))


async def test_health_and_metrics_answer_on_both_processes(registration_service: Registration) -> None:
    service = registration_service
    reference = await service.register()
    await until(lambda: service.has(reference))
    for name in ("registration-worker", "registration-api"):
        assert (await service.page(name, "/live")).json() == {"status": "live"}
        ready = await service.page(name, "/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        metrics = await service.page(name, "/metrics")
        assert metrics.headers["content-type"].startswith("text/plain")

    samples = (
        'cxc_messages_consumed_total{outcome="handled",service="registration"}',
        'cxc_batch_messages_bucket{le="1.0",service="registration"}',
        'cxc_batch_seconds_sum{service="registration"}',
        'cxc_consumer_lag{partition="0",service="registration",topic="cxc.registration.inbox"} 0.0',
        'cxc_outbox_published_total{service="registration"}',
        'cxc_outbox_oldest_seconds{service="registration"}',
        'cxc_relay_active{service="registration"} 1.0',
    )

    async def missing() -> str:
        """What is not measured yet, with all that is."""
        worker = (await service.page("registration-worker", "/metrics")).text
        absent = [sample for sample in samples if sample not in worker]
        return "\n".join([*absent, "is missing from", worker]) if absent else ""

    async def measured() -> bool:
        return not await missing()

    await until(measured, told=missing)
    worker = (await service.page("registration-worker", "/metrics")).text
    for name in ("cxc_batch_retries_total", "cxc_dead_letters_total"):
        assert f"# TYPE {name.removesuffix('_total')}" in worker
    api = (await service.page("registration-api", "/metrics")).text
    assert (
        'cxc_http_request_seconds_count{method="GET",route="/ready",service="registration",status="200"}'
        in api
    )


async def test_on_sigterm_the_worker_leaves_its_group_and_ends(registration_service: Registration) -> None:
    service = registration_service
    reference = await service.register()
    await until(lambda: service.has(reference))

    async def members() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=service.platform.kafka_bootstrap)
        await admin.start()
        try:
            [answer] = await admin.describe_consumer_groups([topics.group("registration")])
            return len(answer.groups[0][5])
        finally:
            await admin.close()

    async def joined() -> bool:
        return await members() == 1 and service.worker.is_ready

    await until(joined)
    pid = service.worker.pid
    assert pid is not None
    service.worker.ask_to_stop()

    async def gone() -> bool:
        return not service.worker.alive

    await until(gone, within_s=service.worker.stop_within_s)
    assert service.worker.exit_code == 0
    # Not when its session has run out, which would hold up whoever takes over: at once.
    assert await members() == 0
    service.worker.start()
    await until(joined)


PROCESSES = {
    "api": ["uvicorn", "services.registration.api:create_app", "--factory", "--port", "0"],
    "worker": ["faust", "-A", "services.registration.worker", "worker"],
}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_without_its_settings_says_which_and_ends_with_2(process: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CXC_")}
    ended = subprocess.run(
        [sys.executable, "-m", *PROCESSES[process]],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2]), "CXC_BATCH_SIZE": "many"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    for name in ("CXC_KAFKA_BOOTSTRAP", "CXC_MONGO_URL", "CXC_ISSUER", "CXC_JWKS_URL", "CXC_BATCH_SIZE"):
        assert f"  {name}: " in ended.stderr
    assert "Traceback" not in ended.stderr
