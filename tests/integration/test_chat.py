"""Messages to chat rooms through Apprise, against a real HTTP server: taken, refused, left hanging."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from ops.processes import Child
from services.notifications.bootstrap import Notifications
from services.notifications.chat import carry_chat
from services.notifications.domain.delivery import RetryPolicy
from services.notifications.domain.notification import Notification
from services.notifications.domain.rules import Channel
from services.notifications.domain.switchboard import Outlet
from services.notifications.outgoing import Outgoing
from services.notifications.use_cases.notify import notify
from shared.contracts.envelope import new_id, now
from shared.contracts.funding import GrantPaymentFailed
from shared.messaging.outbox import unpack
from shared.storage.driver import Document
from shared.storage.store import OUTBOX
from tests.builders import an_envelope
from tests.integration.apis import running_root, settings_of
from tests.unit.notifications import samples

pytestmark = pytest.mark.integration

WITHIN_S = 40.0
TOKEN = "t0k3n-0f-th3-r00m"


@dataclass
class ChatServer:
    """Takes what is posted, room by room; `statuses` are its next answers, the last one stays."""

    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    tried: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """While not set, the room `slow` hangs."""
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            room = head.split()[1].rsplit("/", 1)[-1].split("?")[0]
            [length] = [
                int(line.split(":")[1]) for line in head.lower().splitlines() if "content-length" in line
            ]
            body = orjson.loads(await reader.readexactly(length))
            self.tried[room] += 1
            if room == "slow":
                await self.answering.wait()
            statuses = self.statuses.get(room, [200])
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            if status == 200:
                self.taken.append((room, body))
            writer.write(f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    def subjects(self, room: str) -> list[str]:
        return [body["title"] for where, body in self.taken if where == room]


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    chat = ChatServer()
    chat.answering.set()
    listening = await asyncio.start_server(chat.serve, "127.0.0.1")
    chat.port = listening.sockets[0].getsockname()[1]
    yield chat
    chat.answering.set()
    listening.close()


@asynccontextmanager
async def house(
    mongo_url: str, database: str, tmp_path: Path, server: ChatServer, *rooms: str
) -> AsyncIterator[Notifications]:
    """The service with these rooms of HempClub's."""
    path = tmp_path / "rooms.yaml"
    url = f"json://127.0.0.1:{server.port}/{TOKEN}"
    path.write_text("hempclub:\n" + "".join(f"  {room}: {url}/{room}\n" for room in rooms))
    settings = settings_of("notifications", mongo_url, chat_targets=path, chat_timeout_s=2)
    async with running_root("notifications", settings, database) as root:
        yield root


@pytest.fixture
async def root(
    mongo_url: str, database: str, tmp_path: Path, server: ChatServer
) -> AsyncIterator[Notifications]:
    async with house(mongo_url, database, tmp_path, server, "team", "slow") as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.notifications.chat.LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(RetryPolicy, "delay", lambda self, attempts: timedelta(seconds=0.1))


@asynccontextmanager
async def carrying(root: Notifications) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    at_work = asyncio.create_task(carry_chat(root, stopping))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(at_work, WITHIN_S)


async def tell(root: Notifications, number: int = 1) -> None:
    """That many payments of HempClub's failed."""
    for _ in range(number):
        id = new_id()
        event = samples.a_grant(GrantPaymentFailed, grant_id=id, match_id=id)
        fact = an_envelope(event, service="funding", subject=id)
        await root.transactions.run(lambda uow, fact=fact, event=event: notify(uow, fact, event))  # type: ignore[misc]


async def messages(root: Notifications, **where: Any) -> list[Document]:
    found = root.database[Notification.COLLECTION].find({"channel": "chat", **where})
    return await found.sort("_id", 1).to_list(None)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not (found if isinstance(found := condition(), bool) else await found):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def settled(root: Notifications, room: str, number: int = 1) -> bool:
    address = f"hempclub/{room}"
    return len(await messages(root, address=address, state={"$nin": ["pending"]})) == number


async def test_what_presses_is_said_once_with_its_subject_words_and_link(
    root: Notifications, server: ChatServer
) -> None:
    await tell(root)
    async with carrying(root):
        await until(lambda: settled(root, "team"))
        await until(lambda: settled(root, "slow"))
    assert Counter(room for room, _ in server.taken) == {"team": 1, "slow": 1}
    [message] = await messages(root, address="hempclub/team")
    [said] = [body for room, body in server.taken if room == "team"]
    assert said["title"] == message["subject"]
    assert said["message"] == f"{message['text']}\n\n{message['link_label']}: {message['link']}"
    assert (message["state"], message["attempts"], message["claimed_by"]) == ("sent", 1, None)
    rows = await root.database[OUTBOX].find({}).to_list(None)
    sent = [orjson.loads(one.value) for row in rows for one in unpack(row)]
    assert [one["subject"] for one in sent if one["data"].get("notification_id") == message["_id"]] == [
        message["_id"]
    ]


async def test_a_room_that_hangs_holds_up_no_other_and_is_told_later(
    root: Notifications, server: ChatServer
) -> None:
    server.answering.clear()
    await tell(root, 12)
    async with carrying(root):
        await until(lambda: settled(root, "team", 12))
        assert server.subjects("slow") == []
        await until(lambda: _has_failed(root))
        server.answering.set()
        await until(lambda: settled(root, "slow", 12))
    assert len(server.subjects("team")) == 12
    # One of a room that gave no answer may have been heard all the same.
    assert 12 <= len(server.subjects("slow")) <= 12 + server.tried["slow"] - 12
    assert {one["state"] for one in await messages(root)} == {"sent"}


async def _has_failed(root: Notifications) -> bool:
    return bool(await messages(root, address="hempclub/slow", attempts={"$gt": 0}))


async def test_a_room_that_fails_for_a_while_is_tried_again_without_a_word_of_its_secrets(
    root: Notifications, server: ChatServer, capfd: pytest.CaptureFixture[str]
) -> None:
    server.statuses["team"] = [500, 500, 200]
    await tell(root, 3)
    async with carrying(root):
        await until(lambda: settled(root, "team", 3))
    found = await messages(root, address="hempclub/team")
    assert len(server.subjects("team")) == 3
    # The room was tried, and not each message in turn.
    assert sum(one["attempts"] for one in found) == 5
    replies = [one["last_reply"] for one in found if one.get("last_reply")]
    assert any("500" in reply for reply in replies)
    assert TOKEN not in str(await messages(root)) + "".join(capfd.readouterr())


async def test_a_room_that_is_no_more_is_said_to_be_gone_after_a_while(
    root: Notifications,
    server: ChatServer,
    mongo_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await tell(root)
    async with house(mongo_url, root.database.name, tmp_path, server, "slow") as smaller:
        async with carrying(smaller):
            await until(lambda: settled(root, "slow"))
        # Another worker may know the room.
        assert not await settled(root, "team")
        monkeypatch.setattr("services.notifications.chat.UNKNOWN_FOR", timedelta())
        async with carrying(smaller):
            await until(lambda: settled(root, "team"))
    [failed] = await messages(root, address="hempclub/team")
    assert (failed["state"], failed["last_reply"]) == ("failed", "there is no such chat room any more")


async def test_what_is_held_is_said_when_it_is_let_go(root: Notifications, server: ChatServer) -> None:
    async def hold(uow: Any) -> None:
        (await uow.switchboards.the_only()).hold([Outlet.CHAT], by="office", reason="Move.", at=uow.now)

    async def release(uow: Any) -> None:
        (await uow.switchboards.the_only()).release([Outlet.CHAT], by="office", reason="Done.")

    await root.transactions.run(hold)
    await tell(root)
    async with carrying(root):
        await until(lambda: _looked(root))
        assert server.taken == []
        await root.transactions.run(release)
        await until(lambda: settled(root, "team"))
    assert len(server.subjects("team")) == 1


async def _looked(root: Notifications) -> bool:
    return await root.holding.is_held(Outlet.CHAT)


async def test_what_a_courier_that_died_had_taken_comes_due_again(
    root: Notifications, server: ChatServer
) -> None:
    await tell(root, 4)
    dead = Outgoing(root.client, root.database, Channel.CHAT, address="hempclub/team")
    assert len(await dead.take(10, now() + timedelta(seconds=0.3))) == 4
    async with carrying(root):
        await until(lambda: settled(root, "team", 4))
    assert len(server.subjects("team")) == 4


CARRY = """
import asyncio, sys
from pathlib import Path
from services.notifications.bootstrap import bootstrap
from services.notifications.chat import carry_chat
from tests.integration.apis import settings_of

async def carry():
    url, database, rooms = sys.argv[1:]
    settings = settings_of("notifications", url, chat_targets=Path(rooms), chat_timeout_s=2)
    await carry_chat(await bootstrap(settings, database=database), asyncio.Event())

asyncio.run(carry())
"""


async def test_a_message_in_hand_when_the_worker_is_killed_is_said_again(
    root: Notifications, server: ChatServer, mongo_url: str, tmp_path: Path
) -> None:
    server.answering.clear()
    await tell(root, 3)
    rooms = str(root.settings.chat_targets)
    worker = Child(
        "chat-worker",
        [sys.executable, "-c", CARRY, mongo_url, root.database.name, rooms],
        tmp_path / "worker.log",
        environment={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    worker.start()
    try:
        await until(lambda: server.tried["slow"] == 1)
    finally:
        await asyncio.to_thread(worker.kill)
    server.answering.set()
    async with carrying(root):
        await until(lambda: settled(root, "slow", 3))
        await until(lambda: settled(root, "team", 3))
    # The room had taken it, and nobody was left to write that down; nothing else came twice.
    assert 3 <= len(server.subjects("slow")) <= 4
    assert 3 <= len(server.subjects("team")) <= 4
    assert {one["state"] for one in await messages(root)} == {"sent"}


async def test_two_workers_say_nothing_twice(root: Notifications, server: ChatServer) -> None:
    await tell(root, 20)
    async with carrying(root), carrying(root):
        await until(lambda: settled(root, "team", 20))
        await until(lambda: settled(root, "slow", 20))
    assert Counter(room for room, _ in server.taken) == {"team": 20, "slow": 20}


async def test_a_courier_that_is_cancelled_ends_what_is_on_its_way(
    root: Notifications, server: ChatServer
) -> None:
    server.answering.clear()
    await tell(root, 1)
    at_work = asyncio.create_task(carry_chat(root, asyncio.Event()))
    await until(lambda: server.tried["slow"] == 1)
    at_work.cancel()
    server.answering.set()
    await asyncio.gather(at_work, return_exceptions=True)
    [message] = await messages(root, address="hempclub/slow")
    assert message["state"] == "sent"
    assert len(server.subjects("slow")) == 1
