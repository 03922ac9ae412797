"""Proposals on a real MongoDB: at most five whoever is faster, words reminded of once, links used once."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from services.matching.bootstrap import Matching, bootstrap
from services.matching.chores import CHORES, do_chores, overdue
from services.matching.domain.candidate import Candidate
from services.matching.domain.errors import InvitationUsed, TooManyInvitations, TooManyOpenProposals
from services.matching.domain.invitation import Invitation
from services.matching.domain.match import Match
from services.matching.handlers import handlers
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.accept_invitation import accept_invitation
from services.matching.use_cases.accept_match import accept_match
from services.matching.use_cases.counter_match import counter_match
from services.matching.use_cases.invite_partner import invite_partner
from services.matching.use_cases.join_pool import join_pool
from services.matching.use_cases.propose_match import propose_match
from services.matching.use_cases.suggest_match import suggest_match
from shared.chores import Chore
from shared.contracts.common import Party, Window
from shared.contracts.envelope import new_id, parse
from shared.contracts.registration import RegistrationWithdrawn
from shared.contracts.vocabulary import MatchState, Role
from shared.errors import CxcError
from shared.messaging.consumer import BatchConsumer
from shared.messaging.outbox import unpack
from shared.messaging.topics import events
from shared.sealed import Seal
from shared.security import Caller, CallerRole
from shared.storage.store import OUTBOX
from tests.builders import A_SECRET, a_host_party, a_message, a_party, an_envelope
from tests.conftest import Servers
from tests.integration.apis import settings_of
from tests.unit.matching.builders import a_host_profile, a_profile, availability, participant_of

pytestmark = pytest.mark.integration

WITHIN_S = 40.0
ROUNDS = 10
SUPPORT = Caller("office", CallerRole.SUPPORT_OFFICE)
SPRING = availability((date(2090, 2, 6), date(2090, 3, 31)))
STAY = Window(first_day=date(2090, 2, 14), last_day=date(2090, 2, 16))
OTHER_DAYS = Window(first_day=date(2090, 2, 20), last_day=date(2090, 2, 23))


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2090, 1, 16, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def roots(mongo_url: str, database: str, clock: Clock) -> AsyncIterator[list[Matching]]:
    """Two processes' composition roots on one database."""
    settings = settings_of("matching", mongo_url, seal_key=A_SECRET)
    made = [await bootstrap(settings, database=database, clock=clock) for _ in range(2)]
    yield made
    for root in made:
        await root.close()


async def joined(root: Matching, *parties: Party) -> None:
    async def work(uow: MatchingUnitOfWork) -> None:
        for party in parties:
            profile = a_host_profile if Role.HOST in party.roles else a_profile
            await join_pool(uow, party, profile(availability=SPRING), version=2)

    await root.transactions.run(work)


async def propose(root: Matching, visitor: Party, host: Party, by: Party) -> Match:
    return await root.transactions.run(
        lambda uow: propose_match(
            uow, visitor.registration_id, host.registration_id, STAY, by=participant_of(by.owner)
        )
    )


async def suggest(root: Matching, visitor: Party, host: Party) -> Match:
    return await root.transactions.run(
        lambda uow: suggest_match(
            uow, visitor.registration_id, host.registration_id, STAY, plan_id="p", by=SUPPORT
        )
    )


async def counter(root: Matching, match: Match, by: Party) -> Match:
    return await root.transactions.run(
        lambda uow: counter_match(uow, match.id, OTHER_DAYS, by=participant_of(by.owner))
    )


async def came_of(*tries: Awaitable[Any]) -> Counter[str]:
    """How many tries at the same moment came to what."""
    results = await asyncio.gather(*tries, return_exceptions=True)
    for result in results:
        assert not isinstance(result, BaseException) or isinstance(result, CxcError), result
    return Counter(type(result).__name__ for result in results)


async def open_visits(root: Matching, visitor: Party) -> int:
    stored = await root.database[Candidate.COLLECTION].find_one({"_id": visitor.registration_id})
    assert stored is not None
    engaged = stored["engagements"]
    assert len({e["match_id"] for e in engaged}) == len(engaged)
    return sum(not e["approved"] and not e["suggested"] for e in engaged)


async def published(root: Matching, kind: str = "") -> list[str]:
    """The types of all events of that kind so far, in their order, with what they are about."""
    rows = await root.database[OUTBOX].find().sort("position", 1).to_list(None)
    told = [parse(message.value) for row in rows for message in unpack(row)]
    return [f"{event.type.removeprefix('cxc.')} {event.subject}" for event in told if kind in event.type]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not await holds():
        assert time.monotonic() < deadline, "it took too long"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def workers(*roots: Matching, every_s: float = 0.05) -> AsyncIterator[None]:
    """The companions of several workers, with rounds that follow each other closely."""
    stopping = asyncio.Event()
    often = [Chore(chore.name, timedelta(seconds=every_s), chore.do_round) for chore in CHORES]
    running = [
        asyncio.create_task(do_chores(root, stopping, chores=often, look_every_s=every_s)) for root in roots
    ]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(asyncio.gather(*running), timeout=20)


# ── at most five ─────────────────────────────────────────────────────────────────────────────


async def test_of_proposals_at_the_same_moment_exactly_five_are_made(roots: list[Matching]) -> None:
    for _ in range(ROUNDS):
        visitor, hosts = a_party(new_id()), [a_host_party(new_id()) for _ in range(7)]
        await joined(roots[0], visitor, *hosts)
        made = await came_of(*(propose(roots[0], visitor, host, visitor) for host in hosts[:3]))
        assert made == {"Match": 3}
        # Four at once for the two places that are left: from both sides, in two processes.
        made = await came_of(
            *(
                propose(roots[n % 2], visitor, host, visitor if n < 2 else host)
                for n, host in enumerate(hosts[3:])
            )
        )
        assert made == {"Match": 2, TooManyOpenProposals.__name__: 2}
        assert await open_visits(roots[0], visitor) == 5


async def test_suggestions_taken_up_at_the_same_moment_stay_within_the_five(roots: list[Matching]) -> None:
    for _ in range(ROUNDS // 2):
        visitor, hosts = a_party(new_id()), [a_host_party(new_id()) for _ in range(6)]
        await joined(roots[0], visitor, *hosts)
        matches = [await suggest(roots[0], visitor, host) for host in hosts]
        for match, host in zip(matches[:4], hosts, strict=False):
            await counter(roots[0], match, host)
        assert await open_visits(roots[0], visitor) == 4

        async def accept(root: Matching, match: Match, by: Party) -> Match:
            return await root.transactions.run(
                lambda uow: accept_match(uow, match.id, by=participant_of(by.owner))
            )

        made = await came_of(accept(roots[0], matches[4], visitor), accept(roots[1], matches[5], hosts[5]))
        assert made == {"Match": 1, TooManyOpenProposals.__name__: 1}
        assert await open_visits(roots[0], visitor) == 5


async def test_both_sides_name_other_days_and_say_yes_at_the_same_moment_and_one_is_first(
    roots: list[Matching],
) -> None:
    for _ in range(ROUNDS):
        visitor, host = a_party(new_id()), a_host_party(new_id())
        await joined(roots[0], visitor, host)
        match = await suggest(roots[0], visitor, host)
        made = await came_of(counter(roots[0], match, visitor), counter(roots[1], match, host))
        # Whoever comes second answers with the same days, which it is told to accept instead.
        assert made == {"Match": 1, "SameStay": 1}
        stored = await roots[0].database[Match.COLLECTION].find_one({"_id": match.id})
        assert stored is not None
        assert stored["stay"]["first_day"] == "2090-02-20"
        assert stored["version"] == 2


# ── leaving ──────────────────────────────────────────────────────────────────────────────────


async def test_who_withdraws_ends_five_open_proposals_and_the_suggestions(roots: list[Matching]) -> None:
    visitor, hosts = a_party(new_id()), [a_host_party(new_id()) for _ in range(7)]
    await joined(roots[0], visitor, *hosts)
    asked = [await propose(roots[0], visitor, host, visitor) for host in hosts[:2]]
    was_asked = await propose(roots[0], visitor, hosts[2], hosts[2])
    countered = await counter(roots[0], await propose(roots[0], visitor, hosts[3], visitor), hosts[3])
    taken_up = await counter(roots[0], await suggest(roots[0], visitor, hosts[4]), visitor)
    suggested = [await suggest(roots[0], visitor, host) for host in hosts[5:]]
    assert await open_visits(roots[0], visitor) == 5

    gone = RegistrationWithdrawn(party=visitor, reason="")
    fact = an_envelope(gone, service="registration", subject=visitor.registration_id, sequence=3)
    message = a_message(fact, topic=events("registration"))
    for root in roots:  # it is delivered twice
        await BatchConsumer(handlers, root.transactions).consume([message])

    ended = {
        document["_id"]: document["state"] async for document in roots[0].database[Match.COLLECTION].find()
    }
    assert {ended[match.id] for match in (*asked, taken_up)} == {MatchState.CANCELLED}
    assert {ended[match.id] for match in (was_asked, countered, *suggested)} == {MatchState.DECLINED}
    ends = [*(await published(roots[0], "match.cancelled")), *(await published(roots[0], "match.declined"))]
    assert len(ends) == len(set(ends)) == 7
    engaged = (
        await roots[0].database[Candidate.COLLECTION].count_documents({"engagements.0": {"$exists": True}})
    )
    assert engaged == 0


# ── the companion ────────────────────────────────────────────────────────────────────────────


async def test_two_workers_remind_and_expire_each_proposal_once(roots: list[Matching], clock: Clock) -> None:
    matches = []
    for _ in range(60):
        visitor, host = a_party(new_id()), a_host_party(new_id())
        await joined(roots[0], visitor, host)
        matches.append(await propose(roots[0], visitor, host, visitor))
    answered, *others = [match.id for match in matches]

    async def all_said(kind: str, ids: list[str]) -> bool:
        return len(await published(roots[0], kind)) >= len(ids)

    async with workers(*roots):
        clock.move(days=10)
        await until(lambda: all_said("reminded", [answered, *others]))
        by = participant_of(matches[0].host.owner)
        await roots[0].transactions.run(lambda uow: accept_match(uow, answered, by=by))
        clock.move(days=5)
        await until(lambda: all_said("expired", others))
        clock.move(days=5)
        await until(lambda: all_said("reminded", [answered, *others, answered]))
        clock.move(days=365)
        await asyncio.sleep(0.5)  # many rounds, in which nothing is to happen
    reminded = Counter(await published(roots[0], "reminded"))
    assert reminded == Counter(f"match.reminded.v1 {id}" for id in [answered, *others, answered])
    assert Counter(await published(roots[0], "expired")) == Counter(f"match.expired.v1 {id}" for id in others)
    assert (
        await roots[0].database[Candidate.COLLECTION].count_documents({"engagements.0.side": "visitor"}) == 1
    )


async def test_a_clock_a_year_ahead_reminds_first_and_a_database_that_goes_away_loses_nothing(
    roots: list[Matching], servers: Servers, clock: Clock
) -> None:
    visitor, host = a_party(new_id()), a_host_party(new_id())
    await joined(roots[0], visitor, host)
    match = await propose(roots[0], visitor, host, visitor)

    async def said(*kinds: str) -> bool:
        told = [line for line in await published(roots[0], "cxc.match") if match.id in line]
        return [line.split(".")[1] for line in told] == ["proposed", *kinds]

    async with workers(*roots):
        await asyncio.to_thread(servers.kill, "mongo")
        clock.move(days=365)
        await asyncio.sleep(1.0)
        await asyncio.to_thread(servers.start, "mongo")
        await until(lambda: said("reminded"))
        clock.move(days=5)
        await until(lambda: said("reminded", "expired"))


WORKER = """
import asyncio, sys
from services.matching.bootstrap import bootstrap
from services.matching.chores import do_chores
from tests.integration.apis import settings_of
from tests.integration.test_proposals import Clock

async def main(mongo_url, database):
    clock = Clock()
    clock.move(days=10)
    root = await bootstrap(settings_of("matching", mongo_url), database=database, clock=clock)
    await do_chores(root, asyncio.Event(), look_every_s=0.1)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_workers_that_are_killed_amid_their_work_remind_of_each_word_once(
    roots: list[Matching], mongo_url: str
) -> None:
    visitors = [a_party(new_id()) for _ in range(300)]
    hosts = [a_host_party(new_id()) for _ in range(300)]
    await joined(roots[0], *visitors, *hosts)
    pairs = list(zip(visitors, hosts, strict=True))

    async def all_proposed(uow: MatchingUnitOfWork) -> list[str]:
        made = [
            await propose_match(
                uow, visitor.registration_id, host.registration_id, STAY, by=participant_of(visitor.owner)
            )
            for visitor, host in pairs
        ]
        return [match.id for match in made]

    ids = await roots[0].transactions.run(all_proposed)

    async def process() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, mongo_url, roots[0].database.name
        )

    async def reached(number: int) -> bool:
        return len(await published(roots[0], "reminded")) >= number

    running = [await process(), await process()]
    try:
        for share in (1, 150):
            await until(lambda share=share: reached(share))  # type: ignore[misc]
            for one in running:
                one.kill()
                await one.wait()
            running = [await process(), await process()]
        await until(lambda: reached(len(ids)))
    finally:
        for one in running:
            one.kill()
            await one.wait()
    assert Counter(await published(roots[0], "reminded")) == Counter(f"match.reminded.v1 {id}" for id in ids)


async def test_what_is_overdue_is_found_by_indexes(roots: list[Matching], clock: Clock) -> None:
    plan = await roots[0].database.command(
        "explain",
        {"find": Match.COLLECTION, "filter": overdue(clock().date())},
        verbosity="queryPlanner",
    )
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])


# ── invitations ──────────────────────────────────────────────────────────────────────────────


async def invite(root: Matching, visitor: Party) -> Invitation:
    return await root.transactions.run(
        lambda uow: invite_partner(
            uow,
            visitor.registration_id,
            email="office@new-partner.example",
            role=Role.HOST,
            stay=STAY,
            message="",
            by=participant_of(visitor.owner),
        )
    )


async def token_of(root: Matching, invitation: Invitation, secret: SecretStr = A_SECRET) -> str:
    rows = await root.database[OUTBOX].find().to_list(None)
    told = [parse(message.value) for row in rows for message in unpack(row)]
    [sent] = [event for event in told if event.subject == invitation.id and event.type.endswith("sent.v1")]
    return Seal(secret).open(sent.data["sealed"])["token"]


async def test_a_link_is_used_once_however_many_follow_it_at_the_same_moment(roots: list[Matching]) -> None:
    for _ in range(ROUNDS):
        visitor, hosts = a_party(new_id()), [a_host_party(new_id()) for _ in range(4)]
        await joined(roots[0], visitor, *hosts)
        token = await token_of(roots[0], await invite(roots[0], visitor))

        async def accept(root: Matching, host: Party, token: str = token) -> Invitation:
            return await root.transactions.run(
                lambda uow: accept_invitation(uow, token, host.registration_id, by=participant_of(host.owner))
            )

        made = await came_of(*(accept(roots[n % 2], host) for n, host in enumerate(hosts)))
        assert made == {"Invitation": 1, InvitationUsed.__name__: 3}
        found = (
            await roots[0]
            .database[Match.COLLECTION]
            .count_documents(
                {
                    "visitor.registration_id": visitor.registration_id,
                    "pre_agreed": True,
                    "state": {"$ne": "proposed"},
                }
            )
        )
        assert found == 1


async def test_of_invitations_at_the_same_moment_five_are_sent(roots: list[Matching]) -> None:
    visitor = a_party(new_id())
    await joined(roots[0], visitor)
    for _ in range(3):
        await invite(roots[0], visitor)
    made = await came_of(*(invite(roots[n % 2], visitor) for n in range(5)))
    assert made == {"Invitation": 2, TooManyInvitations.__name__: 3}


async def test_an_invited_partner_that_joins_while_it_accepts_is_never_missed(roots: list[Matching]) -> None:
    for _ in range(ROUNDS):
        visitor, host = a_party(new_id()), a_host_party(new_id())
        await joined(roots[0], visitor)
        token = await token_of(roots[0], await invite(roots[0], visitor))

        async def accept(host: Party = host, token: str = token) -> Invitation:
            return await roots[1].transactions.run(
                lambda uow: accept_invitation(uow, token, host.registration_id, by=participant_of(host.owner))
            )

        await came_of(joined(roots[0], host), accept())
        found = (
            await roots[0]
            .database[Match.COLLECTION]
            .find({"visitor.registration_id": visitor.registration_id})
            .to_list(None)
        )
        assert [match["pre_agreed"] for match in found] == [True]


async def test_the_address_goes_when_the_last_day_is_over(roots: list[Matching], clock: Clock) -> None:
    visitor = a_party(new_id())
    await joined(roots[0], visitor)
    await invite(roots[0], visitor)
    async with workers(*roots):
        clock.move(days=15)

        async def gone() -> bool:
            stored = await roots[0].database[Invitation.COLLECTION].find().to_list(None)
            return [(one["state"], one["email"]) for one in stored] == [("expired", "")]

        await until(gone)
