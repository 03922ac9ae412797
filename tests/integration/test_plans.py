"""Plans on the real API, database and processes: made apart, killed, published at once, compared."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.matching.domain.candidate import Candidate
from services.matching.domain.match import Match
from services.matching.domain.planning.job import PlanJob, PlanLine, PlanOutline
from services.matching.plan_maker import PlanMaker, PlanPublisher, forget_old_plans
from services.matching.use_cases.leave_pool import leave_pool
from services.matching.use_cases.suggest_pairs import suggest_pairs
from shared.contracts.common import Party
from shared.contracts.envelope import CloudEvent
from shared.contracts.types import EventType
from shared.messaging.outbox import unpack
from shared.storage.store import OUTBOX
from shared.storage.transactions import is_outrun
from tests.builders import a_host_party, a_party
from tests.integration.apis import (
    AUDITOR,
    NOBODY,
    OTHER_STAFF,
    STAFF,
    SUPPORT_OFFICE,
    WOOL_STAFF,
    Api,
    As,
    Issuer,
    participant,
    pointers,
    problem,
    running_api,
    running_root,
    settings_of,
)
from tests.unit.matching.builders import a_host_profile, a_profile, availability

pytestmark = pytest.mark.integration

SPRING = availability((date(2090, 2, 6), date(2090, 3, 31)))
ONE_WEEK = availability((date(2090, 2, 13), date(2090, 2, 17)))
JOINED = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
async def api(mongo_url: str, issuer: Issuer, unique: Callable[[str], str]) -> AsyncIterator[Api]:
    """The API on a database of this test alone."""
    async with running_api("matching", mongo_url, issuer, unique("test-plans")) as own:
        yield own


def visitors(count: int, partnership: str = "hempclub") -> list[Candidate]:
    parties = [a_party(f"{partnership}-v{n:04}", partnership=partnership) for n in range(count)]
    return [_member(party, a_profile(availability=SPRING), n) for n, party in enumerate(parties)]


def hosts(count: int, **profile: Any) -> list[Candidate]:
    parties = [a_host_party(f"h{n:04}", partnership="linenclub") for n in range(count)]
    told = a_host_profile(**{"availability": SPRING, **profile})
    return [_member(party, told, n) for n, party in enumerate(parties)]


def _member(party: Party, profile: Any, waited: int) -> Candidate:
    return Candidate(
        id=party.registration_id,
        version=1,
        party=party,
        profile=profile,
        in_pool=True,
        since=JOINED - timedelta(minutes=waited),
        heard=2,
    )


async def fill(api: Api, *members: list[Candidate]) -> None:
    documents = [one.to_document() for some in members for one in some]
    await api.root.database[Candidate.COLLECTION].insert_many(documents)


async def ask(api: Api, caller: As = STAFF, **order: Any) -> str:
    asked = await api.post("/plans", caller, order)
    assert asked.status_code == 202, asked.text
    assert asked.json()["state"] == "queued"
    return str(asked.headers["location"])


async def make_all(api: Api) -> None:
    """What the worker's companion does with all that waits."""
    maker = PlanMaker(api.root, asyncio.Event())
    while await maker.make_next():
        pass
    await maker.lease.let_go()


async def publish_all(api: Api) -> None:
    publisher = PlanPublisher(api.root, asyncio.Event())
    while await publisher.publish_next():
        pass
    await publisher.lease.let_go()


async def plan(api: Api, caller: As = STAFF, **order: Any) -> str:
    """The address of a plan that is ready."""
    address = await ask(api, caller, **order)
    await make_all(api)
    shown = (await api.get(address, caller)).json()
    assert shown["state"] == "ready", shown
    return address


async def read_all(api: Api, address: str, caller: As = STAFF, **params: Any) -> list[Any]:
    """All items of a list, two pages or more where there are."""
    items: list[Any] = []
    after: dict[str, Any] = {}
    while True:
        answer = await api.get(address, caller, **params, **after, limit=100)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next"] is None:
            return items
        after = {"after": page["next"]}


async def told(api: Api) -> Counter[tuple[str, str]]:
    """How many events of each type there are about each subject."""
    rows = await api.root.database[OUTBOX].find().to_list(None)
    events = [CloudEvent.model_validate_json(message.value) for row in rows for message in unpack(row)]
    return Counter((event.type, str(event.subject)) for event in events)


async def until(condition: Callable[[], Awaitable[Any]], within_s: float = 60) -> Any:
    async with asyncio.timeout(within_s):
        while True:
            if found := await condition():
                return found
            await asyncio.sleep(0.02)


# ── through the API ──────────────────────────────────────────────────────────────────────────


async def test_a_plan_is_asked_for_made_apart_read_published_and_told(api: Api) -> None:
    await fill(api, visitors(6), hosts(4))
    address = await plan(api, keep_margin=2.5)
    shown = (await api.get(address, STAFF)).json()
    figures = shown["figures"]
    assert (figures["visitors"], figures["hosts"], figures["pairs"]) == (6, 4, 24)
    assert (figures["exchanges"], figures["most_exchanges"], figures["is_optimal"]) == (4, 4, True)
    assert figures["value_within"] == 0.0
    assert shown["progress"]["share"] == 1.0

    pairs = await read_all(api, f"{address}/pairs")
    assert len({pair["visitor"]["registration_id"] for pair in pairs}) == 4
    assert len({pair["host"]["registration_id"] for pair in pairs}) == 4
    for pair in pairs:
        assert round(sum(reason["points"] for reason in pair["reasons"]), 2) == pair["score"]
    left_out = await read_all(api, f"{address}/unmatched")
    assert [one["why_not"] for one in left_out] == ["hosts_full", "hosts_full"]
    [first, *_] = pairs
    of_host = first["host"]["registration_id"]
    assert await read_all(api, f"{address}/pairs", registration=of_host) == [first]
    person = (await api.get(f"{address}/people/{of_host}", STAFF)).json()
    assert (person["as_visitor"], person["as_host"]) == (None, [first])
    problem(await api.get(f"{address}/people/nobody", STAFF), 404, "not-found")

    publishing = await api.post(f"{address}/publish", STAFF, {"answer_days": 10})
    assert (publishing.status_code, publishing.json()["state"]) == (202, "publishing")
    await publish_all(api)
    published = (await api.get(address, STAFF)).json()
    assert published["state"] == "published"
    assert (published["publication"]["done"], published["publication"]["suggested"]) == (4, 4)
    matches = (await api.get("/matches", STAFF)).json()["items"]
    assert {match["state"] for match in matches} == {"proposed"}
    assert len(await read_all(api, f"{address}/pairs", outcome="suggested")) == 4
    events = await told(api)
    assert set(events.values()) == {1}
    assert Counter(type for type, _ in events) == {EventType.MATCH_SUGGESTED: 4, EventType.PLAN_PUBLISHED: 1}


async def test_each_sees_the_plans_of_its_own(api: Api) -> None:
    await fill(api, visitors(2), visitors(2, "woolclub"), hosts(4))
    mine, all_of_them = await plan(api), await plan(api, SUPPORT_OFFICE)
    for path in ("", "/pairs", "/unmatched", "/people/h0000"):
        problem(await api.get(mine + path, OTHER_STAFF), 404, "not-found")
        problem(await api.get(mine + path, participant("hempclub-v0000")), 403, "forbidden")
        problem(await api.get(mine + path, NOBODY), 401, "unauthenticated")
        assert (await api.get(mine + path, AUDITOR)).status_code in (200, 404)
    assert len(await read_all(api, f"{all_of_them}/pairs", SUPPORT_OFFICE)) == 4
    assert len(await read_all(api, f"{all_of_them}/pairs", WOOL_STAFF)) == 2, "those of its own"
    assert [p["id"] for p in (await api.get("/plans", WOOL_STAFF)).json()["items"]] == [all_of_them[7:]]
    listed = (await api.get("/plans", AUDITOR, limit=1)).json()
    assert ([p["id"] for p in listed["items"]], listed["next"]) == ([all_of_them[7:]], all_of_them[7:])
    problem(await api.get("/plans", participant("hempclub-v0000")), 403, "forbidden")
    for caller in (AUDITOR, participant("hempclub-v0000"), WOOL_STAFF):
        problem(await api.post("/plans", caller, {"partnerships": ["hempclub"]}), 403, "forbidden")
    problem(await api.post(f"{all_of_them}/publish", STAFF), 403, "forbidden")
    problem(await api.post(f"{mine}/publish", AUDITOR), 403, "forbidden")


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"caps": [{"on": "host_country", "of": "Atlantis", "at_most": 1}]}, "/caps/0"),
    ({"caps": [{"on": "ecosystem", "of": "hemp", "at_most": 1}]}, "/caps/0"),
    ({"caps": [{"on": "host_country", "of": "IT", "at_most": -1}]}, "/caps/0/at_most"),
    ({"keep_margin": -1}, "/keep_margin"),
    ({"budgets": {"hempclub": "1.001"}}, "/budgets/hempclub"),
    ({"partnerships": []}, "/partnerships"),
    ({"cap": []}, "/cap"),
]


@pytest.mark.parametrize(("order", "pointer"), MALFORMED, ids=[row[1] for row in MALFORMED])
async def test_a_malformed_order_is_told_where(api: Api, order: dict[str, Any], pointer: str) -> None:
    assert pointers(problem(await api.post("/plans", STAFF, order), 422, "malformed")) == [pointer]


async def test_limits_that_contradict_each_other_are_named_and_nothing_can_be_read(api: Api) -> None:
    caps = [{"on": "host_country", "of": code, "at_most": n} for code, n in (("GR", 1), ("EL", 2))]
    address = await ask(api, caps=caps)
    await make_all(api)
    shown = (await api.get(address, STAFF)).json()
    assert shown["state"] == "failed"
    assert "at most 1 exchanges with host country GR" in shown["failure"]
    assert (
        shown["failure"]
        in problem(await api.get(f"{address}/pairs", STAFF), 409, "plan-state-forbids")["detail"]
    )
    problem(await api.post("/plans", STAFF, {"budgets": {"nobody": 1}}), 409, "unknown-partnership")


async def test_an_empty_pool_has_a_plan_too(api: Api) -> None:
    address = await plan(api)
    figures = (await api.get(address, STAFF)).json()["figures"]
    assert (figures["exchanges"], figures["pairs"], figures["is_optimal"]) == (0, 0, True)
    await api.post(f"{address}/publish", STAFF)
    await publish_all(api)
    assert (await api.get(address, STAFF)).json()["state"] == "published"


async def test_two_plans_are_compared(api: Api) -> None:
    await fill(api, visitors(3), hosts(3))
    all_of_them = await plan(api)
    two = await plan(api, caps=[{"on": "host_country", "of": "IT", "at_most": 2}])
    found = (await api.get("/plans/compare", STAFF, **{"from": all_of_them[7:], "to": two[7:]})).json()
    assert (found["more_exchanges"], found["gaining"], found["losing"]) == (-1, 0, 1)
    [loser] = found["who_loses"]
    assert loser["host_after"] is None
    assert loser["gain"] == -loser["score_before"]
    assert "1 exchange fewer" in found["sentence"]
    the_same = (await api.get("/plans/compare", STAFF, **{"from": two[7:], "to": two[7:]})).json()
    assert (the_same["gaining"], the_same["losing"], the_same["moved"]) == (0, 0, 0)
    answer = await api.get("/plans/compare", OTHER_STAFF, **{"from": two[7:], "to": two[7:]})
    problem(answer, 404, "not-found")


async def test_what_has_changed_since_is_reported_when_the_plan_is_published(api: Api) -> None:
    await fill(api, visitors(4), hosts(4))
    address = await plan(api)
    gone = a_party("hempclub-v0001")
    await api.root.transactions.run(
        lambda uow: leave_pool(uow, gone, version=3, reason="It withdrew its registration.")
    )
    await api.post(f"{address}/publish", STAFF)
    await publish_all(api)
    shown = (await api.get(address, STAFF)).json()["publication"]
    assert (shown["suggested"], shown["dropped"], shown["done"]) == (3, 1, 4)
    [dropped] = await read_all(api, f"{address}/pairs", outcome="dropped")
    assert dropped["visitor"]["registration_id"] == "hempclub-v0001"
    assert "not accepted at present" in dropped["because"]


async def test_two_of_which_one_said_no_are_not_planned_together_again(api: Api) -> None:
    await fill(api, visitors(1), hosts(2))
    address = await plan(api)
    await api.post(f"{address}/publish", STAFF)
    await publish_all(api)
    [match] = (await api.get("/matches", STAFF)).json()["items"]
    owner = participant("hempclub-v0000")
    assert (await api.post(f"/matches/{match['id']}/decline", owner)).status_code == 200
    [pair] = await read_all(api, f"{await plan(api)}/pairs")
    assert pair["host"]["registration_id"] != match["host"]["registration_id"]


async def test_old_plans_are_forgotten_whole(api: Api) -> None:
    await fill(api, visitors(2), hosts(2))
    address = await plan(api)
    days = api.root.settings.plan_days
    await forget_old_plans(api.root, datetime.now(UTC) + timedelta(days=days - 1))
    assert (await api.get(address, STAFF)).status_code == 200
    await forget_old_plans(api.root, datetime.now(UTC) + timedelta(days=days + 1))
    for collection in (PlanJob, PlanLine, PlanOutline):
        assert await api.root.database[collection.COLLECTION].count_documents({}) == 0


# ── processes that die ───────────────────────────────────────────────────────────────────────


def child_of(pid: int) -> int | None:
    """The process that makes a plan for that worker."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"plan_apart" in (entry / "cmdline").read_bytes():
                return int(entry.name)
    return None


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_a_plan_whose_process_is_killed_is_made_anew(api: Api) -> None:
    await fill(api, visitors(50), hosts(30))
    address = await ask(api)
    making = asyncio.create_task(make_all(api))

    async def child() -> int | None:
        return child_of(os.getpid())

    os.kill(await until(child), signal.SIGKILL)
    await making
    shown = (await api.get(address, STAFF)).json()
    assert (shown["state"], shown["figures"]["exchanges"]) == ("ready", 30)
    assert [entry["what"] for entry in shown["history"]] == [
        "asked",
        "started",
        "interrupted",
        "started again",
        "ready",
    ]
    assert len(await read_all(api, f"{address}/pairs")) == 30


async def test_a_cancelled_plan_ends_its_process(api: Api) -> None:
    await fill(api, visitors(50), hosts(30))
    address = await ask(api)
    maker = PlanMaker(api.root, asyncio.Event())
    making = asyncio.create_task(maker.make_next())

    async def child() -> int | None:
        return child_of(os.getpid())

    pid = await until(child)
    os.kill(pid, signal.SIGSTOP)  # so that it cannot be done before it is cancelled
    assert (await api.post(f"{address}/cancel", STAFF)).json()["state"] == "cancelled"
    with contextlib.suppress(Exception):
        await making
    await maker.lease.let_go()
    assert not is_alive(pid)
    assert (await api.get(address, STAFF)).json()["state"] == "cancelled"
    problem(await api.post(f"{address}/cancel", STAFF), 409, "plan-state-forbids")


_WORKER = """
import asyncio, sys
from services.matching import plan_maker
from services.matching.bootstrap import bootstrap
from tests.integration.apis import settings_of

async def main():
    plan_maker.PAIRS_AT_ONCE = 10
    matching = await bootstrap(settings_of("matching", sys.argv[1]), database=sys.argv[2])
    companions = (plan_maker.make_plans, plan_maker.publish_plans)
    await asyncio.gather(*(run(matching, asyncio.Event()) for run in companions))

asyncio.run(main())
"""


async def a_worker(mongo_url: str, api: Api) -> asyncio.subprocess.Process:
    """A process with the companions, which need not wait for the leases of one that was killed."""
    await api.root.database["leases"].delete_many({})
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WORKER, mongo_url, api.root.database.name), cwd=Path(__file__).parents[2]
    )


async def killed(worker: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.send_signal(signal.SIGKILL)
    await worker.wait()


async def test_a_worker_killed_while_it_makes_a_plan_takes_its_process_with_it_and_another_goes_on(
    api: Api, mongo_url: str
) -> None:
    await fill(api, visitors(50), hosts(30))
    address = await ask(api)
    first = await a_worker(mongo_url, api)

    async def child() -> int | None:
        return child_of(first.pid)

    try:
        pid = await until(child)
    finally:
        await killed(first)

    async def has_ended() -> bool:
        return not is_alive(pid)

    await until(has_ended)

    async def is_ready() -> bool:
        return bool((await api.get(address, STAFF)).json()["state"] == "ready")

    second = await a_worker(mongo_url, api)
    try:
        await until(is_ready)
    finally:
        await killed(second)
    assert len(await read_all(api, f"{address}/pairs")) == 30


async def test_a_worker_killed_again_and_again_while_it_publishes_suggests_each_pair_once(
    api: Api, mongo_url: str
) -> None:
    pairs = 120
    await fill(api, visitors(pairs), hosts(pairs))
    address = await plan(api)
    await api.post(f"{address}/publish", STAFF)

    async def done() -> int:
        return int((await api.get(address, STAFF)).json()["publication"]["done"])

    kills, reached = 0, 0
    async with asyncio.timeout(120):
        while reached < pairs:
            target = min(pairs, reached + 30)
            worker = await a_worker(mongo_url, api)
            try:
                while (reached := await done()) < target:
                    assert worker.returncode is None
                    await asyncio.sleep(0.01)
            finally:
                await killed(worker)
                kills += 1
    assert kills >= 2
    await api.root.database["leases"].delete_many({})
    await publish_all(api)
    shown = (await api.get(address, STAFF)).json()
    assert (shown["state"], shown["publication"]["suggested"]) == ("published", pairs)
    assert await api.root.database[Match.COLLECTION].count_documents({}) == pairs
    events = await told(api)
    assert set(events.values()) == {1}
    assert Counter(type for type, _ in events) == {
        EventType.MATCH_SUGGESTED: pairs,
        EventType.PLAN_PUBLISHED: 1,
    }


# ── two at once ──────────────────────────────────────────────────────────────────────────────


async def publishes(root: Any, id: str) -> None:
    """Publish some at a time, as a worker does, without asking for the lease."""
    while True:
        try:
            if await root.transactions.run(lambda uow: suggest_pairs(uow, id, 5)):
                return
        except Exception as error:
            if not is_outrun(error):
                raise


async def test_two_partnerships_publishing_at_once_never_suggest_a_place_or_a_visitor_twice(
    api: Api, mongo_url: str
) -> None:
    places = 25
    await fill(api, visitors(20), visitors(20, "woolclub"), hosts(places, availability=ONE_WEEK))
    addresses = [await plan(api, caller) for caller in (STAFF, WOOL_STAFF)]
    for address, caller in zip(addresses, (STAFF, WOOL_STAFF), strict=True):
        assert (await api.post(f"{address}/publish", caller)).status_code == 202
    settings = settings_of("matching", mongo_url)
    async with running_root("matching", settings, api.root.database.name) as other:
        await asyncio.gather(publishes(api.root, addresses[0][7:]), publishes(other, addresses[1][7:]))
    counts: Counter[str] = Counter()
    for address, caller in zip(addresses, (STAFF, WOOL_STAFF), strict=True):
        shown = (await api.get(address, caller)).json()
        assert shown["state"] == "published"
        assert shown["publication"]["done"] == 20, "each pair is suggested or reported"
        counts.update({name: shown["publication"][name] for name in ("suggested", "dropped")})
    matches = await api.root.database[Match.COLLECTION].find().to_list(None)
    assert len(matches) == counts["suggested"]
    assert set(Counter(match["host"]["registration_id"] for match in matches).values()) == {1}
    assert set(Counter(match["visitor"]["registration_id"] for match in matches).values()) == {1}
    assert counts["suggested"] + counts["dropped"] == 40
    assert set((await told(api)).values()) == {1}


async def test_two_workers_that_publish_the_same_plan_suggest_each_pair_once(
    api: Api, mongo_url: str
) -> None:
    """Both believe that they hold the lease, as one that was frozen for long does."""
    await fill(api, visitors(40), hosts(40))
    address = await plan(api)
    await api.post(f"{address}/publish", STAFF)
    settings = settings_of("matching", mongo_url)
    async with running_root("matching", settings, api.root.database.name) as other:
        await asyncio.gather(publishes(api.root, address[7:]), publishes(other, address[7:]))
    shown = (await api.get(address, STAFF)).json()
    assert (shown["state"], shown["publication"]["suggested"]) == ("published", 40)
    assert await api.root.database[Match.COLLECTION].count_documents({}) == 40
    assert set((await told(api)).values()) == {1}
