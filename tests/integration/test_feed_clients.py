"""The clients of the feed in `examples/`: killed again and again, they hold every number once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from ops.issuer import issue_token
from ops.platform import Platform, Ports
from shared.contracts.envelope import new_id
from shared.messaging.topics import REGISTRATION_INBOX
from tests.builders import a_submission, an_inbox_event
from tests.conftest import Servers
from tests.integration.apis import PARTNERSHIPS
from tests.node import javascript_sdk_reads, node

pytestmark = pytest.mark.integration

EXAMPLES = Path(__file__).parents[2] / "examples"
KILLS = 20
WITHIN_S = 90.0


@pytest.fixture(scope="module")
async def platform(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    with Platform(
        tmp_path_factory.mktemp("feed-clients"),
        ports=Ports.any(),
        servers=["issuer"],
        services=["registration"],
        kafka_bootstrap=servers.kafka_bootstrap,
        mongo_url=servers.mongo_url,
        partnerships=PARTNERSHIPS,
    ) as running:
        await asyncio.to_thread(running.start)
        await asyncio.to_thread(running.wait_ready)
        yield running


class Reader:
    """An example client, in a directory of its own, for one outside system's scope."""

    def __init__(self, language: str, platform: Platform, directory: Path) -> None:
        self.source = f"/sample/{language}-{new_id()}"
        self.file = directory / "changes.jsonl"
        token = issue_token(
            platform.issuer_key, issuer=platform.issuer_url, role="external", subject=self.source
        )
        self.headers = {"Authorization": f"Bearer {token}"}
        (directory / "token").write_text(token + "\n")
        self._directory = directory
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CXC_")},
            "API": platform.api_url("registration"),
            "TOKEN_FILE": "token",
        }
        self._command = {
            "python": lambda: [sys.executable, str(EXAMPLES / "python" / "follow_feed.py")],
            "node": lambda: [str(node() / "node"), str(EXAMPLES / "node" / "follow-feed.mjs")],
        }[language]()

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command, cwd=self._directory, env=self._environment, stdout=subprocess.DEVNULL
        )

    def size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def held(self) -> list[dict[str, Any]]:
        """The changes on whole lines."""
        lines = self.file.read_bytes().splitlines(keepends=True) if self.file.exists() else []
        return [orjson.loads(line) for line in lines if line.endswith(b"\n")]


async def until(condition: Callable[[], bool | Awaitable[bool]], within_s: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not (found if isinstance(found := condition(), bool) else await found):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def whole_feed(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = (await api.get("/feed", params={"after": len(found), "limit": 1000})).raise_for_status().json()
        found += [{"feed": page["feed"], **item} for item in page["items"]]
        if page["next"] == page["last"]:
            return found


@pytest.mark.parametrize("language", ["python", "node"])
async def test_a_reader_that_is_killed_again_and_again_holds_every_number_once(
    language: str, platform: Platform, tmp_path: Path
) -> None:
    reader = Reader(language, platform, tmp_path)
    sent: list[str] = []
    enough = asyncio.Event()

    async def registrations_flow() -> None:
        async with AIOKafkaProducer(bootstrap_servers=platform.kafka_bootstrap) as producer:
            while not enough.is_set():
                event = an_inbox_event(a_submission(), source=reader.source, subject=new_id())
                await producer.send_and_wait(
                    REGISTRATION_INBOX, orjson.dumps(event), key=event["subject"].encode()
                )
                sent.append(event["id"])
                await asyncio.sleep(0.01)

    flowing = asyncio.create_task(registrations_flow())
    try:
        for kill in range(KILLS):
            before = reader.size()
            process = reader.start()
            try:
                await until(lambda before=before: reader.size() > before)  # type: ignore[misc]
            finally:
                process.kill()
                process.wait()
            # What it speaks with may die as well.
            if kill in (6, 13):
                other = platform.children["registration-api" if kill == 6 else "registration-worker"]
                await asyncio.to_thread(other.kill)
                other.start()
    finally:
        enough.set()
        await flowing
    with reader.file.open("ab") as file:
        file.write(b'{"feed":"torn')  # the line it was writing when it was killed

    async with httpx.AsyncClient(base_url=platform.api_url("registration"), headers=reader.headers) as api:

        async def all_answered() -> bool:
            answers = {
                change["event"]["data"].get("inbox_event_id")
                for change in await whole_feed(api)
                if change["event"]["type"] == "cxc.registration.screened.v1"
            }
            return answers >= set(sent)

        await until(all_answered)
        feed = await whole_feed(api)
    process = reader.start()
    try:
        await until(lambda: len(reader.held()) >= len(feed))
    finally:
        process.kill()
        process.wait()

    held = reader.held()
    assert [change["number"] for change in held] == list(range(1, len(feed) + 1))
    assert held == feed
    assert len(sent) >= KILLS
    javascript_sdk_reads([orjson.dumps(change["event"]) for change in held])


@pytest.mark.parametrize("language", ["python", "node"])
async def test_a_reader_stops_loudly_at_a_hole_and_at_another_feed_s_numbers(
    language: str, platform: Platform, tmp_path: Path
) -> None:
    reader = Reader(language, platform, tmp_path)

    async def refuses(lines: list[dict[str, Any]]) -> str:
        reader.file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        process = await asyncio.create_subprocess_exec(
            *reader._command, cwd=tmp_path, env=reader._environment, stderr=subprocess.PIPE
        )
        async with asyncio.timeout(WITHIN_S):
            _, said = await process.communicate()
        assert process.returncode == 1
        return said.decode()

    one: dict[str, Any] = {"feed": "a", "number": 1, "event": {}}
    assert "something is missing" in await refuses([one, {**one, "number": 3}])
    assert "comes twice" in await refuses([one, one])
    assert "one of feed b" in await refuses([one, {**one, "number": 2, "feed": "b"}])
    assert "409" in await refuses([one, {**one, "number": 2}])
