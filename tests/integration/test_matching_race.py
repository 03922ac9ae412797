"""Two processes of matching on one MongoDB: one visit a visitor, no partner missed, both pools alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import date
from functools import partial
from typing import Any, NamedTuple

import pytest

from services.matching.bootstrap import Matching
from services.matching.domain.errors import VisitAlreadyClaimed
from services.matching.domain.match import Match
from services.matching.domain.newcomers import Newcomers
from services.matching.handlers import handlers
from services.matching.newcomers import tell_newcomers
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.accept_match import accept_match
from services.matching.use_cases.approve_match import approve_match
from services.matching.use_cases.cancel_match import cancel_match
from services.matching.use_cases.join_pool import join_pool
from services.matching.use_cases.propose_match import propose_match
from services.matching.use_cases.tell_best_fits import LISTS_AT_ONCE, find_best_fits, tell_best_fits
from shared.contracts.common import Party, Window
from shared.contracts.envelope import CloudEvent, new_id
from shared.contracts.registration import PreAgreed, Profile
from shared.contracts.types import EventType
from shared.contracts.vocabulary import MatchState
from shared.messaging.consumer import BatchConsumer
from shared.messaging.outbox import unpack
from shared.messaging.topics import events
from shared.storage.driver import DriverName
from tests.builders import a_host_party, a_message, a_party
from tests.conftest import Servers
from tests.integration.apis import running_root, settings_of
from tests.unit.matching.builders import (
    a_host_profile,
    a_profile,
    accepted,
    availability,
    participant_of,
    staff_of,
)

pytestmark = pytest.mark.integration

ROUNDS = 20
SPRING = availability((date(2090, 2, 6), date(2090, 3, 31)))
STAY = Window(first_day=date(2090, 2, 14), last_day=date(2090, 2, 16))


class Two(NamedTuple):
    """Two processes' composition roots on one database."""

    one: Matching
    other: Matching


@pytest.fixture(params=["pymongo", "motor"])
async def roots(request: pytest.FixtureRequest, mongo_url: str, database: str) -> AsyncIterator[Two]:
    driver: DriverName = request.param
    settings = settings_of("matching", mongo_url, mongo_driver=driver)
    async with (
        running_root("matching", settings, database) as one,
        running_root("matching", settings, database) as other,
    ):
        yield Two(one, other)


async def until(condition: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.02)


async def agreed(root: Matching, visitor: Party, host: Party) -> Match:
    """A match both said yes to and the host's partnership approved."""

    async def work(uow: MatchingUnitOfWork) -> Match:
        await join_pool(uow, visitor, a_profile(availability=SPRING), version=2)
        match = await proposed_in(uow, visitor, host)
        await accept_match(uow, match.id, by=participant_of(host.owner))
        return await approve_match(uow, match.id, by=staff_of("linenclub"))

    return await root.transactions.run(work)


async def proposed_in(uow: MatchingUnitOfWork, visitor: Party, host: Party) -> Match:
    """The visitor asks a host that has just joined."""
    await join_pool(uow, host, a_host_profile(availability=SPRING), version=2)
    by = participant_of(visitor.owner)
    return await propose_match(uow, visitor.registration_id, host.registration_id, STAY, by=by)


async def proposed(root: Matching, visitor: Party, host: Party) -> Match:
    return await root.transactions.run(lambda uow: proposed_in(uow, visitor, host))


async def accepted_by_host(root: Matching, match: Match) -> Match:
    by = participant_of(match.host.owner)
    return await root.transactions.run(lambda uow: accept_match(uow, match.id, by=by))


async def cancelled(root: Matching, match: Match) -> Match:
    by = staff_of("hempclub")
    return await root.transactions.run(lambda uow: cancel_match(uow, match.id, by=by, reason="Ill."))


def a_visitor(partnership: str = "hempclub", **changes: Any) -> Party:
    return a_party(new_id(), partnership=partnership, **changes)


def a_host() -> Party:
    """Of a partnership of its own: the visitor's has the last word."""
    return a_host_party(new_id(), partnership="linenclub")


async def approved(root: Matching, match: Match) -> Match | VisitAlreadyClaimed:
    """What becomes of the visitor's partnership's approval."""
    assert match.visitor.partnership is not None
    officer = staff_of(match.visitor.partnership)
    try:
        return await root.transactions.run(lambda uow: approve_match(uow, match.id, by=officer))
    except VisitAlreadyClaimed as claimed:
        return claimed


async def published(root: Matching) -> list[CloudEvent]:
    rows = await root.database["outbox"].find({}).sort("position", 1).to_list(None)
    return [CloudEvent.model_validate_json(message.value) for row in rows for message in unpack(row)]


async def test_two_partnerships_approving_the_same_visitor_exactly_one_wins(roots: Two) -> None:
    for _ in range(ROUNDS):
        pic = f"pic:{new_id()}"
        matches = [
            await agreed(roots.one, a_visitor(partnership, identifiers=[pic, f"vat:{new_id()}"]), a_host())
            for partnership in ("hempclub", "woolclub")
        ]
        results = await asyncio.gather(
            *(approved(root, match) for root, match in zip(roots, matches, strict=True))
        )
        winners = [result for result in results if isinstance(result, Match)]
        losers = [result for result in results if isinstance(result, VisitAlreadyClaimed)]
        assert (len(winners), len(losers)) == (1, 1)

        stored = (
            await roots.one.database["matches"].find({"_id": {"$in": [m.id for m in matches]}}).to_list(None)
        )
        assert sorted(match["state"] for match in stored) == ["agreed", "approved"]
        claim = await roots.one.database["visit_claims"].find_one({"_id": pic})
        assert claim is not None
        assert claim["match_id"] == winners[0].id
    approvals = [event for event in await published(roots.one) if event.type == EventType.MATCH_APPROVED]
    assert len(approvals) == len({event.subject for event in approvals}) == ROUNDS


async def test_a_visit_given_back_is_claimed_by_one_again(roots: Two) -> None:
    pic = f"pic:{new_id()}"
    first, *others = [
        await agreed(roots.one, a_visitor(partnership, identifiers=[pic]), a_host())
        for partnership in ("hempclub", "woolclub", "hempclub")
    ]
    assert isinstance(await approved(roots.one, first), Match)
    for match in others:
        assert isinstance(await approved(roots.other, match), VisitAlreadyClaimed)
    await cancelled(roots.other, first)
    results = await asyncio.gather(
        *(approved(root, match) for root, match in zip(roots, others, strict=True))
    )
    assert sorted(isinstance(result, Match) for result in results) == [False, True]


async def test_a_match_is_accepted_while_the_visitor_is_approved_elsewhere(roots: Two) -> None:
    """The rival match ends, whichever of the two comes first."""
    for _ in range(ROUNDS // 2):
        visitor, rival_host = a_visitor(), a_host()
        first = await agreed(roots.one, visitor, a_host())
        rival = await proposed(roots.other, visitor, rival_host)
        approval, _ = await asyncio.gather(
            approved(roots.one, first), accepted_by_host(roots.other, rival), return_exceptions=True
        )
        assert isinstance(approval, Match)
        ended = await roots.one.database["matches"].find_one({"_id": rival.id})
        assert ended is not None
        assert ended["state"] == MatchState.CANCELLED
        engaged = await roots.one.database["candidates"].find_one({"_id": rival_host.registration_id})
        assert engaged is not None
        assert engaged["engagements"] == []


NAMING: list[tuple[str, bool, bool, str]] = [
    ("the visitor names the host", True, False, "proposed"),
    ("the host names the visitor", False, True, "proposed"),
    ("both name each other", True, True, "agreed"),
]


@pytest.mark.parametrize(("visitor_names", "host_names", "state"), [row[1:] for row in NAMING],
                         ids=[row[0] for row in NAMING])  # fmt: skip
async def test_partners_who_join_at_the_same_moment_never_miss_each_other(
    roots: Two, visitor_names: bool, host_names: bool, state: str
) -> None:
    consumers = [BatchConsumer(handlers, root.transactions) for root in roots]
    offset = 0
    for turn in range(ROUNDS):
        visitor, host = a_party(new_id()), a_host_party(new_id(), partnership="woolclub")
        sides = [
            _joins(visitor, a_profile, host if visitor_names else None),
            _joins(host, a_host_profile, visitor if host_names else None),
        ]
        if turn % 2:
            sides.reverse()
        messages = [
            a_message(side, topic=events("registration"), offset=offset + n) for n, side in enumerate(sides)
        ]
        offset += len(messages)
        await asyncio.gather(
            *(consumer.consume([message]) for consumer, message in zip(consumers, messages, strict=True))
        )
        found = (
            await roots.one.database["matches"]
            .find({"visitor.registration_id": visitor.registration_id})
            .to_list(None)
        )
        assert [(match["state"], match["pre_agreed"]) for match in found] == [(state, True)]
    assert {event.source for event in await published(roots.one)} == {"/cxc/matching"}  # no dead letters


def _joins(party: Party, profile: Callable[..., Profile], partner: Party | None) -> CloudEvent:
    named = [
        PreAgreed(registration_id=partner.registration_id, first_day=STAY.first_day, last_day=STAY.last_day)
        for partner in ([partner] if partner else [])
    ]
    return accepted(party, profile(availability=SPRING, pre_agreed=named))


async def test_what_one_process_commits_the_other_s_pool_hears(roots: Two, servers: Servers) -> None:
    await heard_by_both(roots)
    # The stream breaks with the server, and is taken up again where it was.
    await asyncio.to_thread(servers.kill, "mongo")
    await asyncio.to_thread(servers.start, "mongo")
    await heard_by_both(roots)


async def heard_by_both(roots: Two) -> None:
    visitor, host = a_visitor(), a_host()
    members, claims = {visitor.registration_id, host.registration_id}, set(visitor.identifiers)
    match = await agreed(roots.one, visitor, host)
    await until(lambda: all(members <= root.pool.ids for root in roots))
    assert isinstance(await approved(roots.one, match), Match)
    await until(lambda: all(claims <= root.pool.claimed for root in roots))
    await cancelled(roots.other, match)
    await until(lambda: all(claims.isdisjoint(root.pool.claimed) for root in roots))


async def test_each_newcomer_is_told_once_whichever_worker_took_it_in_and_whoever_tells(roots: Two) -> None:
    stopping = asyncio.Event()
    telling = [asyncio.create_task(tell_newcomers(root, stopping)) for root in roots]
    newcomers = [a_visitor() for _ in range(20)] + [a_host() for _ in range(20)]
    await asyncio.gather(*(joined(roots[number % 2], party) for number, party in enumerate(newcomers)))
    await told(roots, newcomers)
    stopping.set()
    await asyncio.gather(*telling)

    # Both at once, as when a lease was lost unnoticed.
    more = [a_visitor() for _ in range(LISTS_AT_ONCE)]
    await asyncio.gather(*(joined(roots.one, party) for party in more))
    await until(lambda: all({party.registration_id for party in more} <= root.pool.ids for root in roots))
    found = [await root.transactions.read(find_best_fits) for root in roots]
    await asyncio.gather(
        *(
            root.transactions.run(partial(tell_best_fits, found=what))
            for root, what in zip(roots, found, strict=True)
        )
    )
    await told(roots, [*newcomers, *more])


async def joined(root: Matching, party: Party) -> None:
    profile = a_profile if "visitor" in party.roles else a_host_profile
    await root.transactions.run(
        lambda uow: join_pool(uow, party, profile(availability=SPRING), version=2), attempts=20
    )


async def told(roots: Two, newcomers: list[Party]) -> None:
    """Wait until nobody is left to be told; each of these has been, once."""
    deadline = time.monotonic() + 60
    while await roots.one.database[Newcomers.COLLECTION].count_documents({}):
        assert time.monotonic() < deadline, "some were not told in time"
        await asyncio.sleep(0.02)
    heard = [event.subject for event in await published(roots.one) if event.type == EventType.FITS_FOUND]
    assert sorted(heard, key=str) == sorted(party.registration_id for party in newcomers)


async def test_a_process_that_starts_later_loads_what_the_others_have(
    roots: Two, mongo_url: str, database: str
) -> None:
    visitor, host = a_visitor(), a_host()
    match = await agreed(roots.one, visitor, host)
    assert isinstance(await approved(roots.one, match), Match)
    async with running_root("matching", settings_of("matching", mongo_url), database) as late:
        root: Any = late
        assert {visitor.registration_id, host.registration_id} <= root.pool.ids
        assert set(visitor.identifiers) <= root.pool.claimed
