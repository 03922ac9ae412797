"""Live inboxes over real HTTP and a real MongoDB: killed, slow, forgotten and foreign readers."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from ops.issuer import issue_token
from ops.processes import Child, free_port
from services.notifications import live as tuning
from services.notifications.bootstrap import Notifications
from services.notifications.domain.notification import ERASED_TEXT
from services.notifications.domain.recipients import organisation_key
from services.notifications.live import Entry, Live, Lost, News, Position, Quiet
from services.notifications.repositories import COUNTED
from services.notifications.use_cases.erase_notifications import erase_notifications
from services.notifications.use_cases.notify import notify
from shared.contracts.envelope import new_id
from shared.storage.driver import DriverName
from tests.builders import a_party, an_envelope
from tests.integration.apis import (
    EXTERNAL,
    PARTNERSHIPS,
    STAFF,
    STRANGER,
    SUPPORT_OFFICE,
    As,
    Issuer,
    participant,
    running_root,
    settings_of,
)
from tests.unit.notifications import samples

pytestmark = pytest.mark.integration

WITHIN_S = 60.0
NOTHING = {"unread": 0, "kinds": {}, "more": False}
VISITOR = participant("tagus-fibre")
VISITOR_KEY = organisation_key("tagus-fibre")
BOTH_DRIVERS = pytest.mark.parametrize("driver", ["pymongo", "motor"])

SERVE = """
import sys
from typing import ClassVar
import uvicorn
from services.notifications.api import create_app
from services.notifications.settings import NotificationsSettings

class OnItsOwnDatabase(NotificationsSettings):
    database: ClassVar[str] = sys.argv[1]

uvicorn.run(create_app(OnItsOwnDatabase.load()), port=int(sys.argv[2]), log_level="warning")
"""


class Server:
    """The API as a process of its own."""

    def __init__(
        self, directory: Path, mongo_url: str, database: str, issuer: Issuer, **settings: Any
    ) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = Child(
            "notifications-api",
            [sys.executable, "-c", SERVE, database, str(port)],
            directory / "api.log",
            environment={
                "CXC_KAFKA_BOOTSTRAP": "127.0.0.1:1",
                "CXC_MONGO_URL": mongo_url,
                "CXC_ISSUER": issuer.url,
                "CXC_JWKS_URL": issuer.jwks_url,
                "CXC_PARTNERSHIPS": str(PARTNERSHIPS),
                **{f"CXC_{name.upper()}": str(value) for name, value in settings.items()},
            },
            ready_url=f"{self.url}/ready",
        )

    async def start(self) -> None:
        self.process.start()
        await asyncio.to_thread(self.process.wait_until, lambda: self.process.is_ready, 90.0)


@pytest.fixture
async def root(mongo_url: str, database: str) -> AsyncIterator[Notifications]:
    async with running_root("notifications", settings_of("notifications", mongo_url), database) as running:
        yield running


@asynccontextmanager
async def serving(
    directory: Path, root: Notifications, mongo_url: str, issuer: Issuer, **settings: Any
) -> AsyncIterator[Server]:
    server = Server(directory, mongo_url, root.database.name, issuer, **settings)
    await server.start()
    try:
        yield server
    finally:
        await asyncio.to_thread(server.process.stop)


@dataclass
class Shared:
    """A server that several tests use one after the other, each with an organisation of its own."""

    root: Notifications
    server: Server
    issuer: Issuer

    def reader(self, who: As, **given: Any) -> Reader:
        return Reader(self.server, self.issuer.token(who), **given)


@pytest.fixture(scope="module")
async def shared(
    mongo_url: str, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shared]:
    directory = tmp_path_factory.mktemp("streams")
    settings = settings_of("notifications", mongo_url)
    async with (
        running_root("notifications", settings, f"test-streams-{new_id()}") as root,
        serving(directory, root, mongo_url, issuer) as server,
    ):
        yield Shared(root, server, issuer)
        await root.client.drop_database(root.database.name)


@dataclass
class Reader:
    """Reads a stream as a browser's EventSource does: comes back with the last id whenever it ends."""

    server: Server
    token: str
    last_id: str | None = None
    events: list[tuple[str, Any]] = field(default_factory=list)
    entry_ids: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def read_on(self, **params: Any) -> None:
        """One connection, until it ends."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        async with (
            httpx.AsyncClient(timeout=WITHIN_S, verify=False) as http,
            http.stream("GET", f"{self.server.url}/inbox/stream", headers=headers, params=params) as answer,
        ):
            self.statuses.append(answer.status_code)
            if answer.status_code != 200:
                self.events.append(("problem", orjson.loads(await answer.aread())))
                return
            told: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    told[name] = value
                    continue
                self.last_id = told.get("id", self.last_id)
                if told.get("event") == "entry":
                    self.entry_ids.append(told["id"])
                if "data" in told:
                    self.events.append((told["event"], orjson.loads(told["data"])))
                told = {}

    async def keep_reading(self) -> None:
        while True:
            with contextlib.suppress(httpx.TransportError):
                await self.read_on()
            await asyncio.sleep(0.2)

    def of(self, name: str) -> list[Any]:
        return [told for event, told in self.events if event == name]


@asynccontextmanager
async def reading(*readers: Reader) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(reader.keep_reading()) for reader in readers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def tell(root: Notifications, number: int = 1, **party: Any) -> None:
    """That many acceptances, told in one transaction to the organisation."""

    async def several(uow: Any) -> None:
        for _ in range(number):
            id = new_id()
            accepted = a_party(**{"registration_id": id, "owner": "tagus-fibre", **party})
            event = samples.an_acceptance(party=accepted)
            await notify(uow, an_envelope(event, service="registration", subject=id), event)

    await root.transactions.run(several)


async def entries_of(root: Notifications, key: str) -> list[str]:
    found = (
        await root.database["notifications"].find({"recipient_key": key, "channel": "inbox"}).to_list(None)
    )
    return [entry["_id"] for entry in found]


async def test_whatever_befalls_the_api_every_entry_comes_exactly_once(
    root: Notifications,
    tmp_path: Path,
    mongo_url: str,
    issuer: Issuer,
) -> None:
    bursts, kills = 10, (3, 6)
    async with serving(tmp_path, root, mongo_url, issuer) as server:
        visitor, colleague = (Reader(server, issuer.token(VISITOR)) for _ in range(2))
        host, port = server.url.removeprefix("http://").split(":")
        # Somebody connects and takes nothing, ever.
        mute = await asyncio.open_connection(host, int(port), limit=1)
        mute[1].write(
            f"GET /inbox/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {visitor.token}\r\n\r\n".encode()
        )
        async with reading(visitor, colleague):
            await until(lambda: bool(visitor.of("unread") and colleague.of("unread")))
            for burst in range(bursts):
                await asyncio.gather(*(tell(root, 20) for _ in range(5)))
                if burst in kills:
                    await until(lambda: bool(visitor.of("entry")))
                    await asyncio.to_thread(server.process.kill)
                    await tell(root, 10)
                    await server.start()
            wanted = Counter(await entries_of(root, VISITOR_KEY))
            number = 100 * bursts + 10 * len(kills)
            assert wanted.total() == number
            await until(lambda: len(visitor.of("entry")) >= number <= len(colleague.of("entry")))
            await until(lambda: visitor.of("unread")[-1]["unread"] == min(number, COUNTED))
        mute[1].close()
    for reader in (visitor, colleague):
        assert Counter(entry["id"] for entry in reader.of("entry")) == wanted
        assert not reader.of("reset")


async def test_what_is_read_elsewhere_is_told_with_the_figures(shared: Shared) -> None:
    reader = shared.reader(participant("reads-elsewhere"))
    headers = {"Authorization": f"Bearer {reader.token}"}
    async with reading(reader), httpx.AsyncClient(base_url=shared.server.url, headers=headers) as http:
        await until(lambda: reader.of("unread") == [NOTHING])
        await tell(shared.root, 2, owner="reads-elsewhere")
        await until(lambda: bool(reader.of("entry")) and reader.of("unread")[-1]["unread"] == 2)
        entry = (await http.get("/inbox")).json()["items"][0]
        assert entry in reader.of("entry")
        await http.post(f"/inbox/{entry['id']}/archive")
        await until(lambda: reader.of("unread")[-1]["unread"] == 1)
        await http.post("/inbox/read")
        await until(lambda: reader.of("unread")[-1]["unread"] == 0)
    archived, read = reader.of("changed")
    assert archived["id"] == entry["id"]
    assert archived["archived_at"]
    assert read["read_at"]
    assert not read["archived_at"]
    assert len(reader.of("entry")) == 2


async def test_nobody_hears_of_what_lies_in_another_inbox(shared: Shared) -> None:
    owner = participant("is-spied-on")
    reader, stranger = shared.reader(owner), shared.reader(STRANGER)
    async with reading(reader, stranger):
        await until(lambda: bool(reader.of("unread") and stranger.of("unread")))
        await tell(shared.root, 3, owner="is-spied-on")
        await until(lambda: len(reader.of("entry")) == 3)
    assert stranger.events == [("unread", NOTHING)]

    # The id of an entry in somebody else's inbox leads nowhere.
    spy = shared.reader(STRANGER, last_id=reader.entry_ids[-1])
    again = shared.reader(owner, last_id=reader.entry_ids[-1])
    await tell(shared.root, 1, owner="is-spied-on")
    await spy.read_on(seconds=0)
    await again.read_on(seconds=0)
    assert [event for event, _ in spy.events] == ["reset", "unread", "end"]
    assert len(again.of("entry")) == 1


@pytest.mark.parametrize(("who", "status"), [(None, 401), (SUPPORT_OFFICE, 403), (EXTERNAL, 403)])
async def test_who_has_no_inbox_has_no_stream(shared: Shared, who: As | None, status: int) -> None:
    reader = Reader(shared.server, shared.issuer.token(who) if who else "")
    await reader.read_on()
    assert reader.statuses == [status]


async def test_a_stream_ends_with_the_token_and_with_the_time_asked_for(shared: Shared) -> None:
    # A token is taken for ten seconds after it has expired: clocks differ.
    issuer, organisation = shared.issuer, "tagus-fibre"
    expired = issue_token(
        issuer.key, issuer=issuer.url, role="participant", organisation=organisation, lifetime_s=-2
    )
    reader = Reader(shared.server, expired)
    await reader.read_on()
    assert reader.of("end") == [{"reason": "token-expired"}]
    asked = shared.reader(VISITOR)
    await asked.read_on(seconds=0)
    assert [event for event, _ in asked.events] == ["unread", "end"]
    assert asked.of("end") == [{"reason": "time-is-up"}]


@pytest.mark.parametrize("ago_s", [None, 2**30, 7200, -7200, 0])
async def test_an_id_nobody_knows_any_more_leads_to_a_reset_and_then_goes_on(
    shared: Shared, ago_s: int | None
) -> None:
    owner = f"comes-late-{new_id()}"
    await tell(shared.root, 1, owner=owner)
    last = "nonsense" if ago_s is None else f"{int(time.time()) - ago_s}.1.{new_id()}"
    reader = shared.reader(participant(owner), last_id=last)
    await reader.read_on(seconds=0)
    assert [event for event, _ in reader.events] == ["reset", "unread", "end"]
    await tell(shared.root, 1, owner=owner)
    # The same in the address as in the header.
    again = shared.reader(participant(owner))
    await again.read_on(seconds=0, after=reader.last_id)
    assert [event for event, _ in again.events] == ["entry", "unread", "end"]
    await reader.read_on(seconds=0)
    assert reader.of("entry") == again.of("entry")


async def test_streams_are_limited_by_inbox_and_by_process_and_end_when_the_api_is_stopped(
    root: Notifications, tmp_path: Path, mongo_url: str, issuer: Issuer
) -> None:
    limits = {"inbox_streams": 3, "inbox_streams_of_one": 2}
    async with serving(tmp_path, root, mongo_url, issuer, **limits) as server:

        async def open_one(who: As) -> tuple[Reader, asyncio.Task[None]]:
            reader = Reader(server, issuer.token(who))
            connection = asyncio.create_task(reader.read_on())
            await until(lambda: bool(reader.events))
            return reader, connection

        opened = [await open_one(VISITOR) for _ in range(2)]
        third, _ = await open_one(VISITOR)
        assert third.statuses == [429]
        opened.append(await open_one(STAFF))
        fourth, _ = await open_one(STRANGER)
        assert fourth.statuses == [503]

        # The place of one that has gone is free again.
        opened[0][1].cancel()
        retried = Reader(server, issuer.token(VISITOR))
        while 200 not in retried.statuses:
            assert len(retried.statuses) < 1000
            await retried.read_on(seconds=0)

        await asyncio.to_thread(server.process.stop)
        assert server.process.exit_code in (0, -signal.SIGTERM)  # and not -SIGKILL, which is for what hangs
        for _, connection in opened[1:]:
            with contextlib.suppress(httpx.TransportError):
                await connection


async def follow(
    live: Live, into: list[News], *, after: Position | None = None, slowly: bool = False
) -> None:
    async for news in live.follow(VISITOR_KEY, after):
        into.append(news)
        if slowly and isinstance(news, Entry):
            await asyncio.sleep(0.002)


@asynccontextmanager
async def following(root: Notifications, **how: Any) -> AsyncIterator[list[News]]:
    told: list[News] = []
    live = Live(root.database, streams=10, streams_of_one=10)
    task = asyncio.create_task(follow(live, told, **how))
    try:
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await live.close()


def entries(told: list[News]) -> list[Entry]:
    return [news for news in told if isinstance(news, Entry)]


@BOTH_DRIVERS
async def test_a_reader_that_is_too_slow_for_what_is_held_catches_up(
    mongo_url: str, database: str, driver: DriverName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "HELD", 20)
    settings = settings_of("notifications", mongo_url, mongo_driver=driver)
    async with (
        running_root("notifications", settings, database) as root,
        following(root, slowly=True) as told,
    ):
        await until(lambda: any(isinstance(news, Quiet) for news in told))
        for _ in range(5):
            await tell(root, 60)
        await until(lambda: len(entries(told)) >= 300)
        assert Counter(entry.message.id for entry in entries(told)) == Counter(
            await entries_of(root, VISITOR_KEY)
        )


async def test_more_than_is_worth_catching_up_with_is_lost(
    root: Notifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "CAUGHT_UP", 5)
    async with following(root) as told:
        await until(lambda: bool(told))
    await tell(root, 5)
    async with following(root, after=told[-1].position) as some:
        await until(lambda: len(entries(some)) == 5)
    await tell(root, 1)
    async with following(root, after=told[-1].position) as many:
        await until(lambda: len(many) == 2)
    assert [type(news) for news in many] == [Lost, Quiet]


async def test_words_that_were_erased_are_not_told_to_whoever_comes_back(root: Notifications) -> None:
    async with following(root) as before:
        await until(lambda: bool(before))
    await tell(root, 1, registration_id="r-gone")
    await root.transactions.run(lambda uow: erase_notifications(uow, "r-gone"))
    async with following(root, after=before[-1].position) as told:
        await until(lambda: any(isinstance(news, Quiet) for news in told))
    assert all(entry.message.text == ERASED_TEXT for entry in entries(told))
