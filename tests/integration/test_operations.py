"""The console's pages for who looks after the installation: dead letters of a real Kafka, sent back."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from aiokafka.admin import RecordsToDelete

from ops.topics import apply_topics
from services.console.signing_in.provider import Tokens
from shared.contracts.envelope import now
from shared.messaging.clients import KafkaClients
from shared.messaging.dead_letters import REPLAY_OF, Reason, SetAside, dead_letter
from shared.messaging.letters import letters_of
from shared.messaging.message import Message
from shared.messaging.reading import kept
from shared.messaging.topics import dead_letters, replays
from shared.settings import KafkaSettings
from tests.builders import A_SECRET
from tests.integration.apis import AUDITOR, STAFF, SUPPORT_OFFICE, Api, As, Issuer, participant, running_api

pytestmark = pytest.mark.integration

SERVICE = "console"
EVIL = b'{"text": "<script>alert(1)</script>"} \x00'


@dataclass
class Desk:
    """The console, and the Kafka it looks at."""

    api: Api
    kafka: KafkaClients

    async def seat(self, who: As) -> httpx.AsyncClient:
        """A browser in which somebody is signed in."""
        id = await self.api.root.sessions.begin(Tokens(self.api.issuer.token(who), "Somebody"))
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.api.app, raise_app_exceptions=False),
            base_url="http://127.0.0.1:8000",
            cookies={"cxc-session": id},
            headers={"Accept": "text/html"},
        )

    async def set_aside(self, value: bytes, reason: Reason) -> int:
        """Put a message among the dead letters; its offset there."""
        message = Message("cxc.matching.events", 1, 7, b"key", value)
        letter = dead_letter(
            message, SetAside(reason, "It <b>failed</b>."), service=SERVICE, at=now().isoformat()
        )
        async with self.kafka.producer(letter.topic) as producer:
            where = await producer.send_and_wait(
                letter.topic, letter.value, key=letter.key, headers=list(letter.headers)
            )
        return int(where.offset)

    async def sent_back(self, offset: int) -> list[bytes | None]:
        """What was sent back of a dead letter, each time."""
        of = f"cxc.{SERVICE}.dead-letters/0/{offset}"
        async with self.kafka.reader(replays(SERVICE)) as consumer:
            return [one.value async for one in kept(consumer) if one.header(REPLAY_OF) == of]


@pytest.fixture
async def desk(mongo_url: str, kafka_bootstrap: str, issuer: Issuer, database: str) -> AsyncIterator[Desk]:
    await apply_topics(kafka_bootstrap)
    kafka = KafkaSettings(bootstrap=kafka_bootstrap)
    async with running_api(
        "console", mongo_url, issuer, database, session_key=A_SECRET, kafka=kafka
    ) as running:
        yield Desk(running, KafkaClients(kafka, "test"))
    await emptied(KafkaClients(kafka, "test"), dead_letters(SERVICE), replays(SERVICE))


async def emptied(kafka: KafkaClients, *topics: str) -> None:
    """Leave nothing for the tests that come after."""
    async with kafka.reader(*topics) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
    async with kafka.admin() as admin:
        await admin.delete_records({place: RecordsToDelete(before_offset=end) for place, end in ends.items()})


async def csrf(browser: httpx.AsyncClient) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', (await browser.get("/signed-out")).text)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("who", [AUDITOR, STAFF, participant("green-fibre")], ids=lambda who: who.role)
async def test_operations_are_for_the_support_office_alone(desk: Desk, who: As) -> None:
    offset = await desk.set_aside(b"of nobody's business", "rule_broken")
    async with await desk.seat(who) as browser:
        token = await csrf(browser)
        pages = [
            "",
            "/queues",
            "/dead-letters",
            *(f"/dead-letters/{SERVICE}/{offset}{end}" for end in ("", "/bytes")),
        ]
        for page in pages:
            answer = await browser.get(f"/operations{page}")
            assert answer.status_code == 403, page
            assert "nobody's business" not in answer.text
        chosen = {"csrf": token, "letter": f"{SERVICE}/{offset}"}
        assert (await browser.post("/operations/dead-letters/replay", data=chosen)).status_code == 403
    assert await desk.sent_back(offset) == []


async def test_a_dead_letter_is_shown_harmlessly_with_its_very_bytes(desk: Desk) -> None:
    offset = await desk.set_aside(EVIL, "not_a_cloudevent")
    async with await desk.seat(SUPPORT_OFFICE) as browser:
        page = await browser.get(f"/operations/dead-letters/{SERVICE}/{offset}")
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<b>failed" not in page.text
        assert "7b 22 74 65 78 74 22" in page.text
        assert "cxc.matching.events/1/7" in page.text
        saved = await browser.get(f"/operations/dead-letters/{SERVICE}/{offset}/bytes")
        assert saved.content == EVIL
        assert saved.headers["content-type"] == "application/octet-stream"
        assert saved.headers["content-disposition"].startswith("attachment;")
        assert (await browser.get(f"/operations/dead-letters/{SERVICE}/4711999")).status_code == 404


async def test_dead_letters_are_chosen_sent_back_and_not_sent_twice(desk: Desk) -> None:
    first, second, third = [
        await desk.set_aside(json.dumps({"n": n}).encode(), "rule_broken") for n in range(3)
    ]
    async with await desk.seat(SUPPORT_OFFICE) as browser:
        token = await csrf(browser)

        async def send_back(*offsets: int, **more: str) -> str:
            letters = [f"{SERVICE}/{offset}" for offset in offsets]
            answer = await browser.post(
                "/operations/dead-letters/replay", data={"csrf": token, "letter": letters, **more}
            )
            assert answer.status_code == 303
            return (await browser.get(answer.headers["location"])).text

        assert "2 dead letters were sent back." in await send_back(first, second)
        assert "0 dead letters were sent back." in await send_back(first)
        assert "1 dead letter was sent back." in await send_back(first, again="true")
        assert "Choose at least one" in await send_back()
        assert await desk.sent_back(first) == [b'{"n": 0}'] * 2
        assert await desk.sent_back(second) == [b'{"n": 1}']
        assert await desk.sent_back(third) == []
        open_ones = (await browser.get(f"/operations/dead-letters?service={SERVICE}")).text
        assert f'value="{SERVICE}/{third}"' in open_ones
        assert f'value="{SERVICE}/{second}"' not in open_ones
    replayed = {one.offset: one.replayed for one in await letters_of(desk.kafka, SERVICE)}
    assert [replayed[offset] for offset in (first, second, third)] == [True, True, False]


async def test_while_kafka_is_away_the_page_says_so(mongo_url: str, issuer: Issuer, database: str) -> None:
    async with running_api(
        "console", mongo_url, issuer, database, session_key=A_SECRET, funding_url="http://127.0.0.1:1"
    ) as running:
        nowhere = Desk(running, KafkaClients(running.root.settings.kafka, "test"))
        async with await nowhere.seat(SUPPORT_OFFICE) as browser:
            services = await browser.get("/operations")
            assert services.status_code == 200
            assert "does not answer" in services.text
            for page in ("queues", "dead-letters"):
                answer = await browser.get(f"/operations/{page}")
                assert "Kafka does not answer at 127.0.0.1:1" in answer.text
