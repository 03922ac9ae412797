"""The command line on real servers: what it shows and sends back is what was there, byte for byte."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import bson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from pymongo import AsyncMongoClient
from typer.testing import CliRunner, Result

from ops.cli import app
from ops.topics import apply_topics
from services.registration.feed.pages import state_of_feed
from shared.contracts.envelope import Cause, CloudEvent, Event, new_id, now, parse, wrap
from shared.contracts.registration import RegistrationRefused, RegistrationScreened
from shared.messaging import topics
from shared.messaging.dead_letters import SetAside, dead_letter
from shared.messaging.message import Message
from shared.messaging.topics import all_topics
from tests.builders import a_submission, an_inbox_event
from tests.conftest import MakeTopic

pytestmark = pytest.mark.integration

WITHIN_S = 60.0
NOT_TEXT = b'{"organisation": "\xff\x1b[2K", "offer": "\xc5\xbelut\xc3\xbd"\x00'

cli = CliRunner()


@pytest.fixture(scope="module", autouse=True)
async def _topics(kafka_bootstrap: str) -> AsyncIterator[None]:
    """The platform's topics, left as empty as they were for the tests that come after."""
    await apply_topics(kafka_bootstrap)
    yield
    names = [topic.name for topic in all_topics()]
    async with AIOKafkaConsumer(*names, bootstrap_servers=kafka_bootstrap) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_records({place: RecordsToDelete(before_offset=end) for place, end in ends.items()})
    finally:
        await admin.close()


@pytest.fixture(autouse=True)
def _given(kafka_bootstrap: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This session's servers, by settings, and no platform of the machine."""
    for name in [name for name in os.environ if name.startswith("CXC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CXC_KAFKA_BOOTSTRAP", kafka_bootstrap)
    monkeypatch.setenv("CXC_MONGO_URL", mongo_url)
    monkeypatch.chdir(tmp_path)


async def cxc(*arguments: str, input: str | None = None) -> Result:
    """Call the command line in a thread of its own, as its commands run loops of their own."""
    return await asyncio.to_thread(cli.invoke, app, list(arguments), input=input)


async def published(bootstrap: str, topic: str, value: bytes | None, **more: Any) -> str:
    """Publish and return `topic/partition/offset`."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type="gzip", max_request_size=32 * 1024 * 1024
    ) as producer:
        where = await producer.send_and_wait(topic, value, **more)
    return f"{where.topic}/{where.partition}/{where.offset}"


async def message_at(bootstrap: str, place: str) -> Any:
    topic, partition, offset = place.rsplit("/", 2)
    where = TopicPartition(topic, int(partition))
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer, asyncio.timeout(WITHIN_S):
        consumer.assign([where])
        consumer.seek(where, int(offset))
        return await consumer.getone(where)


# ── publish and tail ─────────────────────────────────────────────────────────────────────────


async def test_what_is_published_is_what_the_feed_shows(tmp_path: Path) -> None:
    file = tmp_path / "registrations.jsonl"
    event = an_inbox_event(a_submission(), subject="REG-2")
    file.write_text(f"{json.dumps(a_submission())}\n{json.dumps(event)}\n")
    result = await cxc("publish", str(file))
    assert result.exit_code == 0
    places = [said.rpartition(" ")[2] for said in result.stdout.splitlines()]
    assert len(places) == 2

    feed = await cxc("tail", "--topic", topics.REGISTRATION_INBOX, "--from-start", "--no-follow", "--json")
    shown = {
        f"{one['topic']}/{one['partition']}/{one['offset']}": one
        for one in map(json.loads, feed.stdout.splitlines())
    }
    wrapped, whole = (shown[place] for place in places)
    assert wrapped["event"]["data"] == a_submission()
    assert wrapped["key"] == f"/cxc/cli|{wrapped['event']['id']}"
    assert whole["event"] == event
    assert whole["key"] == "/sample/crm|REG-2"

    lines = await cxc("tail", "--topic", topics.REGISTRATION_INBOX, "--from-start", "--no-follow")
    assert "registration.submit.v1  REG-2  Tagus Fibre Works (sample), Lisbon PT" in lines.stdout


async def test_tail_follows_what_comes_and_ends_in_order_with_ctrl_c(
    kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("feed")
    await published(kafka_bootstrap, topic, json.dumps(an_inbox_event({}, subject="before")).encode())
    following = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("cxc")),
        *("tail", "--topic", topic, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert following.stdout is not None
    try:
        first = asyncio.create_task(following.stdout.readline())
        async with asyncio.timeout(WITHIN_S):
            # Until it is there to hear it: it shows only what comes from then on.
            while not first.done():
                event = an_inbox_event({}, subject="after")
                await published(kafka_bootstrap, topic, json.dumps(event).encode())
                await asyncio.wait([first], timeout=0.2)
            assert json.loads(first.result())["event"]["subject"] == "after"
            following.send_signal(signal.SIGINT)
            _, errors = await following.communicate()
        assert (following.returncode, errors) == (0, b"")
    finally:
        if following.returncode is None:
            following.kill()


class Registrations:
    """Stands in for the registration service: answers each message of the inbox with one event."""

    def __init__(self, bootstrap: str, answer: Callable[[Message, CloudEvent | None], Event]) -> None:
        self._bootstrap = bootstrap
        self._answer = answer

    async def __aenter__(self) -> None:
        self._consumer = AIOKafkaConsumer(topics.REGISTRATION_INBOX, bootstrap_servers=self._bootstrap)
        await self._consumer.start()
        await self._consumer.seek_to_end()
        self._running = asyncio.create_task(self._run())

    async def __aexit__(self, *error: object) -> None:
        self._running.cancel()
        await self._consumer.stop()

    async def _run(self) -> None:
        async for record in self._consumer:
            message = Message(record.topic, record.partition, record.offset, record.key, record.value)
            try:
                asked: CloudEvent | None = parse(message.value)
            except ValueError:
                asked = None
            event = wrap(
                self._answer(message, asked),
                service="registration",
                subject="the-registration",
                sequence=1,
                cause=Cause.of(asked) if asked else Cause(),
                at=now(),
            )
            await published(self._bootstrap, topics.events("registration"), event.to_json())


def a_refusal(message: Message, asked: CloudEvent | None) -> RegistrationRefused:
    return RegistrationRefused(
        refused_event_id=asked.id if asked else None,
        refused_source=None,
        refused_subject=None,
        type="about:blank",
        title="The event cannot be taken",
        status=400,
        detail="It says nothing.",
        dead_letter=message.coordinates,
    )


def a_verdict(message: Message, asked: CloudEvent | None) -> RegistrationScreened:
    example = Path(__file__).parents[2] / "shared/contracts/examples/cxc.registration.screened.v1.json"
    data = {**json.loads(example.read_bytes())["data"], "verdict": "needs_review"}
    return RegistrationScreened.model_validate(data)


async def test_follow_says_what_became_of_the_registration(kafka_bootstrap: str) -> None:
    async with Registrations(kafka_bootstrap, a_verdict):
        result = await cxc(
            "publish", "-", "--follow", "--within", str(WITHIN_S), input=json.dumps(a_submission())
        )
    assert result.exit_code == 0
    assert ": screened as registration the-registration." in result.stdout
    assert "needs_review" in result.stdout


@pytest.mark.parametrize("document", [an_inbox_event({}), {"specversion": "1.0"}], ids=["event", "no event"])
async def test_follow_says_that_it_was_refused_even_what_has_no_id(
    kafka_bootstrap: str, document: dict[str, Any]
) -> None:
    async with Registrations(kafka_bootstrap, a_refusal):
        result = await cxc("publish", "-", "--follow", "--within", str(WITHIN_S), input=json.dumps(document))
    assert result.exit_code == 1
    assert ": The event cannot be taken: It says nothing." in result.stdout


async def test_follow_says_when_nobody_answers() -> None:
    result = await cxc("publish", "-", "--follow", "--within", "0.5", input=json.dumps(a_submission()))
    assert result.exit_code == 1
    assert "no answer within 0.5 s" in result.stderr


async def test_publishing_more_than_the_topic_takes_is_said() -> None:
    large = an_inbox_event({"motivation": os.urandom(2 * 1024 * 1024).hex()})
    result = await cxc("publish", "-", input=json.dumps(large))
    assert result.exit_code == 1
    assert f"Event {large['id']} is too large" in result.stderr


async def test_a_topic_that_does_not_exist_is_said() -> None:
    result = await cxc("tail", "--topic", "nowhere", "--service", "funding")
    assert result.exit_code == 1
    assert result.stderr.startswith("There is no topic nowhere at ")


# ── dead letters ─────────────────────────────────────────────────────────────────────────────


async def a_dead_letter(
    bootstrap: str, message: Message, service: str = "notifications", reason: Any = "handler_failed"
) -> int:
    """Put the message among the service's dead letters, and return its offset there."""
    why = SetAside(reason, "The handler\nfailed.")
    letter = dead_letter(message, why, service=service, at=now().isoformat())
    place = await published(
        bootstrap, letter.topic, letter.value, key=letter.key, headers=list(letter.headers)
    )
    return int(place.rpartition("/")[2])


async def listed(service: str = "notifications") -> dict[int, dict[str, Any]]:
    result = await cxc("dead-letters", "list", "--service", service, "--json")
    assert result.exit_code == 0
    return {letter["offset"]: letter for letter in json.loads(result.stdout)}


async def test_a_dead_letter_is_listed_shown_harmlessly_and_replayed_with_its_original_bytes(
    kafka_bootstrap: str,
) -> None:
    message = Message(
        "cxc.matching.events", 3, 17, b"match-1", NOT_TEXT, (("content-type", b"application/json"),)
    )
    offset = await a_dead_letter(kafka_bootstrap, message)
    letter = (await listed())[offset]
    assert (letter["reason"], letter["source"]) == ("handler_failed", "cxc.matching.events/3/17")
    assert (letter["bytes"], letter["replayed"]) == (len(NOT_TEXT), False)
    table = await cxc("dead-letters", "list")
    assert "cxc.matching.events/3/17" in table.stdout

    shown = await cxc("dead-letters", "show", "notifications", str(offset))
    assert r'{"organisation": "\xff\x1b[2K", "offer": "žlutý"\x00' in shown.stdout
    assert r"The handler\nfailed." in shown.stdout
    assert "content-type: application/json" in shown.stdout
    raw = await cxc("dead-letters", "show", "notifications", str(offset), "--raw")
    assert raw.stdout_bytes == NOT_TEXT

    replayed = await cxc("dead-letters", "replay", "notifications", str(offset))
    assert replayed.exit_code == 0
    place = replayed.stdout.splitlines()[0].rpartition(" ")[2].rstrip(".")
    back = await message_at(kafka_bootstrap, place)
    assert (back.topic, back.key, back.value) == ("cxc.notifications.replays", b"match-1", NOT_TEXT)
    assert dict(back.headers) == {
        "content-type": b"application/json",
        "cxc-source": b"cxc.matching.events/3/17",
        "cxc-replay-of": f"cxc.notifications.dead-letters/0/{offset}".encode(),
    }

    assert (await listed())[offset]["replayed"] is True
    once_more = await cxc("dead-letters", "replay", "notifications", str(offset))
    assert once_more.exit_code == 1
    assert "--again" in once_more.stderr
    again = await cxc("dead-letters", "replay", "notifications", str(offset), "--again")
    assert again.exit_code == 0


async def test_replaying_by_reason_leaves_the_others_and_those_replayed_before(kafka_bootstrap: str) -> None:
    def message(number: int) -> Message:
        return Message("cxc.matching.events", 0, number, None, str(number).encode())

    first = await a_dead_letter(kafka_bootstrap, message(1), "matching", "rule_broken")
    other = await a_dead_letter(kafka_bootstrap, message(2), "matching", "invalid_data")
    await cxc("dead-letters", "replay", "matching", str(first))
    second = await a_dead_letter(kafka_bootstrap, message(3), "matching", "rule_broken")
    result = await cxc("dead-letters", "replay", "matching", "--reason", "rule_broken")
    assert result.exit_code == 0
    assert f"Replayed dead letter {second} of matching" in result.stdout
    assert "1 replayed. 1 had been replayed before" in result.stdout
    letters = await listed("matching")
    assert [letters[offset]["replayed"] for offset in (first, other, second)] == [True, False, True]
    rest = await cxc("dead-letters", "replay", "matching", "--all")
    assert f"Replayed dead letter {other} of matching" in rest.stdout


async def test_a_letter_too_large_to_be_kept_whole_is_replayed_whole_from_where_it_came_from(
    kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    large = b"x" * (topics.MAX_DEAD_LETTER_BYTES + 1)
    topic = await make_topic("source", partitions=1)
    source = Message(topic, 0, 0, b"k", large)
    assert await published(kafka_bootstrap, topic, large) == source.coordinates
    offset = await a_dead_letter(kafka_bootstrap, source, reason="too_large")
    letter = (await listed())[offset]
    assert (letter["bytes"], letter["truncated"]) == (len(large), True)
    shown = await cxc("dead-letters", "show", "notifications", str(offset))
    assert f"{len(large)}, of which 65536 kept" in shown.stdout

    result = await cxc("dead-letters", "replay", "notifications", str(offset))
    assert result.exit_code == 0
    back = await message_at(kafka_bootstrap, result.stdout.splitlines()[0].rpartition(" ")[2].rstrip("."))
    assert back.value == large

    lost = await a_dead_letter(kafka_bootstrap, source._replace(offset=99), reason="too_large")
    result = await cxc("dead-letters", "replay", "notifications", str(lost))
    assert result.exit_code == 1
    assert f"{topic}/0/99 is kept no longer" in result.stderr


@pytest.mark.parametrize("command", ["show", "replay"])
async def test_a_dead_letter_that_does_not_exist_is_said(command: str) -> None:
    result = await cxc("dead-letters", command, "funding", "4711")
    assert result.exit_code == 1
    assert "funding has no dead letter 4711" in result.stderr


# ── status, topics and control ───────────────────────────────────────────────────────────────


async def test_status_counts_what_is_behind_unpublished_and_dead(
    kafka_bootstrap: str, mongo_url: str
) -> None:
    topic = topics.events("matching")
    await a_dead_letter(kafka_bootstrap, Message(topic, 0, 1, None, b"x"), "funding")
    row = {"_id": new_id(), "messages": []}
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_url)
    outbox = client["cxc_funding"]["outbox"]
    hundred_seconds_ago = bson.Timestamp(int(now().timestamp()) - 100, 1)
    await outbox.insert_one({**row, "position": hundred_seconds_ago})
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka_bootstrap, group_id=topics.group("funding"))
    try:
        async with asyncio.timeout(WITHIN_S):
            await consumer.start()
            while not (mine := consumer.assignment()):  # noqa: ASYNC110 - the group has no event to wait for
                await asyncio.sleep(0.05)
        ends = await consumer.end_offsets(mine)
        await consumer.commit(ends)
        for number in range(3):
            await published(kafka_bootstrap, topic, b"x", partition=number)

        result = await cxc("status", "--service", "funding", "--json")
        found = json.loads(result.stdout)
        assert (result.exit_code, found["ready"]) == (1, False)
        consumption = found["consumption"]["funding"]
        assert (consumption["workers"], consumption["behind"][topic]) == (1, 3)
        assert found["outboxes"]["funding"]["rows"] == 1
        assert 100 <= found["outboxes"]["funding"]["oldest_s"] < 100 + WITHIN_S
        assert found["dead_letters"]["funding"] == 1
        (wrong,) = found["wrong"]
        assert wrong.startswith("funding has not published for 1")

        await outbox.delete_one({"_id": row["_id"]})
        table = await cxc("status", "--service", "funding")
        assert table.exit_code == 0
        assert "Everything is ready." in table.stdout
        await consumer.commit(await consumer.end_offsets(mine))
    finally:
        await consumer.stop()
        await outbox.delete_one({"_id": row["_id"]})
        await client.close()

    alone = await cxc("status", "--service", "funding")
    assert alone.exit_code == 1
    assert "funding has no worker in its consumer group" in alone.stderr


async def test_status_says_that_nobody_is_reminded_while_clocks_are_apart(mongo_url: str) -> None:
    said = "The clocks of this worker and of MongoDB are 90 s apart."
    async with AsyncMongoClient[dict[str, Any]](mongo_url) as client:
        looks = client["cxc_notifications"]["looks"]
        try:
            await looks.insert_one({"_id": "reminders", "at": None, "clocks_apart": said})
            held = await cxc("status", "--service", "notifications")
            await looks.update_one({"_id": "reminders"}, {"$set": {"clocks_apart": None}})
            goes_on = await cxc("status", "--service", "notifications")
        finally:
            await looks.drop()
    assert f"Nobody is reminded of deadlines. {said}" in held.stderr
    assert "reminded" not in goes_on.stderr


async def test_topics_that_are_there_are_left_alone_and_listed() -> None:
    applied = await cxc("topics", "apply", "--partitions", "7")
    assert applied.exit_code == 0
    assert (
        "cxc.registration.inbox is left as it is, though it has 6 partitions instead of 7." in applied.stdout
    )
    assert applied.stdout.splitlines()[-1].startswith("0 created")
    found = {topic["name"]: topic for topic in json.loads((await cxc("topics", "list", "--json")).stdout)}
    assert found.keys() == {topic.name for topic in all_topics()}
    assert found["cxc.registration.inbox"]["partitions"] == 6


async def test_a_feed_that_is_renamed_is_another_one_to_its_readers(mongo_url: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](mongo_url) as client:
        await client.drop_database("cxc_registration")
        assert "no feed yet" in (await cxc("feed", "rename")).stderr
        before = await state_of_feed(client["cxc_registration"])
        renamed = await cxc("feed", "rename")
        after = await state_of_feed(client["cxc_registration"])
        await client.drop_database("cxc_registration")
    assert before["feed"] in renamed.stdout
    assert after["feed"] in renamed.stdout
    assert after == {**before, "feed": after["feed"], "version": 1}


async def test_what_workers_are_told_is_on_their_control_topic(kafka_bootstrap: str) -> None:
    async with AIOKafkaConsumer(topics.control("matching"), bootstrap_servers=kafka_bootstrap) as consumer:
        await consumer.seek_to_end()
        for told in (["pause"], ["log-level", "debug"]):
            assert (await cxc("control", "matching", *told)).exit_code == 0
        async with asyncio.timeout(WITHIN_S):
            heard = [json.loads((await consumer.getone()).value) for _ in range(2)]
    assert heard == [{"command": "pause"}, {"command": "log_level", "level": "debug"}]
