"""Group events on real MongoDB: places under a rush, the waiting list in two processes, and what is paid."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from ops.commands.group_events import SAMPLE_EVENTS, group_events_in
from services.funding.handlers import handlers as funding_handlers
from services.matching.bootstrap import Matching, bootstrap
from services.matching.chores import CHORES, do_chores
from services.matching.domain.gathering import Gathering
from services.matching.repositories import MatchingUnitOfWork
from services.matching.routes.group_events import GroupEventSent
from services.matching.use_cases.approve_match import approve_match
from services.matching.use_cases.join_pool import join_pool
from services.matching.use_cases.leave_gathering import leave_gathering
from services.matching.use_cases.open_gathering import open_gathering
from services.matching.use_cases.plan_gathering import plan_gathering
from services.matching.use_cases.sign_up import sign_up
from services.matching.use_cases.tend_gatherings import tend_gatherings
from shared.contracts.common import Place
from shared.contracts.envelope import CloudEvent, new_id
from shared.contracts.types import EventType
from shared.messaging.consumer import BatchConsumer
from shared.messaging.outbox import unpack
from shared.messaging.topics import events
from tests.builders import a_host_party, a_message, a_party
from tests.integration.apis import STAFF, Api, participant, running_root, settings_of
from tests.integration.test_api_matching import SPRING, joined, until
from tests.unit.matching.builders import a_host_profile, a_profile, staff_of

pytestmark = pytest.mark.integration

HEMP = staff_of("hempclub")
ROME = Place(country="IT", city="Rome", lat=41.8933, lon=12.4829)
LISBON = Place(country="PT", city="Lisbon", lat=38.7223, lon=-9.1393)
MILAN = Place(country="IT", city="Milan", lat=45.4643, lon=9.1895)
NAPLES = Place(country="IT", city="Naples", lat=40.8522, lon=14.2681)


def a_group_event(host: str, **changes: Any) -> dict[str, Any]:
    """Three days in 2090 with twenty places."""
    return {
        "host_registration_id": host,
        "title": "Bioeconomy Business Exchange",
        "first_day": "2090-02-14",
        "last_day": "2090-02-16",
        "places": 20,
        "sign_up_until": "2090-02-03",
        **changes,
    }


async def test_of_fifty_who_sign_up_at_once_twenty_have_a_place_and_thirty_wait_in_order(
    matching: Api,
) -> None:
    host = await joined(matching, a_host_party(new_id()), a_host_profile(availability=SPRING))
    visitors = [new_id() for _ in range(50)]

    async def join(uow: MatchingUnitOfWork) -> None:
        for id in visitors:
            await join_pool(uow, a_party(id), a_profile(availability=SPRING), version=2)

    await matching.root.transactions.run(join)
    path = (await matching.post("/group-events", STAFF, a_group_event(host))).headers["location"]
    assert (await matching.post(f"{path}/open", STAFF)).status_code == 200

    answers = await asyncio.gather(
        *(matching.post(f"{path}/participants", participant(id), {"registration_id": id}) for id in visitors)
    )
    assert [answer.status_code for answer in answers] == [201] * 50
    view = (await matching.get(path, STAFF)).json()
    listed = view["participants"]
    assert [one["number"] for one in listed] == list(range(1, 51))
    assert {one["organisation"]["registration_id"] for one in listed} == set(visitors)
    assert [one["has_place"] for one in listed] == [True] * 20 + [False] * 30
    assert [one["waits_as_number"] for one in listed[20:]] == list(range(1, 31))
    assert (view["state"], view["free_places"], view["waiting"]) == ("full", 0, 30)

    engaged = await matching.root.database["candidates"].find_one({"_id": host})
    assert {e["match_id"] for e in engaged["engagements"]} == {one["match_id"] for one in listed[:20]}
    assert await matching.root.database["matches"].count_documents({"host.registration_id": host}) == 20


@pytest.fixture
async def roots(mongo_url: str, database: str) -> AsyncIterator[list[Matching]]:
    """Two processes of matching on one database, in January 2023."""
    roots = [await a_root(mongo_url, database, datetime(2023, 1, 16, 9, 30, tzinfo=UTC)) for _ in range(2)]
    yield roots
    for root in roots:
        await root.close()


async def a_root(mongo_url: str, database: str, at: datetime) -> Matching:
    return await bootstrap(settings_of("matching", mongo_url), database=database, clock=lambda: at)


async def opened(root: Matching, host: str, given: dict[str, Any], place: Place = MILAN) -> str:
    sent = GroupEventSent.model_validate({**given, "host_registration_id": host})

    async def work(uow: MatchingUnitOfWork) -> str:
        await join_pool(uow, a_host_party(host, place=place), a_host_profile(), version=2)
        gathering = await plan_gathering(uow, host, sent.programme(), city=sent.city, by=HEMP)
        await open_gathering(uow, gathering.id, by=HEMP)
        return gathering.id

    return await root.transactions.run(work)


async def comes(root: Matching, gathering_id: str, id: str, place: Place = LISBON) -> Gathering:
    """It joins the pool and signs up."""
    await root.transactions.run(lambda uow: join_pool(uow, a_party(id, place=place), a_profile(), version=2))
    return await root.transactions.run(lambda uow: sign_up(uow, gathering_id, id, by=HEMP))


async def the_gathering(root: Matching, id: str) -> Gathering:
    return await root.transactions.read(lambda uow: uow.gatherings.get(id))


async def published(root: Matching) -> list[CloudEvent]:
    rows = await root.database["outbox"].find({}).sort("position", 1).to_list(None)
    return [CloudEvent.model_validate_json(message.value) for row in rows for message in unpack(row)]


async def test_two_processes_never_give_a_place_twice_nor_leave_one_to_nobody(roots: list[Matching]) -> None:
    given = {"title": "Exchange", "first_day": "2023-02-14", "last_day": "2023-02-16", "places": 6,
             "sign_up_until": "2023-02-03"}  # fmt: skip
    id = await opened(roots[0], new_id(), given)

    async def some_come(root: Matching) -> None:
        for _ in range(10):
            await comes(root, id, new_id())

    await asyncio.gather(*(some_come(root) for root in roots))
    gathering = await the_gathering(roots[0], id)
    assert [one.number for one in gathering.listed] == list(range(1, 21))
    assert [one.seated for one in gathering.listed] == [True] * 6 + [False] * 14

    # All who have a place give it up, while both processes let those who wait move up.
    leavers = [one.registration_id for one in gathering.seated]

    async def all_leave(root: Matching) -> None:
        for leaver in leavers:
            await root.transactions.run(
                partial(leave_gathering, gathering_id=id, registration_id=leaver, by=HEMP)
            )

    async def tended(root: Matching) -> None:
        for _ in range(8):
            await root.transactions.run(lambda uow: tend_gatherings(uow, [id]), attempts=40)

    stopping = asyncio.Event()
    of_events = [chore for chore in CHORES if chore.name == "group-events"]
    chores = asyncio.create_task(do_chores(roots[0], stopping, chores=of_events, look_every_s=0.05))
    await asyncio.gather(all_leave(roots[0]), tended(roots[1]))

    async def all_places_taken() -> bool:
        return len((await the_gathering(roots[0], id)).seated) == 6

    await until(all_places_taken)
    stopping.set()
    await chores
    gathering = await the_gathering(roots[0], id)
    assert [one.number for one in gathering.seated] == list(range(7, 13))
    assert [one.number for one in gathering.waiting] == list(range(13, 21))
    taken = [e.data["party"]["registration_id"] for e in await published(roots[0])
             if e.type == EventType.GROUP_EVENT_PLACE_TAKEN]  # fmt: skip
    assert len(taken) == len(set(taken)) == 12
    living = await roots[0].database["matches"].find({"state": "agreed"}).to_list(None)
    assert {match["_id"] for match in living} == {one.match_id for one in gathering.seated}


async def test_each_visitor_has_a_grant_of_its_own_and_a_local_has_none(
    mongo_url: str, database: str
) -> None:
    """The two events of the sample: three days in Milan, and a week in Naples."""
    naples, milan = group_events_in(SAMPLE_EVENTS).bodies
    visits: dict[str, str] = {}
    for given, at, place in (
        (naples, datetime(2022, 8, 1, tzinfo=UTC), NAPLES),
        (milan, datetime(2023, 1, 16, tzinfo=UTC), MILAN),
    ):
        root = await a_root(mongo_url, database, at)
        try:
            id = await opened(root, new_id(), given, place)
            for _ in range(2):
                gathering = await comes(root, id, new_id())
                match_id = gathering.listed[-1].match_id
                assert match_id is not None
                await root.transactions.run(partial(approve_match, match_id=match_id, by=HEMP))
                visits[match_id] = given["title"]
            gathering = await comes(root, id, new_id(), place=ROME)
            assert gathering.listed[-1].attends_as == "local"
            told = await published(root)
        finally:
            await root.close()

    async with running_root("funding", settings_of("funding", mongo_url), f"{database}-funding") as funding:
        consumer = BatchConsumer(funding_handlers, funding.transactions)
        await consumer.consume(
            [
                a_message(event, topic=events("matching"), offset=offset)
                for offset, event in enumerate(told)
                if event.type in funding_handlers.types
            ]
        )
        grants = await funding.database["grants"].find({}).to_list(None)
        await funding.client.drop_database(f"{database}-funding")
    amounts = [(visits[grant["match_id"]], Decimal(grant["lump_sum"]["amount"])) for grant in grants]
    assert sorted(amounts) == [
        ("Bioeconomy Business Exchange", Decimal(450)),
        ("Bioeconomy Business Exchange", Decimal(450)),
        ("Canapa Forum – Business Exchange", Decimal(900)),
        ("Canapa Forum – Business Exchange", Decimal(900)),
    ]
