"""The console's read model on real MongoDB: who sees what, what pages ask, what they hear, and a rebuild."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from services.console.bootstrap import Console
from services.console.case_rows import ExchangeRow, Page
from services.console.handlers import handlers
from services.console.languages import language_for
from services.console.live import Position, Told
from services.console.people import Person
from services.console.rebuilding import Rebuild
from services.console.timelines import Telling
from shared.messaging.consumer import BatchConsumer
from shared.messaging.message import Message
from shared.security import Caller, CallerRole
from shared.storage.driver import connect
from tests.builders import a_party
from tests.integration.apis import running_root, settings_of
from tests.unit.console.stories import MATCH, Story, a_paid_exchange, an_approved_exchange
from tests.unit.console.stories import Told as ToldEvent

pytestmark = pytest.mark.integration


def person(role: CallerRole, **claims: Any) -> Person:
    return Person(session="", caller=Caller("somebody", role, **claims), name="", token="", csrf="")


VISITOR = person(CallerRole.PARTICIPANT, organisation="tagus-fibre-works")
HOST = person(CallerRole.PARTICIPANT, organisation="navigli")
STRANGER = person(CallerRole.PARTICIPANT, organisation="somebody-else")
STAFF = person(CallerRole.STAFF, partnership="hempclub")
HOST_STAFF = person(CallerRole.STAFF, partnership="woolclub")
OTHER_STAFF = person(CallerRole.STAFF, partnership="solarclub")
AUDITOR = person(CallerRole.AUDITOR)
OUTSIDE = person(CallerRole.EXTERNAL)
STRANGERS = pytest.mark.parametrize("who", [STRANGER, OTHER_STAFF, OUTSIDE], ids=["org", "desk", "system"])
CONCERNED = pytest.mark.parametrize("who", [VISITOR, HOST, STAFF, HOST_STAFF, AUDITOR])


def published(told: Sequence[ToldEvent]) -> list[Message]:
    return [
        Message("cxc.any.events", 0, number, envelope.partitionkey.encode(), envelope.to_json(), (), 0)
        for number, (_, envelope) in enumerate(told)
        if envelope.partitionkey
    ]


async def consume(console: Console, told: Sequence[ToldEvent]) -> None:
    await BatchConsumer(handlers, console.transactions).consume(published(told))


@pytest.fixture
async def console(mongo_url: str, unique: Callable[[str], str]) -> AsyncIterator[Console]:
    database = unique("console")
    async with running_root("console", settings_of("console", mongo_url), database) as root:
        yield root
    async with connect(mongo_url) as client:
        await client.drop_database(database)


async def read(console: Console) -> dict[str, Any]:
    """All of the read model, apart from how often each was written."""
    names = ("registrations", "exchanges", "group_events", "plans", "payments", "happenings")
    found = {
        name: await console.database[name].find({}, {"version": 0}).sort("_id", 1).to_list() for name in names
    }
    assert found["happenings"]
    return found


# ── who sees what ────────────────────────────────────────────────────────────────────────────


@STRANGERS
async def test_whom_a_case_does_not_concern_finds_nothing_of_it(console: Console, who: Person) -> None:
    await consume(console, a_paid_exchange().told)
    cases = console.cases
    assert (await cases.registrations(who)).rows == []
    assert (await cases.exchanges(who)).rows == []
    assert (await cases.exchanges(who, registration="visitor-1", step=["paid"])).rows == []
    assert await cases.case_of(who, MATCH) is None
    assert await cases.case_of(who, "visitor-1") is None
    for id in (MATCH, "grant-match-1", "visitor-1", "p"):
        assert (await cases.happenings_of(who, id, mails=True)).rows == []
        assert await cases.waits_in(who, id) == []
    assert (await cases.happenings(who, subject=MATCH)).rows == []
    assert (await cases.waiting(who)).rows == []
    assert await cases.counts(who) == {"registrations": {}, "exchanges": {}}


@CONCERNED
async def test_whom_it_concerns_finds_it(console: Console, who: Person) -> None:
    await consume(console, a_paid_exchange().told)
    [row] = (await console.cases.exchanges(who)).rows
    assert row == await console.cases.case_of(who, "grant-match-1")
    assert (row.visitor.country, row.host.country) == ("PT", "IT")


async def test_the_host_hears_of_the_exchange_and_not_of_the_visitors_money(console: Console) -> None:
    await consume(console, a_paid_exchange().told)
    row = await console.cases.exchange(HOST, MATCH)
    assert row is not None
    assert (row.money, row.step) == (None, "approved")
    assert (await console.cases.exchanges(HOST, step=["paid"])).rows == []
    told = await console.cases.happenings_of(HOST, MATCH, mails=True)
    assert {one.type.split(".")[1] for one in told.rows} == {"match", "commitment"}
    seen = await console.cases.exchange(VISITOR, MATCH)
    assert seen is not None
    assert seen.money is not None
    assert seen.money.state == "paid"
    assert len((await console.cases.happenings_of(VISITOR, MATCH)).rows) > len(told.rows)


async def test_the_host_is_not_told_what_the_visitor_does_for_its_money(console: Console) -> None:
    await consume(console, a_paid_exchange().told[:11])
    assert {wait.kind for wait in await console.cases.waits_in(VISITOR, MATCH)} > {"agreement", "account"}
    assert await console.cases.waits_in(HOST, MATCH) == []


# ── what pages ask ───────────────────────────────────────────────────────────────────────────


async def test_pages_of_a_list_follow_each_other_without_a_gap(console: Console) -> None:
    story = Story()
    for number in range(25):
        story.registers(a_party(f"r-{number:02}", organisation=f"Weaver {number:02}"))
    await consume(console, story.told)
    for sort in ("name", "-name", "-changed", "submitted"):
        found: list[str] = []
        after = None
        while True:
            page = await console.cases.registrations(STAFF, sort=sort, after=after, limit=7)
            found += [row.id for row in page.rows]
            if (after := page.next) is None:
                break
        assert sorted(found) == [f"r-{number:02}" for number in range(25)]
        if sort.endswith("name"):
            assert found == sorted(found, reverse=sort == "-name")


async def test_a_case_is_found_by_the_beginnings_of_its_words_or_its_id(console: Console) -> None:
    story = an_approved_exchange()
    story.registers(a_party("0190aabb-0000-7000-8000-000000000001", organisation="Économie Verte (sample)"))
    await consume(console, story.told)

    async def found(search: str) -> set[str]:
        return {row.name for row in (await console.cases.registrations(AUDITOR, search=search)).rows}

    assert await found("tag fib") == {"Tagus Fibre Works (sample)"}
    assert await found("economie") == await found("0190AABB-00") == {"Économie Verte (sample)"}
    assert await found("fibre (lisbon") == {"Tagus Fibre Works (sample)"}
    assert await found("tag$.*") == {"Tagus Fibre Works (sample)"}
    assert await found("nowhere") == set()
    exchanges: Page[ExchangeRow] = await console.cases.exchanges(AUDITOR, search="navigli tag")
    assert [row.id for row in exchanges.rows] == [MATCH]


async def test_what_waits_is_counted_by_kind_for_whoever_looks(console: Console) -> None:
    await consume(console, an_approved_exchange().told[:7])
    for who in (STAFF, HOST_STAFF, AUDITOR):
        kinds = {one.kind: one.count for one in await console.cases.waiting_by_kind(who)}
        assert kinds == {"match": 2 if who is AUDITOR else 1}
    [wait] = (await console.cases.waiting(STAFF, kind="match")).rows
    assert (wait.desk, wait.href) == ("hempclub", f"/matches/{MATCH}")
    assert await console.cases.waiting_by_kind(VISITOR) == []


async def test_progress_and_flows_are_public_and_say_what_was_added(console: Console) -> None:
    before = {one.partnership: one for one in await console.cases.progress()}["hempclub"]
    await consume(console, a_paid_exchange().told)
    after = {one.partnership: one for one in await console.cases.progress()}["hempclub"]
    assert (after.before, after.added, after.done) == (before.before, 1, before.done + 1)
    [flow] = await console.cases.flows()
    assert (flow.visitor_country, flow.host_country, flow.exchanges, flow.done) == ("PT", "IT", 1, 1)
    assert await console.cases.flows("hempclub") == [flow]
    assert await console.cases.flows("solarclub") == []


async def test_a_timeline_has_words_for_what_happened_and_what_comes_next(console: Console) -> None:
    await consume(console, an_approved_exchange().told)
    case = await console.cases.case_of(VISITOR, MATCH)
    today = datetime(2023, 1, 16, tzinfo=UTC).date()
    telling = Telling(language_for("en"), console.partnerships, case, VISITOR, today=today)
    told = (await console.cases.happenings_of(VISITOR, MATCH)).rows
    titles = [telling.happening(one).title for one in reversed(told)]
    assert titles[:2] == ["The visitor proposed the exchange", "The host named other days"]
    [own, other] = sorted(
        map(telling.wait, await console.cases.waits_in(VISITOR, MATCH)), key=lambda one: one.href is None
    )
    assert (own.who, own.kind) == ("Tagus Fibre Works (sample)", "now")
    assert (other.who, other.href) == ("Navigli Textile Tech Centre (sample)", None)


# ── what pages hear ──────────────────────────────────────────────────────────────────────────


async def heard(console: Console, key: str | None, after: Position | None, act: Any) -> Told:
    """What a page hears first after something was done."""
    async with aclosing(console.live.follow(key, after, lasts_s=20)) as stream:
        first = await anext(stream)
        assert first.topics == frozenset()
        await act()
        async for told in stream:
            if told.topics or told.everything:
                return told
    raise AssertionError("nothing was heard")


async def test_a_page_hears_what_changed_in_its_cases_and_nothing_of_others(console: Console) -> None:
    story = a_paid_exchange().told
    await consume(console, story[:9])
    quiet = asyncio.create_task(heard(console, "desk:solarclub", None, lambda: asyncio.sleep(0)))
    await asyncio.sleep(0.3)
    told = await heard(console, "owner:navigli", None, lambda: consume(console, story[9:10]))
    assert told.topics == {"exchanges", f"match:{MATCH}", "waiting", "progress"}
    assert (await quiet).topics == {"progress"}


async def test_a_page_that_comes_back_hears_what_it_missed(console: Console) -> None:
    story = a_paid_exchange().told
    await consume(console, story[:9])
    async with aclosing(console.live.follow("owner:navigli", None, lasts_s=5)) as stream:
        left_at = (await anext(stream)).position
    await consume(console, story[9:10])
    await asyncio.sleep(0.5)
    missed = await heard(console, "owner:navigli", left_at, lambda: asyncio.sleep(0))
    assert f"match:{MATCH}" in missed.topics
    long_ago = await heard(console, "owner:navigli", Position(1, 1), lambda: asyncio.sleep(0))
    assert long_ago.everything


# ── a rebuild ────────────────────────────────────────────────────────────────────────────────


def as_on_the_feed(told: Sequence[ToldEvent]) -> list[dict[str, Any]]:
    return [orjson.loads(envelope.to_json()) for _, envelope in told]


async def test_a_rebuild_leads_to_the_same_and_loses_nothing_of_what_comes_meanwhile(
    console: Console,
) -> None:
    story = a_paid_exchange().told
    await consume(console, story[:15])
    work = Rebuild(console.client, console.database)
    await work.begin()
    await work.fold(as_on_the_feed(story[:12]))
    assert await work.missing() == {envelope.id for _, envelope in story[12:15]}
    await consume(console, story[15:20])  # the worker goes on
    await work.fold(as_on_the_feed(story[12:18]))
    assert await work.missing() == {envelope.id for _, envelope in story[18:20]}
    await work.put_in_place()
    await consume(console, story[20:])
    assert await work.missing() == {envelope.id for _, envelope in story[18:20]}
    await work.fold(as_on_the_feed(story[10:]))
    assert await work.missing() == set()
    rebuilt = await read(console)

    for name in ("inbox", "registrations", "exchanges", "payments", "happenings"):
        await console.database[name].delete_many({})
    await consume(console, story)
    assert await read(console) == rebuilt
    assert "exchanges_rebuilt" not in await console.database.list_collection_names()


async def test_a_check_finds_what_is_not_as_the_events_say(console: Console) -> None:
    story = a_paid_exchange().told
    await consume(console, random.Random(1).sample(story, len(story)))
    work = Rebuild(console.client, console.database)
    await work.begin()
    await work.fold(as_on_the_feed(story))
    assert [difference async for difference in work.differences()] == []
    await console.database["exchanges"].update_one({"_id": MATCH}, {"$set": {"step": "declined"}})
    await console.database["registrations"].delete_one({"_id": "host-1"})
    found = {(one.collection, one.id): (one.fields, one.missing) async for one in work.differences()}
    assert found == {("registrations", "host-1"): ([], "in use"), ("exchanges", MATCH): (["step"], None)}
    await work.drop()
