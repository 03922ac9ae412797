"""The docs are true: their commands and programs run as they stand, their tables are what the code says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from prometheus_client import REGISTRY
from pydantic import BaseModel
from pymongo import AsyncMongoClient

import services.console.live
import services.funding.chores
import services.matching.plan_maker
import services.notifications.chat
import services.notifications.chores
import services.notifications.courier
import services.notifications.digests
import services.notifications.live
import services.notifications.watch
import services.notifications.webhooks.dispatcher
import services.registration.feed.builder
import services.registration.lookalike_search  # noqa: F401  it has one too
import shared.chores
import shared.observability  # noqa: F401  it has the others
from ops.issuer import issue_token
from ops.platform import Platform, Ports
from ops.topics import apply_topics
from services.console.settings import ConsoleSettings
from services.funding.settings import FundingSettings
from services.matching.settings import MatchingSettings
from services.notifications.settings import NotificationsSettings
from services.registration.settings import RegistrationSettings
from shared.contracts.envelope import new_id
from shared.messaging import topics
from shared.messaging.dead_letters import Reason
from shared.messaging.topics import REGISTRATION_INBOX, all_topics, events
from shared.settings import KafkaSettings
from tests.builders import a_submission, an_inbox_event

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
EXAMPLES: Final = ROOT / "examples"
WITHIN_S: Final = 90.0

Event = dict[str, Any]
Run = Callable[..., Awaitable[str]]


def blocks(page: Path) -> dict[str, str]:
    """The named code blocks of a page: ```` ```python publish.py ````."""
    found = re.findall(
        r"^```\w+ (\S+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return dict(found)


INTEGRATING: Final = blocks(DOCS / "integrating.md")


# ── what runs ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
async def _topics(kafka_bootstrap: str, mongo_url: str) -> AsyncIterator[None]:
    """The platform's topics; they and the database are left as empty as they were for the tests after."""
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
    async with AsyncMongoClient[dict[str, Any]](mongo_url) as client:
        await client.drop_database("cxc_registration")


@pytest.fixture(scope="module")
def platform(
    _topics: None, kafka_bootstrap: str, mongo_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """The registration service on this session's servers, with an issuer for tokens."""
    with Platform(
        tmp_path_factory.mktemp("docs-platform"),
        ports=Ports.any(),
        servers=["issuer"],
        services=["registration"],
        kafka_bootstrap=kafka_bootstrap,
        mongo_url=mongo_url,
    ) as running:
        running.start()
        running.wait_ready()
        yield running


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a reader of the page has saved all its blocks, by their names."""
    for name, content in INTEGRATING.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kafkajs, installed as the Node example's lock file says; skips where that cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node.js on this machine")
    directory = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(EXAMPLES / "node" / name, directory)
    installed = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"], cwd=directory, capture_output=True, text=True, check=False
    )
    if installed.returncode:
        pytest.skip(f"npm cannot install kafkajs here: {installed.stderr.strip()[-300:]}")
    return directory / "node_modules"


def environment(platform: Platform) -> dict[str, str]:
    """A reader's environment: no settings of the platform but those the page names."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CXC_")}
    token = issue_token(
        platform.issuer_key, issuer=platform.issuer_url, role="external", subject="/example/crm"
    )
    return own | {
        "KAFKA": platform.kafka_bootstrap,
        "API": platform.api_url("registration"),
        "TOKEN": token,
        "KAFKAJS_NO_PARTITIONER_WARNING": "1",
    }


@pytest.fixture
def run(directory: Path, platform: Platform) -> Run:
    """Runs a command in the reader's directory and gives its standard output."""

    async def run(*command: str) -> str:
        started = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env=environment(platform),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(WITHIN_S):
            out, errors = await started.communicate()
        assert started.returncode == 0, errors.decode()
        return out.decode()

    return run


async def answers(bootstrap: str, wanted: set[str]) -> dict[str, Event]:
    """The first answer to each of these events, from the feed."""
    found: dict[str, Event] = {}
    async with (
        AIOKafkaConsumer(
            events("registration"), bootstrap_servers=bootstrap, auto_offset_reset="earliest"
        ) as consumer,
        asyncio.timeout(WITHIN_S),
    ):
        while not wanted <= found.keys():
            for messages in (await consumer.getmany(timeout_ms=500)).values():
                for message in messages:
                    event = json.loads(message.value)
                    found.setdefault(event.get("causationid") or "", event)
    return {id: found[id] for id in wanted}


def need(*programs: str) -> None:
    """Skip where one of these programs is not on the machine."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} on this machine")


# ── publish ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.integration
@pytest.mark.parametrize("program", ["publish.py", "publish.mjs", "publish.sh"])
async def test_what_the_page_publishes_is_screened(
    program: str, run: Run, directory: Path, kafka_bootstrap: str, request: pytest.FixtureRequest
) -> None:
    if program == "publish.py":
        id = (await run(sys.executable, program)).split()[-1]
    elif program == "publish.mjs":
        (directory / "node_modules").symlink_to(request.getfixturevalue("node_modules"))
        id = (await run("node", program)).split()[-1]
    else:
        need("kcat")
        await run("bash", program)
        id = json.loads((directory / "event.json").read_text())["id"]
    answer = (await answers(kafka_bootstrap, {id}))[id]
    assert answer["type"] == "cxc.registration.screened.v1"
    assert answer["data"]["verdict"] == "eligible"
    assert answer["data"]["inbox_event_id"] == id


@pytest.mark.integration
async def test_the_lines_of_the_readme_publish_a_registration(
    directory: Path, platform: Platform, kafka_bootstrap: str
) -> None:
    lines = blocks(ROOT / "README.md")["publish"].splitlines()
    assert len(lines) == 3
    for line in lines:
        if "kcat" in line and shutil.which("kcat") is None:
            continue
        done = await asyncio.create_subprocess_shell(
            line.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
            .replace("var/feed.jsonl", str(directory / "feed.jsonl"))
            .replace("127.0.0.1:9092", kafka_bootstrap),
            cwd=ROOT,
            env=environment(platform) | platform.service_environment(),
            stdout=subprocess.PIPE,
        )
        async with asyncio.timeout(WITHIN_S):
            out, _ = await done.communicate()
        assert done.returncode == 0, line
        assert "kcat" in line or "accepted" in out.decode() or "screened" in out.decode()


@pytest.mark.integration
async def test_what_the_page_posts_is_registered(run: Run) -> None:
    need("curl")
    registration = json.loads(await run("bash", "post.sh"))
    assert (registration["verdict"], registration["receipt"]["rule_set"]) == ("eligible", "cxc-2020")


@pytest.mark.integration
async def test_a_refusal_looks_as_the_page_shows_it(platform: Platform, kafka_bootstrap: str) -> None:
    shown = json.loads(INTEGRATING["refused.json"])
    registration = json.loads(INTEGRATING["registration.json"])
    registration["organisation"] |= {"country": "ZZ", "legal_form": "lda"}
    registration["availability"][0]["last_day"] = "2027-01-01"
    event = an_inbox_event(registration, subject="crm-4714", source="/example/crm")
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        where = await producer.send_and_wait(REGISTRATION_INBOX, json.dumps(event).encode())

    refused = (await answers(kafka_bootstrap, {event["id"]}))[event["id"]]

    assert refused["causationid"] == refused["data"]["refused_event_id"] == event["id"]
    assert refused["data"]["dead_letter"] == f"{where.topic}/{where.partition}/{where.offset}"
    for each in (refused, shown):
        for name in ("id", "time", "correlationid", "causationid"):
            del each[name]
        del each["data"]["refused_event_id"], each["data"]["dead_letter"]
    assert refused == shown


# ── follow ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.integration
async def test_the_follower_of_the_page_hears_the_answer(
    run: Run, directory: Path, platform: Platform
) -> None:
    following = await asyncio.create_subprocess_exec(
        sys.executable, "follow.py", cwd=directory, env=environment(platform), stdout=subprocess.PIPE
    )
    assert following.stdout is not None
    try:
        changed = (directory / "publish.py").read_text().replace("crm-4711", "crm-followed")
        (directory / "publish.py").write_text(changed)
        id = (await run(sys.executable, "publish.py")).split()[-1]
        async with asyncio.timeout(WITHIN_S):
            while True:
                line = (await following.stdout.readline()).decode()
                assert line, "it ended by itself"
                if id in line:
                    break
        assert line.startswith("cxc.registration.screened.v1 ")
    finally:
        following.kill()
        await following.wait()


@pytest.mark.integration
@pytest.mark.parametrize("language", ["python", "node"])
async def test_an_example_client_ends_once_its_registration_is_answered_and_can_be_run_again(
    language: str, directory: Path, run: Run, request: pytest.FixtureRequest
) -> None:
    command = _example(language, directory, request)
    (directory / f"{language}-1.json").write_text(INTEGRATING["registration.json"])
    first = await run(*command, f"{language}-1.json")
    assert "cxc.registration.screened.v1" in first
    held = (directory / "feed.jsonl").read_bytes()
    again = await run(*command, f"{language}-1.json")
    assert again.splitlines()[0] == first.splitlines()[0]  # the same event, under the same id
    assert (directory / "feed.jsonl").read_bytes().startswith(held)


@pytest.mark.integration
@pytest.mark.parametrize("language", ["python", "node"])
async def test_an_example_client_that_is_killed_holds_every_event_once(
    language: str, directory: Path, platform: Platform, kafka_bootstrap: str, request: pytest.FixtureRequest
) -> None:
    command = _example(language, directory, request)
    feed = directory / "feed.jsonl"
    ids: set[str] = set()

    async def publish(count: int) -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
            for _ in range(count):
                event = an_inbox_event(a_submission(), subject=f"{language}-{new_id()}")
                ids.add(event["id"])
                await producer.send(
                    REGISTRATION_INBOX, json.dumps(event).encode(), key=event["subject"].encode()
                )

    async def follow_until(done: Callable[[], bool], signal_to_end: signal.Signals) -> None:
        client = await asyncio.create_subprocess_exec(
            *command, cwd=directory, env=environment(platform), stdout=subprocess.DEVNULL
        )
        try:
            await _until(done, lambda: client.returncode is None)
        finally:
            client.send_signal(signal_to_end)
            async with asyncio.timeout(WITHIN_S):
                await client.wait()

    for so_far in (20, 40):
        await publish(60)
        await follow_until(lambda so_far=so_far: len(_held(feed)) >= so_far, signal.SIGKILL)  # type: ignore[misc]
    with feed.open("ab") as file:
        file.write(b'{"specversion":"1.0","id":"tor')  # the line it was writing when it was killed

    await answers(kafka_bootstrap, ids)
    published = await _published(kafka_bootstrap)
    await follow_until(lambda: {event["id"] for event in _held(feed)} >= published, signal.SIGINT)
    held = [event["id"] for event in _held(feed)]
    assert len(held) == len(set(held))
    assert set(held) == await _published(kafka_bootstrap)


def _example(language: str, directory: Path, request: pytest.FixtureRequest) -> list[str]:
    if language == "python":
        return [sys.executable, str(EXAMPLES / "python" / "publish_and_follow.py"), f"--group={new_id()}"]
    (directory / "node_modules").symlink_to(request.getfixturevalue("node_modules"))
    shutil.copy(EXAMPLES / "node" / "publish-and-follow.mjs", directory)
    return ["env", f"GROUP={new_id()}", "node", "publish-and-follow.mjs"]


def _held(feed: Path) -> list[Event]:
    lines = feed.read_bytes().splitlines(keepends=True) if feed.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


async def _published(bootstrap: str) -> set[str]:
    """Ids of all events on the topics the examples follow."""
    names = [events(service) for service in ("registration", "matching", "funding")]
    found: set[str] = set()
    async with AIOKafkaConsumer(
        *names, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        for place in ends:
            while await consumer.position(place) < ends[place]:
                records = await consumer.getmany(place, timeout_ms=500)
                found.update(json.loads(message.value)["id"] for message in records.get(place, ()))
    return found


async def _until(done: Callable[[], bool], going_on: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not done():
        assert going_on(), "it ended by itself"
        assert time.monotonic() < deadline, "it took too long"
        await asyncio.sleep(0.1)


@pytest.mark.integration
async def test_the_feed_and_the_look_up_of_the_page_tell_what_became_of_the_page_s_event(
    run: Run, directory: Path
) -> None:
    need("curl")
    changed = (directory / "publish.py").read_text().replace("crm-4711", f"crm-{new_id()}")
    (directory / "publish.py").write_text(changed)
    id = (await run(sys.executable, "publish.py")).split()[-1]
    status = json.loads(await run("bash", "status.sh", id))
    assert (status["outcome"], status["verdict"]) == ("taken", "eligible")

    found: list[Event] = []
    deadline = time.monotonic() + WITHIN_S
    while not any(item["event"].get("causationid") == id for item in found):
        assert time.monotonic() < deadline, "it did not come into the feed"
        page = json.loads(await run("bash", "feed.sh"))
        found = page["items"]
    assert page["scope"] == "source:/example/crm"
    assert [item["number"] for item in found] == list(range(1, page["next"] + 1))


# ── tables and links ─────────────────────────────────────────────────────────────────────────


def _first_cells(page: str) -> set[str]:
    """What stands in code marks in the first column of the page's tables."""
    rows = (DOCS / page).read_text(encoding="utf-8").splitlines()
    return {
        cell
        for row in rows
        if (found := re.match(r"\| (.*?) \|", row))
        for cell in re.findall(r"`([^`]+)`", found[1])
    }


def test_every_reason_for_a_refusal_is_explained() -> None:
    assert {reason.replace("_", "-") for reason in get_args(Reason)} <= _first_cells("integrating.md")
    assert set(get_args(Reason)) <= _first_cells("operating.md")


def test_every_setting_is_in_the_table_with_its_default() -> None:
    text = (DOCS / "operating.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `(CXC_[A-Z_]+)` \| (.*?) \|", text, re.MULTILINE))
    known = {
        name: default
        for model in (
            RegistrationSettings,
            MatchingSettings,
            FundingSettings,
            NotificationsSettings,
            ConsoleSettings,
        )
        for name, default in _settings(model, "CXC_")
    } | dict(_settings(KafkaSettings, "CXC_KAFKA_"))
    # One transaction at a time in funding is said beside the others' default.
    known["CXC_LANES"] = RegistrationSettings.model_fields["lanes"].default
    assert documented.keys() == known.keys()
    for name, default in known.items():
        if isinstance(default, str | int | float):
            said = f"{default:g}" if isinstance(default, float) else str(default)
            assert f"`{said}`" in documented[name], f"the default of {name} is {said}"


def _settings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, object]]:
    for name, field in model.model_fields.items():
        if name != "kafka":
            yield prefix + name.upper(), field.default


def test_every_metric_is_in_the_table_and_every_one_there_exists() -> None:
    known = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("cxc_")}
    table = (
        (DOCS / "operating.md").read_text(encoding="utf-8").partition("| metric |")[2].partition("\n\n")[0]
    )
    documented = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    assert {name.removesuffix("_total") for name in documented} == known


def test_every_topic_is_named_where_operators_look() -> None:
    text = (DOCS / "operating.md").read_text(encoding="utf-8")
    for topic in all_topics():
        name = re.sub(rf"\.({'|'.join(topics.SERVICES)})\.(?!inbox)", ".<service>.", topic.name)
        assert f"`{name}`" in text


def _pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for named in re.findall(r"`((?:shared|services|ops|tests|docs|bench|examples)/[\w./-]*)`", text):
        assert (ROOT / named).exists(), f"{page.name} names {named}"
