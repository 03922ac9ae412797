"""Lookalikes on real MongoDB: found whatever is restarted, and merged ones have one visit, races included."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

import pytest

from services.matching.bootstrap import Matching
from services.matching.domain.errors import VisitAlreadyClaimed
from services.matching.domain.match import Match
from services.matching.handlers import handlers
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.accept_match import accept_match
from services.matching.use_cases.approve_match import approve_match
from services.matching.use_cases.propose_match import propose_match
from services.registration import lookalike_search
from services.registration.bootstrap import Registering
from services.registration.domain.duplicate import pair_id
from services.registration.domain.likeness import Likeness
from services.registration.lookalike_search import LookalikeSearch
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.accept_registration import accept_registration
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.merge_registrations import merge_registrations
from services.registration.use_cases.note_lookalikes import Found, Looked, note_lookalikes
from services.registration.use_cases.record_visit import record_visit
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.undo_merge import undo_merge
from services.registration.use_cases.withdraw_registration import withdraw_registration
from shared.contracts.common import Window
from shared.contracts.registration import Submission
from shared.messaging.consumer import BatchConsumer
from shared.messaging.message import Message
from shared.messaging.outbox import unpack
from shared.messaging.topics import events
from shared.security import Caller, CallerRole
from tests.builders import a_host_submission, a_submission
from tests.conftest import Servers
from tests.integration.apis import running_root, settings_of
from tests.unit.matching.builders import participant_of, staff_of

pytestmark = pytest.mark.integration

WITHIN_S = 60.0
ROUNDS = 10
SPRING = [{"first_day": "2090-02-06", "last_day": "2090-03-31"}]
STAY = Window.model_validate({"first_day": "2090-02-14", "last_day": "2090-02-16"})
A_PORTAL = Caller("/sample/portal", CallerRole.EXTERNAL)


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests run beside these, and the search would give way to them."""
    monkeypatch.setattr(lookalike_search, "LONGEST_REST_S", 0.1)


@pytest.fixture(params=["pymongo", "motor"])
async def registering(
    request: pytest.FixtureRequest, mongo_url: str, database: str
) -> AsyncIterator[Registering]:
    settings = settings_of("registration", mongo_url, mongo_driver=request.param)
    async with running_root("registration", settings, database) as root:
        yield root


@asynccontextmanager
async def searching(root: Registering, least: int = 75) -> AsyncIterator[None]:
    """A worker's companion, which is told to stop at the end."""
    stopping = asyncio.Event()
    search = LookalikeSearch(root.database, root.transactions, least)
    running = asyncio.create_task(search.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(running, timeout=30)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not await holds():
        assert time.monotonic() < deadline, "it took too long"
        await asyncio.sleep(0.05)


def a_visiting(name: str, **changes: Any) -> Submission:
    organisation = {
        **a_submission()["organisation"],
        "name": name,
        "pic": None,
        **changes.pop("organisation", {}),
    }
    return Submission.model_validate(a_submission(organisation=organisation, availability=SPRING, **changes))


async def registered(root: Registering, submission: Submission) -> str:
    made = await root.transactions.run(lambda uow: submit_registration(uow, submission, by=A_PORTAL))
    return made.id


async def pairs(root: Registering) -> dict[str, str]:
    """The state of each pair that was noted."""
    found = await root.database["duplicates"].find().to_list(None)
    return {pair["_id"]: pair["state"] for pair in found}


# ── the search ───────────────────────────────────────────────────────────────────────────────


async def test_pairs_are_noted_as_registrations_come_in_change_and_go(registering: Registering) -> None:
    root = registering
    one = await registered(root, a_visiting("Tagus Fibre Works Lda"))
    async with searching(root):
        other = await registered(root, a_visiting("TAGUS FIBRE WORKS", partnership="woolclub"))
        stranger = await registered(root, a_visiting("Aveiro Salt Laboratory"))
        await until(lambda: noted(root, {pair_id(one, other)}))
        pair = await root.database["duplicates"].find_one({"_id": pair_id(one, other)})
        assert pair is not None
        assert sorted(pair["partnerships"]) == ["hempclub", "woolclub"]

        again = a_visiting("Tagus Fibre Works, L.da")
        await root.transactions.run(lambda uow: amend_registration(uow, stranger, again, by=A_PORTAL))
        everyone = {pair_id(one, other), pair_id(one, stranger), pair_id(other, stranger)}
        await until(lambda: noted(root, everyone))
        await root.transactions.run(lambda uow: withdraw_registration(uow, other, by=A_PORTAL))
        await until(lambda: noted(root, {pair_id(one, stranger)}))


async def noted(root: Registering, wanted: set[str]) -> bool:
    return set(await pairs(root)) == wanted


async def test_what_came_while_no_search_ran_is_searched_and_nothing_is_searched_twice(
    registering: Registering,
) -> None:
    root = registering
    one = await registered(root, a_visiting("Tagus Fibre Works Lda"))
    other = await registered(root, a_visiting("Tagus Fibre Works"))
    async with searching(root):
        await until(lambda: noted(root, {pair_id(one, other)}))
    third = await registered(root, a_visiting("TAGUS FIBRE-WORKS"))
    async with searching(root), searching(root):  # one of the two has the lease
        await until(lambda: noted(root, {pair_id(one, other), pair_id(one, third), pair_id(other, third)}))
    searches = await root.database["duplicate_searches"].find().to_list(None)
    assert {search["_id"]: search["version"] for search in searches} == dict.fromkeys((one, other, third), 1)


async def test_the_search_outlives_a_database_that_goes_away(
    registering: Registering, servers: Servers
) -> None:
    root = registering
    one = await registered(root, a_visiting("Tagus Fibre Works Lda"))
    async with searching(root):
        await until(lambda: searched(root, one))
        await asyncio.to_thread(servers.kill, "mongo")
        await asyncio.to_thread(servers.start, "mongo")
        other = await registered(root, a_visiting("Tagus Fibre Works"))
        await until(lambda: noted(root, {pair_id(one, other)}))


async def searched(root: Registering, id: str) -> bool:
    return await root.database["duplicate_searches"].find_one({"_id": id}) is not None


async def test_who_visited_withdrew_and_comes_back_is_seen(registering: Registering) -> None:
    root = registering
    gone = await registered(root, a_visiting("Tagus Fibre Works Lda"))

    async def visit(uow: RegistrationUnitOfWork) -> None:
        await record_visit(uow, (await uow.registrations.get(gone)).party, match_id="match-1")

    await root.transactions.run(visit)
    await root.transactions.run(lambda uow: withdraw_registration(uow, gone, by=A_PORTAL))
    back = await registered(root, a_visiting("Tagus Fibre Works"))
    async with searching(root):
        await until(lambda: noted(root, {pair_id(gone, back)}))


# ── one visit, two services ──────────────────────────────────────────────────────────────────


class Both(NamedTuple):
    """The registration service, and two processes of matching."""

    registering: Registering
    one: Matching
    other: Matching
    consumer: BatchConsumer[MatchingUnitOfWork]
    heard: list[str]

    async def tell(self) -> None:
        """What registration published since, as matching hears it."""
        rows = await self.registering.database["outbox"].find({}).sort("position", 1).to_list(None)
        messages = [
            Message(events("registration"), 0, len(self.heard) + n, sent.key, sent.value, sent.headers, 0)
            for n, sent in enumerate(
                sent for row in rows if row["_id"] not in self.heard for sent in unpack(row)
            )
        ]
        await self.consumer.consume(messages)
        self.heard[:] = [row["_id"] for row in rows]


@pytest.fixture
async def both(registering: Registering, mongo_url: str, unique: Callable[[str], str]) -> AsyncIterator[Both]:
    settings, name = settings_of("matching", mongo_url), unique("test")
    async with (
        running_root("matching", settings, name) as one,
        running_root("matching", settings, name) as other,
    ):
        yield Both(registering, one, other, BatchConsumer(handlers, one.transactions), [])
        await one.client.drop_database(name)


async def two_of_one(both: Both, n: int, identified: bool) -> tuple[str, str]:
    """One organisation with two partnerships, under two numbers or none."""
    ids = []
    for m, partnership in enumerate(("hempclub", "woolclub")):
        number = {"pic": f"9{n:04}{m:04}"} if identified else {}
        submission = a_visiting(f"Tagus Fibre Works {n}", organisation=number, partnership=partnership)
        id = await registered(both.registering, submission)
        stored = await both.registering.database["registrations"].find_one({"_id": id, "state": "accepted"})
        if stored is None:
            await accepted(both.registering, id, partnership)
        ids.append(id)
    return ids[0], ids[1]


async def accepted(root: Registering, id: str, partnership: str) -> None:
    accept = partial(accept_registration, id=id, by=staff_of(partnership), reason="Known to us.")
    await root.transactions.run(accept)


async def merged(root: Registering, one: str, other: str) -> str:
    alike = Likeness(
        score=90, same_identifier=False, name=90, city=None, street=None,
        same_postcode=None, same_country=True, same_domain=None,
    )  # fmt: skip

    looked = Looked(one, "hempclub", "…", {other: Found("woolclub", alike)})
    await root.transactions.run(lambda uow: note_lookalikes(uow, [looked]))
    done = await root.transactions.run(
        lambda uow: merge_registrations(uow, pair_id(one, other), by=staff_of("woolclub"), reason="The same.")
    )
    return done.merge.id


async def agreed(both: Both, visitor: str) -> Match:
    host = await registered(
        both.registering,
        Submission.model_validate(a_host_submission(availability=SPRING, partnership="linenclub")),
    )
    await accepted(both.registering, host, "linenclub")
    await both.tell()

    async def work(uow: MatchingUnitOfWork) -> Match:
        match = await propose_match(uow, visitor, host, STAY, by=participant_of(visitor))
        await accept_match(uow, match.id, by=participant_of(host))
        return await approve_match(uow, match.id, by=staff_of("linenclub"))

    return await both.one.transactions.run(work)


async def approved(root: Matching, match: Match) -> Match | VisitAlreadyClaimed:
    """What becomes of the visitor's partnership's approval."""
    by = staff_of(str(match.visitor.partnership))
    try:
        return await root.transactions.run(lambda uow: approve_match(uow, match.id, by=by))
    except VisitAlreadyClaimed as claimed:
        return claimed


@pytest.mark.parametrize("identified", [True, False], ids=["under two numbers", "without any number"])
async def test_of_merged_registrations_in_two_partnerships_exactly_one_visits_until_the_merge_is_undone(
    both: Both, identified: bool
) -> None:
    for n in range(ROUNDS):
        one, other = await two_of_one(both, n, identified)
        await both.tell()
        matches = [await agreed(both, one), await agreed(both, other)]
        merge_id = await merged(both.registering, one, other)
        await both.tell()
        results = await asyncio.gather(approved(both.one, matches[0]), approved(both.other, matches[1]))
        assert sorted(isinstance(result, Match) for result in results) == [False, True]

        undo = partial(undo_merge, merge_id=merge_id, by=staff_of("hempclub"), reason="Two after all.")
        await both.registering.transactions.run(undo)
        await both.tell()
        [loser] = [
            match for match, got in zip(matches, results, strict=True) if isinstance(got, VisitAlreadyClaimed)
        ]
        assert isinstance(await approved(both.other, loser), Match)
    claims = await both.one.database["visit_claims"].find({"match_id": {"$ne": None}}).to_list(None)
    assert len(claims) == len({claim["match_id"] for claim in claims}) == 2 * ROUNDS
