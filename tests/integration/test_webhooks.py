"""Webhooks on a real MongoDB, with real receivers on loopback: hanging, failing, gone, and well again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from aiohttp import web
from fastapi import FastAPI

from ops.processes import free_port
from services.notifications.api import create_app
from services.notifications.bootstrap import bootstrap
from services.notifications.domain.switchboard import Outlet
from services.notifications.handlers import handlers
from services.notifications.use_cases.erase_notifications import erase_notifications
from services.notifications.use_cases.hold_outgoing import hold_outgoing
from services.notifications.use_cases.release_outgoing import release_outgoing
from services.notifications.webhooks.delivery import Delivery
from services.notifications.webhooks.dispatcher import AT_ONCE, Dispatcher, send_webhooks
from services.notifications.webhooks.endpoint import Endpoint
from services.notifications.webhooks.lanes import WAITING, Lanes
from services.notifications.webhooks.schedule import SPREAD, WAITS, Answer
from services.notifications.webhooks.signatures import new_secret, signed_headers
from services.notifications.webhooks.subscriptions import know_endpoints
from services.notifications.webhooks.sweeps import delete_deliveries
from shared.contracts.envelope import CloudEvent, now
from shared.contracts.matching import MatchAgreed
from shared.messaging.consumer import BatchConsumer
from shared.messaging.outbox import unpack
from shared.messaging.topics import events
from shared.scopes import WITHHELD
from shared.security import Caller, CallerRole
from shared.storage.driver import Document
from shared.storage.store import OUTBOX
from tests.builders import A_SECRET, a_host_party, a_message, a_party, an_approved_match, an_envelope
from tests.integration.apis import (
    AUDITOR,
    EXTERNAL,
    NOBODY,
    OTHER_STAFF,
    STAFF,
    STRANGER,
    SUPPORT_OFFICE,
    Api,
    As,
    Issuer,
    pointers,
    problem,
    running_api,
    settings_of,
)
from tests.integration.test_docs import INTEGRATING, need
from tests.node import environment, node, node_modules
from tests.receivers import Received, Receiver, authority_file

pytestmark = pytest.mark.integration

DEADLINE_S = 30.0
STANDARD_WEBHOOKS = Path(__file__).parents[1] / "contracts" / "standard_webhooks" / "package.json"
RECEIVER = Path(__file__).parents[2] / "examples" / "node" / "receive-webhooks.mjs"
PORTS = [free_port() for _ in range(8)]
"""Where receivers listen; the settings allow these."""


@dataclass
class Clock:
    """The service's clock, that goes when it is told to."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Stage:
    """The API, the worker's companions when a test runs them, and the clock."""

    api: Api
    clock: Clock

    @property
    def root(self) -> Any:
        return self.api.root

    def wait(self, time: timedelta) -> None:
        """Let the clock go, and the worker look at it."""
        self.clock.at += time
        self.root.wake()

    @asynccontextmanager
    async def working(self, dispatchers: int = 1) -> AsyncIterator[None]:
        """The worker's companions at work."""
        stopping = asyncio.Event()
        companions = [know_endpoints, *[send_webhooks] * dispatchers]
        tasks = [asyncio.ensure_future(companion(self.root, stopping)) for companion in companions]
        try:
            yield
        finally:
            stopping.set()
            await asyncio.wait_for(asyncio.gather(*tasks), DEADLINE_S)

    async def registers(self, receiver: Receiver, *, by: As = EXTERNAL, **given: Any) -> dict[str, Any]:
        """A new endpoint of the receiver, known to the worker."""
        answer = await self.api.post("/webhooks", by, {"url": receiver.url(), "events": ["*"], **given})
        assert answer.status_code == 201, answer.text
        await self.root.subscriptions.look(self.root.database)
        endpoint: dict[str, Any] = answer.json()
        return endpoint

    async def happens(self, *facts: CloudEvent) -> list[str]:
        """The events, consumed as the worker does; their ids."""
        consumer = BatchConsumer(handlers, self.root.transactions, after_commit=self.root.wake)
        messages = [a_message(fact, topic=events("matching")) for fact in facts]
        await consumer.consume([one._replace(offset=number) for number, one in enumerate(messages)])
        return [fact.id for fact in facts]

    async def get(self, endpoint: dict[str, Any], path: str = "", **params: Any) -> dict[str, Any]:
        answer = await self.api.get(f"/webhooks/{endpoint['id']}{path}", EXTERNAL, **params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def states(self, endpoint: dict[str, Any]) -> list[str]:
        """The states of its deliveries in the order of events."""
        items = (await self.get(endpoint, "/deliveries"))["items"]
        return [item["state"] for item in reversed(items)]


@pytest.fixture(scope="module")
async def stage(
    mongo_url: str, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    settings = settings_of(
        "notifications",
        mongo_url,
        issuer,
        seal_key=A_SECRET,
        support_office_email="office@support.example",
        webhook_networks="127.0.0.0/8",
        webhook_plain_http=True,
        webhook_ports=",".join(map(str, PORTS)),
        webhook_ca_file=authority_file(tmp_path_factory.mktemp("authority")),
        webhook_timeout_s=5,
        webhook_connections=4,
    )
    clock = Clock(now())
    app = create_app(settings)
    root = await bootstrap(settings, database=f"test-webhooks-{os.getpid()}", clock=clock)
    app.state.root = root
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://notifications.example") as http:
            yield Stage(Api(app, http, root, issuer), clock)
    finally:
        await root.client.drop_database(root.database.name)
        await root.close()


@pytest.fixture(autouse=True)
async def _begin_empty(stage: Stage) -> AsyncIterator[None]:
    stage.clock.at = now()
    yield
    for name in await stage.root.database.list_collection_names():
        await stage.root.database[name].delete_many({})
    await stage.root.subscriptions.look(stage.root.database)


@pytest.fixture
async def receivers() -> AsyncIterator[Callable[..., Awaitable[Receiver]]]:
    """Opens receivers on the allowed ports, one after the other."""
    async with AsyncExitStack() as open_ones:
        free = iter(PORTS)

        async def receiver(**given: Any) -> Receiver:
            return await open_ones.enter_async_context(Receiver(next(free), **given).listening())

        yield receiver


Receivers = Callable[..., Awaitable[Receiver]]


def matches(number: int, case: str = "m-1") -> list[CloudEvent]:
    """Changes of one match, one after the other; its visitor came from the outside system."""
    approved = an_approved_match(
        case,
        visitor=a_party(f"v-{case}", source="/sample/crm"),
        host=a_host_party(f"h-{case}", partnership="woolclub", email="desk@navigli.example"),
    )
    match = MatchAgreed.model_validate(approved.model_dump())
    return [
        an_envelope(match, service="matching", subject=case, sequence=sequence)
        for sequence in range(1, number + 1)
    ]


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not (found if isinstance(found := condition(), bool) else await found):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def ids(received: list[Received]) -> list[str]:
    return [one.event["id"] for one in received]


# ── what arrives ─────────────────────────────────────────────────────────────────────────────


async def test_an_event_arrives_signed_as_the_feed_shows_it_and_its_attempt_is_in_the_log(
    stage: Stage, receivers: Receivers
) -> None:
    receiver = await receivers()
    endpoint = await stage.registers(receiver, events=["cxc.match.*"], description="CRM")
    async with stage.working():
        [id] = await stage.happens(*matches(1))
        await until(lambda: bool(receiver.received))
        await until(lambda: all_are(stage, endpoint, "delivered"))
    [received] = receiver.received
    assert received.event["id"] == id
    assert received.event["data"]["host"]["email"] == WITHHELD
    moment = datetime.fromtimestamp(int(received.headers["webhook-timestamp"]), tz=stage.clock.at.tzinfo)
    assert (
        received.headers | signed_headers(received.id, moment, received.body, [endpoint["secret"]])
        == received.headers
    )

    [entry] = (await stage.get(endpoint, "/deliveries"))["items"]
    assert (entry["id"], entry["event_id"], entry["subject"]) == (received.id, id, "m-1")
    whole = await stage.get(endpoint, f"/deliveries/{entry['id']}")
    assert whole["event"] == received.event
    [attempt] = whole["attempts"]
    assert (attempt["status"], attempt["why"]) == (204, None)
    assert (await stage.get(endpoint))["waiting"] == 0
    stored = await stage.root.database[Endpoint.COLLECTION].find_one({"_id": endpoint["id"]})
    assert endpoint["secret"].removeprefix("whsec_") not in str(stored)


async def all_are(stage: Stage, endpoint: dict[str, Any], state: str) -> bool:
    return set(await stage.states(endpoint)) == {state}


async def test_one_after_the_other_in_the_order_of_each_case(stage: Stage, receivers: Receivers) -> None:
    receiver = await receivers()
    await stage.registers(receiver)
    async with stage.working(dispatchers=3):
        sent = await stage.happens(*matches(30), *matches(10, "m-2"))
        sent += await stage.happens(*matches(30))
        await until(lambda: len(receiver.received) >= 70)
    assert sorted(ids(receiver.received)) == sorted(sent)
    assert receiver.most_at_once == 1
    for case in ("m-1", "m-2"):
        arrived = [one.event["id"] for one in receiver.received if one.event["subject"] == case]
        assert arrived == [id for id in sent if id in arrived]


async def test_a_receiver_that_fails_gets_everything_in_order_once_it_is_well(
    stage: Stage, receivers: Receivers
) -> None:
    receiver = await receivers(answers=[500, 503, 204])
    endpoint = await stage.registers(receiver)
    async with stage.working():
        sent = await stage.happens(*matches(3))
        for failures in (1, 2):
            await until(lambda failures=failures: failing(stage, endpoint, failures))  # type: ignore[misc]
            stage.wait(WAITS[failures - 1] * (1 + SPREAD))
        await until(lambda: all_are(stage, endpoint, "delivered"))
    assert ids(receiver.received) == [sent[0], sent[0], *sent]
    assert len({one.id for one in receiver.received[:3]}) == 1
    [third, second, first] = (await stage.get(endpoint, "/deliveries"))["items"]
    assert sorted(one["attempts"] for one in (first, second, third)) == [1, 1, 3]
    assert (await stage.get(endpoint))["failing_since"] is None


async def failing(stage: Stage, endpoint: dict[str, Any], attempts: int) -> bool:
    """Whether so many attempts of one delivery have failed, and it is known when the next one is due."""
    found = await stage.get(endpoint)
    items = (await stage.get(endpoint, "/deliveries"))["items"]
    due = found["next_attempt_at"]
    return (
        max(item["attempts"] for item in items) == attempts
        and due is not None
        and datetime.fromisoformat(due) > stage.clock.at
    )


async def test_one_that_hangs_holds_up_nobody_else(stage: Stage, receivers: Receivers) -> None:
    hanging = [await receivers() for _ in range(3)]
    for receiver in hanging:
        receiver.open.clear()
        await stage.registers(receiver)
    quick = await receivers()
    endpoint = await stage.registers(quick)
    async with stage.working():
        await stage.happens(*matches(20))
        await until(lambda: all_are(stage, endpoint, "delivered"))
        assert len(quick.received) == 20
        assert [len(receiver.received) for receiver in hanging] == [1, 1, 1]
        for receiver in hanging:
            receiver.open.set()
        await until(lambda: all(len(receiver.received) == 20 for receiver in hanging))


async def test_whoever_looks_for_work_goes_through_no_delivery(stage: Stage) -> None:
    looked = {"distinct": Delivery.COLLECTION, "key": "endpoint", "query": WAITING}
    plan = await stage.root.database.command("explain", looked, verbosity="queryPlanner")
    assert "DISTINCT_SCAN" in str(plan["queryPlanner"]["winningPlan"])
    assert "FETCH" not in str(plan["queryPlanner"]["winningPlan"])


async def test_what_a_receiver_says_to_words_that_are_erased_meanwhile_is_not_kept(stage: Stage) -> None:
    wanted = {"url": f"https://127.0.0.1:{PORTS[0]}/", "events": ["*"]}
    endpoint = (await stage.api.post("/webhooks", EXTERNAL, wanted)).json()
    await stage.root.subscriptions.look(stage.root.database)
    await stage.happens(*matches(1))
    lanes = Lanes(stage.root.database)
    [delivery] = await lanes.next(endpoint["id"], 1)
    await stage.root.transactions.run(lambda uow: erase_notifications(uow, "v-m-1"))
    echo = Answer(at=now(), ms=1, status=200, said=delivery.body[:512])
    await lanes.delivered(delivery, echo, now())
    [left] = (await stage.get(endpoint, "/deliveries"))["items"]
    assert (left["state"], left["attempts"]) == ("waiting", 0)


class Tarpits:
    """In place of what sends: receivers that take everything, and say so late."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.most = 0
        """So many that are known for it were waited for at once."""
        self._waited_for = 0

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], at: datetime) -> Answer:
        known = self.taken[url] >= AT_ONCE
        self._waited_for += known
        self.most = max(self.most, self._waited_for)
        await asyncio.sleep(0.002)
        self._waited_for -= known
        self.taken[url] += 1
        return Answer(at=at, ms=15_000, status=200)


async def test_those_that_answer_late_share_a_few_connections(stage: Stage) -> None:
    for number in range(4):
        wanted = {"url": f"https://127.0.0.1:{PORTS[0]}/{number}", "events": ["*"]}
        assert (await stage.api.post("/webhooks", EXTERNAL, wanted)).status_code == 201
    await stage.root.subscriptions.look(stage.root.database)
    await stage.happens(*matches(2 * AT_ONCE))
    tarpits, stopping = Tarpits(), asyncio.Event()
    working = asyncio.ensure_future(Dispatcher(stage.root, tarpits, connections=4).run(stopping))
    await until(lambda: tarpits.taken.total() == 8 * AT_ONCE)
    stopping.set()
    await working
    assert tarpits.most == 1


@pytest.mark.parametrize("program", ["receive.py", "receive.mjs"])
async def test_what_the_page_shows_subscribes_and_takes_what_is_genuine_and_nothing_else(
    program: str, stage: Stage, tmp_path: Path
) -> None:
    need("sh", "curl")
    for name in ("subscribe.sh", program):
        (tmp_path / name).write_text(INTEGRATING[name], encoding="utf-8")
    url = f"http://127.0.0.1:{PORTS[0]}/cxc"
    async with served(stage.api.app, PORTS[1]) as api:
        given = {"TOKEN": stage.api.issuer.token(EXTERNAL), "URL": url, "NOTIFICATIONS": api}
        subscribed = await asyncio.create_subprocess_exec(
            "sh", "subscribe.sh", cwd=tmp_path, env=os.environ | given, stdout=asyncio.subprocess.PIPE
        )
        endpoint = orjson.loads((await subscribed.communicate())[0])
    await stage.root.subscriptions.look(stage.root.database)

    if program.endswith(".mjs"):
        (tmp_path / "node_modules").symlink_to(node_modules(STANDARD_WEBHOOKS))
    receiving = await asyncio.create_subprocess_exec(
        sys.executable if program.endswith(".py") else str(node() / "node"),
        program,
        cwd=tmp_path,
        env={**environment(), "SECRET": endpoint["secret"], "PORT": str(PORTS[0])},
        stdout=asyncio.subprocess.PIPE,
    )
    assert receiving.stdout is not None
    try:
        await until(lambda: is_listening(PORTS[0]))
        async with stage.working():
            await stage.happens(*matches(2))
            await until(lambda: all_are(stage, endpoint, "delivered"))
        async with asyncio.timeout(DEADLINE_S):
            said = [(await receiving.stdout.readline()).decode().split() for _ in range(2)]
        async with httpx.AsyncClient() as stranger:
            headers = signed_headers("forged", now(), b"{}", [new_secret()])
            forged = await stranger.post(url, content=b"{}", headers=headers)
    finally:
        receiving.kill()
        await receiving.wait()
    log = (await stage.get(endpoint, "/deliveries"))["items"]
    assert {tuple(line) for line in said} == {("cxc.match.agreed.v1", "m-1", entry["id"]) for entry in log}
    assert forged.status_code == 401


async def test_the_example_holds_every_event_once_though_it_is_killed_and_all_is_sent_again(
    stage: Stage, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{PORTS[0]}/"
    endpoint = await stage.registers(Receiver(), url=url)
    file = tmp_path / "webhooks.jsonl"
    given = {**environment(), "SECRET": f"{new_secret()} {endpoint['secret']}", "PORT": str(PORTS[0])}
    sent = []
    async with stage.working():
        for round in range(2):
            receiving = await asyncio.create_subprocess_exec(
                str(node() / "node"),
                str(RECEIVER),
                cwd=tmp_path,
                env=given,
                stdout=asyncio.subprocess.DEVNULL,
            )
            try:
                await until(lambda: is_listening(PORTS[0]))
                sent += await stage.happens(*matches(5))
                if round:
                    everything = {"since": stage.clock.at.isoformat(), "only": "all"}
                    await stage.api.post(f"/webhooks/{endpoint['id']}/replay", EXTERNAL, everything)
                await until(lambda: all_are(stage, endpoint, "delivered"))
                async with httpx.AsyncClient() as stranger:
                    forged = signed_headers("forged", now(), b"{}", [new_secret()])
                    assert (await stranger.post(url, content=b"{}", headers=forged)).status_code == 401
            finally:
                receiving.kill()
                await receiving.wait()
            with file.open("ab") as torn:
                torn.write(b'{"id":"torn')  # the line it was writing when it was killed
    lines = file.read_bytes().splitlines()[:-1]
    assert [orjson.loads(line)["event"]["id"] for line in lines] == sent


@asynccontextmanager
async def served(app: FastAPI, port: int) -> AsyncIterator[str]:
    """The API over HTTP, at the URL given."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


# ── what does not ────────────────────────────────────────────────────────────────────────────


async def test_after_a_day_of_failures_it_is_disabled_its_owner_told_and_goes_on_where_it_stopped(
    stage: Stage, receivers: Receivers
) -> None:
    receiver = await receivers(answers=[500])
    endpoint = await stage.registers(receiver, contact="crm@tagus.example")
    began = stage.clock.at
    async with stage.working():
        sent = await stage.happens(*matches(2))
        for failures, wait in enumerate(WAITS, 1):
            await until(lambda failures=failures: failing(stage, endpoint, failures))  # type: ignore[misc]
            stage.wait(wait * (1 + SPREAD))
        await until(lambda: is_disabled(stage, endpoint))
        assert stage.clock.at - began > timedelta(hours=24)
        assert await stage.states(endpoint) in (["failed", "waiting"], ["waiting", "failed"])
        assert len(receiver.received) == len(WAITS) + 1

        disabled = (await stage.get(endpoint))["disabled"]
        assert disabled["by"] == "the platform"
        assert "500" in disabled["why"]
        told = (
            await stage.root.database["notifications"]
            .find({"fact_type": "cxc.endpoint.disabled.v1"})
            .to_list()
        )
        assert {one["address"] for one in told} == {"crm@tagus.example", "office@support.example"}
        assert "cxc.endpoint.disabled.v1" in [event["type"] for event in await published(stage)]

        sent += await stage.happens(*matches(1))
        receiver.answers = [204]
        answer = await stage.api.call(
            "PATCH", f"/webhooks/{endpoint['id']}", EXTERNAL, json={"state": "enabled"}
        )
        assert answer.json()["disabled"] is None
        await until(lambda: all_are(stage, endpoint, "delivered"))
    assert ids(receiver.received)[-3:] == sent


async def is_disabled(stage: Stage, endpoint: dict[str, Any]) -> bool:
    return bool((await stage.get(endpoint))["state"] == "disabled")


async def published(stage: Stage) -> list[dict[str, Any]]:
    rows = await stage.root.database[OUTBOX].find({}).to_list()
    return [orjson.loads(message.value) for row in rows for message in unpack(row)]


async def test_410_disables_at_once_and_what_was_missed_can_be_left_out(
    stage: Stage, receivers: Receivers
) -> None:
    receiver = await receivers(answers=[410])
    endpoint = await stage.registers(receiver)
    async with stage.working():
        await stage.happens(*matches(3))
        await until(lambda: is_disabled(stage, endpoint))
        assert len(receiver.received) == 1
        receiver.answers = [204]
        path, wanted = f"/webhooks/{endpoint['id']}", {"state": "enabled", "missed": "skip"}
        meddled = await stage.api.call("PATCH", path, SUPPORT_OFFICE, json={**wanted, "description": "ours"})
        problem(meddled, 403, "forbidden")
        assert "skipped" not in await stage.states(endpoint)
        answer = await stage.api.call("PATCH", path, EXTERNAL, json=wanted)
        assert answer.status_code == 200
        [last] = await stage.happens(*matches(1, "m-2"))
        await until(lambda: len(receiver.received) == 2)
        await until(lambda: settled(stage, endpoint))
    assert ids(receiver.received)[1:] == [last]
    assert sorted(await stage.states(endpoint)) == ["delivered", "failed", "skipped", "skipped"]


async def settled(stage: Stage, endpoint: dict[str, Any]) -> bool:
    return "waiting" not in await stage.states(endpoint)


async def test_retry_after_is_waited_for_and_a_redirect_is_no_success(
    stage: Stage, receivers: Receivers
) -> None:
    def later(_: Received) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7200"})

    def elsewhere(_: Received) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1/"})

    receiver = await receivers(answers=[later, elsewhere])
    endpoint = await stage.registers(receiver)
    async with stage.working():
        await stage.happens(*matches(1))
        await until(lambda: failing(stage, endpoint, 1))
        due = datetime.fromisoformat((await stage.get(endpoint))["next_attempt_at"])
        assert due - stage.clock.at == timedelta(hours=2)
        stage.wait(timedelta(hours=2))
        await until(lambda: failing(stage, endpoint, 2))
    [entry] = (await stage.get(endpoint, "/deliveries"))["items"]
    assert "Redirects are not followed" in entry["last"]["why"]


async def test_an_endpoint_that_was_changed_is_not_kept_waiting(stage: Stage, receivers: Receivers) -> None:
    broken, sound = await receivers(answers=[500]), await receivers()
    endpoint = await stage.registers(broken)
    async with stage.working():
        sent = await stage.happens(*matches(2))
        await until(lambda: failing(stage, endpoint, 1))
        path = f"/webhooks/{endpoint['id']}"
        skip = {"state": "enabled", "missed": "skip"}
        problem(await stage.api.call("PATCH", path, EXTERNAL, json=skip), 409, "already-so")
        answer = await stage.api.call("PATCH", path, EXTERNAL, json={"url": sound.url()})
        assert answer.status_code == 200
        await until(lambda: len(sound.received) == 2)
    assert ids(sound.received) == sent
    assert len(broken.received) == 1


# ── whoever dies, whatever is held ───────────────────────────────────────────────────────────

WORKER = """
import asyncio, sys
from services.notifications.bootstrap import bootstrap
from services.notifications.settings import NotificationsSettings
from services.notifications.webhooks import dispatcher, lanes
from services.notifications.webhooks.subscriptions import know_endpoints
lanes.LEASE_S = dispatcher.LEASE_S = 1.0
dispatcher.BEAT_S = 0.25

async def work():
    root = await bootstrap(NotificationsSettings.load(), database=sys.argv[1])
    stopping = asyncio.Event()
    await asyncio.gather(know_endpoints(root, stopping), dispatcher.send_webhooks(root, stopping))

asyncio.run(work())
"""


async def test_a_worker_that_is_killed_in_the_middle_loses_nothing_and_the_order_is_kept(
    stage: Stage, receivers: Receivers, mongo_url: str
) -> None:
    receiver = await receivers()
    await stage.registers(receiver)
    settings = os.environ | {
        "CXC_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "CXC_MONGO_URL": mongo_url,
        "CXC_ISSUER": "https://issuer.example",
        "CXC_JWKS_URL": "https://issuer.example/keys",
        "CXC_SEAL_KEY": A_SECRET.get_secret_value(),
        "CXC_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "CXC_WEBHOOK_PORTS": ",".join(map(str, PORTS)),
        "CXC_WEBHOOK_CA_FILE": str(stage.root.settings.webhook_ca_file),
    }

    async def a_worker() -> asyncio.subprocess.Process:
        command = (sys.executable, "-c", WORKER, stage.root.database.name)
        return await asyncio.create_subprocess_exec(*command, env=settings)

    sent = await stage.happens(*matches(60))
    first = await a_worker()
    await until(lambda: len(receiver.received) >= 20)
    receiver.open.clear()
    await until(lambda: receiver.at_once == 1)
    on_its_way = receiver.received[-1].id
    first.send_signal(signal.SIGKILL)
    second = await a_worker()
    try:
        await first.wait()
        receiver.open.set()
        await until(lambda: len(set(ids(receiver.received))) == len(sent))
    finally:
        second.send_signal(signal.SIGKILL)
        await second.wait()
    arrived = [one.id for one in receiver.received]
    assert list(dict.fromkeys(ids(receiver.received))) == sent
    assert {id for id in arrived if arrived.count(id) > 1} == {on_its_way}
    assert len(arrived) == len(sent) + 1


async def test_while_webhooks_are_held_nothing_goes_out(stage: Stage, receivers: Receivers) -> None:
    receiver = await receivers()
    endpoint = await stage.registers(receiver)
    office = Caller("office", CallerRole.SUPPORT_OFFICE)
    await stage.root.transactions.run(
        lambda uow: hold_outgoing(uow, [Outlet.WEBHOOKS], by=office, reason="maintenance")
    )
    await until(lambda: stage.root.holding.is_held(Outlet.WEBHOOKS))
    async with stage.working():
        await stage.happens(*matches(3))
        answer = await stage.api.post(f"/webhooks/{endpoint['id']}/test", EXTERNAL)
        problem(answer, 409, "not-now")
        assert receiver.received == []
        await stage.root.transactions.run(
            lambda uow: release_outgoing(uow, [Outlet.WEBHOOKS], by=office, reason="done")
        )
        await until(lambda: len(receiver.received) == 3)


# ── replays, pings, secrets, retention ───────────────────────────────────────────────────────


async def test_what_was_sent_can_be_sent_again_one_or_many_under_the_same_ids(
    stage: Stage, receivers: Receivers
) -> None:
    receiver = await receivers()
    endpoint = await stage.registers(receiver)
    began = stage.clock.at
    path = f"/webhooks/{endpoint['id']}"
    async with stage.working():
        await stage.happens(*matches(2))
        await until(lambda: all_are(stage, endpoint, "delivered"))
        first = receiver.received[0].id
        again = await stage.api.post(f"{path}/deliveries/{first}/replay", EXTERNAL)
        assert again.json()["state"] == "waiting"
        stage.root.wake()
        await until(lambda: len(receiver.received) == 3)
        await until(lambda: all_are(stage, endpoint, "delivered"))
        none = await stage.api.post(f"{path}/replay", EXTERNAL, {"since": began.isoformat()})
        assert none.json() == {"deliveries": 0}
        all_of_them = {"since": began.isoformat(), "only": "all"}
        assert (await stage.api.post(f"{path}/replay", EXTERNAL, all_of_them)).json() == {"deliveries": 2}
        stage.root.wake()
        await until(lambda: len(receiver.received) == 5)
        await until(lambda: all_are(stage, endpoint, "delivered"))
    sent = [one.id for one in receiver.received]
    assert sent[2] == first
    assert sent[3:] == sent[:2]


async def test_a_ping_says_what_came_of_it_and_ends_the_wait(stage: Stage, receivers: Receivers) -> None:
    receiver = await receivers(answers=[500])
    endpoint = await stage.registers(receiver)
    async with stage.working():
        await stage.happens(*matches(1))
        await until(lambda: failing(stage, endpoint, 1))
        receiver.answers = [204]
        answer = await stage.api.post(f"/webhooks/{endpoint['id']}/test", EXTERNAL)
        assert (answer.json()["status"], answer.json()["why"]) == (204, None)
        problem(await stage.api.post(f"/webhooks/{endpoint['id']}/test", EXTERNAL), 409, "not-now")
        await until(lambda: all_are(stage, endpoint, "delivered"))
    assert [one.event["type"] for one in receiver.received][1] == "cxc.endpoint.ping.v1"


async def test_both_secrets_sign_while_one_is_changed_over(stage: Stage, receivers: Receivers) -> None:
    receiver = await receivers()
    endpoint = await stage.registers(receiver)
    rotated = await stage.api.post(f"/webhooks/{endpoint['id']}/secret", EXTERNAL, {})
    new = rotated.json()["secret"]
    assert new != endpoint["secret"]
    async with stage.working():
        await stage.happens(*matches(1))
        await until(lambda: len(receiver.received) == 1)
        stage.wait(timedelta(hours=24))
        await stage.happens(*matches(1))
        await until(lambda: len(receiver.received) == 2)
    for received, secrets in zip(receiver.received, ([new, endpoint["secret"]], [new]), strict=True):
        at = datetime.fromtimestamp(int(received.headers["webhook-timestamp"]), tz=stage.clock.at.tzinfo)
        signed = signed_headers(received.id, at, received.body, secrets)
        assert received.headers["webhook-signature"] == signed["webhook-signature"]


async def test_old_deliveries_go_and_those_of_deleted_endpoints_but_nothing_that_is_still_to_arrive(
    stage: Stage, receivers: Receivers
) -> None:
    receiver = await receivers()
    kept, disabled, deleted = [await stage.registers(receiver) for _ in range(3)]
    await stage.happens(*matches(2))
    await stage.root.database[Delivery.COLLECTION].update_one(
        {"endpoint": kept["id"]}, {"$set": {"state": "delivered"}}
    )
    await stage.api.call("PATCH", f"/webhooks/{disabled['id']}", EXTERNAL, json={"state": "disabled"})
    assert (await stage.api.call("DELETE", f"/webhooks/{deleted['id']}", EXTERNAL)).status_code == 204
    assert await delete_deliveries(stage.root.database, stage.clock.at - timedelta(days=3000)) == 2
    assert await delete_deliveries(stage.root.database, stage.clock.at + timedelta(seconds=1)) == 3
    left: list[Document] = await stage.root.database[Delivery.COLLECTION].find({}).to_list()
    assert [(one["endpoint"], one["state"]) for one in left] == [(kept["id"], "waiting")]


# ── who may do what ──────────────────────────────────────────────────────────────────────────

OTHER_SYSTEM = As("external", subject="/another/crm")
#        caller                 list  seen  see  change disable
MATRIX: list[tuple[str, Any, int, int, int, int, int]] = [
    ("its owner", EXTERNAL, 200, 1, 200, 200, 200),
    ("another system", OTHER_SYSTEM, 200, 0, 404, 404, 404),
    ("staff of the case", STAFF, 200, 0, 404, 404, 404),
    ("other staff", OTHER_STAFF, 200, 0, 404, 404, 404),
    ("the support office", SUPPORT_OFFICE, 200, 1, 200, 403, 200),
    ("an auditor", AUDITOR, 200, 1, 200, 403, 403),
    ("an organisation", STRANGER, 403, 0, 403, 403, 403),
    ("nobody", NOBODY, 401, 0, 401, 401, 401),
]


@pytest.mark.parametrize(
    ("caller", "list_", "seen", "see", "change", "disable"),
    [row[1:] for row in MATRIX],
    ids=[row[0] for row in MATRIX],
)
async def test_who_may_do_what_with_an_endpoint(
    stage: Stage,
    receivers: Receivers,
    caller: As | None,
    list_: int,
    seen: int,
    see: int,
    change: int,
    disable: int,
) -> None:
    receiver = await receivers()
    endpoint = await stage.registers(receiver)
    await stage.happens(*matches(1))
    [delivery] = (await stage.get(endpoint, "/deliveries"))["items"]
    path = f"/webhooks/{endpoint['id']}"
    of_delivery = f"{path}/deliveries/{delivery['id']}"

    page = await stage.api.get("/webhooks", caller)
    assert page.status_code == list_
    if list_ == 200:
        assert len(page.json()["items"]) == seen
    for readable in (path, f"{path}/deliveries", of_delivery):
        answer = await stage.api.get(readable, caller)
        assert answer.status_code == see
        assert "whsec_" not in answer.text
    before = await stage.api.stored()
    tried = [
        ("PATCH", path, {"description": "mine"}),
        ("POST", f"{path}/secret", {}),
        ("POST", f"{of_delivery}/replay", None),
        ("POST", f"{path}/replay", {"since": "2023-01-01T00:00:00Z", "only": "all"}),
        ("POST", f"{path}/test", None),
    ]
    for method, where, body in tried:
        given = {} if body is None else {"json": body}
        assert (await stage.api.call(method, where, caller, **given)).status_code == change, where
    if change != 200:
        assert await stage.api.stored() == before
        assert receiver.received == []
        assert (await stage.api.call("DELETE", path, caller)).status_code == change
    switched = await stage.api.call("PATCH", path, caller, json={"state": "disabled", "why": "It is ours."})
    assert switched.status_code == disable
    on = await stage.api.call("PATCH", path, caller, json={"state": "enabled", "missed": "skip"})
    assert on.status_code == disable


@pytest.mark.parametrize(("caller", "scope"), [(STAFF, "partnership:hempclub"), (SUPPORT_OFFICE, "all")])
async def test_staff_and_the_support_office_have_endpoints_too(
    stage: Stage, receivers: Receivers, caller: As, scope: str
) -> None:
    endpoint = await stage.registers(await receivers(), by=caller)
    assert endpoint["scope"] == scope


@pytest.mark.parametrize("caller", [AUDITOR, STRANGER])
async def test_who_reads_no_feed_or_only_looks_on_has_no_endpoint(stage: Stage, caller: As) -> None:
    wanted = {"url": f"https://crm.example:{PORTS[0]}/", "events": ["*"]}
    problem(await stage.api.post("/webhooks", caller, wanted), 403, "forbidden")


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"url": "https://169.254.169.254/"}, "/url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "/url"),
        ({"url": "http://crm.example/"}, "/url"),
        ({"url": f"https://user:secret@crm.example:{PORTS[0]}/"}, "/url"),
        ({"url": "https://crm.example:22/"}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["cxc.nothing.*"]}, "/events/0"),
        ({"events": ["cxc.notification.sent.v1"]}, "/events/0"),
        ({"events": ["[a-z]*"]}, "/events/0"),
        ({"contact": "nobody"}, "/contact"),
        ({"secret": "whsec_mine"}, "/secret"),
    ],
)
async def test_what_is_wrong_with_an_endpoint_is_told_where(
    stage: Stage, given: dict[str, Any], where: str
) -> None:
    good = {"url": f"https://crm.example:{PORTS[0]}/", "events": ["*"]}
    answer = await stage.api.post("/webhooks", EXTERNAL, {**good, **given})
    assert pointers(problem(answer, 422, "malformed")) == [where]
    if "secret" in str(given.get("url")):
        assert "user:secret" not in answer.text


async def test_an_owner_has_twenty_endpoints_at_the_most(stage: Stage) -> None:
    wanted = {"url": f"https://crm.example:{PORTS[0]}/", "events": ["*"]}
    for _ in range(20):
        assert (await stage.api.post("/webhooks", EXTERNAL, wanted)).status_code == 201
    problem(await stage.api.post("/webhooks", EXTERNAL, wanted), 409, "too-many-endpoints")


async def test_without_a_seal_key_there_is_no_endpoint(mongo_url: str, issuer: Issuer, database: str) -> None:
    async with running_api("notifications", mongo_url, issuer, database) as api:
        wanted = {"url": "https://crm.example/", "events": ["*"]}
        problem(await api.post("/webhooks", EXTERNAL, wanted), 503, "nothing-to-seal-with")


async def test_a_secret_that_cannot_be_opened_any_more_is_told_as_that(
    stage: Stage, receivers: Receivers
) -> None:
    receiver = await receivers()
    endpoint = await stage.registers(receiver)
    await stage.root.database[Endpoint.COLLECTION].update_one(
        {"_id": endpoint["id"]}, {"$set": {"secrets.0.sealed": "closed with another key"}}
    )
    answer = await stage.api.post(f"/webhooks/{endpoint['id']}/test", EXTERNAL)
    assert "replace it" in answer.json()["why"]
    assert receiver.received == []
