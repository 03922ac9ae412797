"""Two processes of funding on one small budget: never over it, and the queue keeps its order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, get_args

import pytest
from prometheus_client import REGISTRY

from services.funding.bootstrap import Funding, bootstrap
from services.funding.chores import CHORES
from services.funding.domain.grant import Grant, grant_id
from services.funding.handlers import handlers
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.check_ledger import check_ledger
from shared.chores import Round
from shared.contracts.common import Window
from shared.contracts.envelope import CloudEvent, new_id
from shared.contracts.matching import MatchApproved
from shared.contracts.vocabulary import GateName, GateState
from shared.errors import RuleBroken
from shared.messaging.consumer import BatchConsumer
from shared.messaging.message import Message
from shared.messaging.outbox import unpack
from shared.messaging.topics import events
from shared.storage.driver import DriverName
from shared.storage.lease import Lease
from tests.builders import a_cancelled_match, a_host_party, a_message, a_party, an_approved_match, an_envelope
from tests.integration.apis import running_root, settings_of

pytestmark = pytest.mark.integration

BUDGET = Decimal("2000.00")
"""WoolClub's, in the tests' partnerships: two full weeks in Milan at EUR 900, and not a third."""


@pytest.fixture(params=["pymongo", "motor"])
async def roots(
    request: pytest.FixtureRequest, mongo_url: str, database: str
) -> AsyncIterator[list[Funding]]:
    driver: DriverName = request.param
    settings = settings_of("funding", mongo_url, mongo_driver=driver)
    async with (
        running_root("funding", settings, database) as one,
        running_root("funding", settings, database) as other,
    ):
        yield [one, other]


class Feed:
    """The events of matching, at offsets of their own."""

    def __init__(self) -> None:
        self._offset = 0

    def message(self, event: Any) -> Message:
        self._offset += 1
        envelope = an_envelope(event, service="matching", subject=event.match_id)
        return a_message(envelope, topic=events("matching"), offset=self._offset)


def a_match(*, week: bool, payer: str = "woolclub") -> MatchApproved:
    """EUR 900 for a week, EUR 450 for three days."""
    last_day = date(2023, 2, 17) if week else date(2023, 2, 15)
    id = new_id()
    return an_approved_match(
        id,
        visitor=a_party(f"v-{id}", partnership=payer),
        host=a_host_party(f"h-{id}"),
        stay=Window(first_day=date(2023, 2, 13), last_day=last_day),
    )


async def grants_of(root: Funding) -> list[dict[str, Any]]:
    return await root.database["grants"].find({}).to_list(None)


async def the_budget(root: Funding) -> dict[str, Any]:
    found = await root.database["budgets"].find_one({"_id": "woolclub"})
    assert found is not None
    return found


async def adds_up(root: Funding, partnership: str = "woolclub") -> None:
    """Budget, ledger and grants say the same, reckoned by the database itself."""
    check = await root.transactions.run(lambda uow: check_ledger(uow, partnership))
    assert check.adds_up, check


async def balanced(root: Funding) -> None:
    """What the budget says is what its grants add up to, and never more than there is."""
    await adds_up(root)
    grants, budget = await grants_of(root), await the_budget(root)

    def total(state: str) -> Decimal:
        return sum((Decimal(g["lump_sum"]["amount"]) for g in grants if g["state"] == state), Decimal(0))

    assert Decimal(budget["reserved"]) == total("reserved") <= BUDGET
    assert Decimal(budget["awaiting_amount"]) == total("awaiting_budget")
    assert budget["awaiting"] == sum(g["state"] == "awaiting_budget" for g in grants)


async def test_two_processes_never_reserve_more_than_there_is_and_keep_the_queue(
    roots: list[Funding],
) -> None:
    feed, consumers = Feed(), [BatchConsumer(handlers, root.transactions) for root in roots]
    matches = [a_match(week=number % 3 > 0) for number in range(24)]

    async def told(consumer: Any, messages: list[Message], at_once: int) -> None:
        for start in range(0, len(messages), at_once):
            await consumer.consume(messages[start : start + at_once])

    approvals = [feed.message(match) for match in matches]
    await asyncio.gather(told(consumers[0], approvals[::2], 1), told(consumers[1], approvals[1::2], 3))
    await balanced(roots[0])
    grants = await grants_of(roots[0])
    assert len(grants) == len(matches)
    waiting = [grant["position"] for grant in grants if grant["state"] == "awaiting_budget"]
    assert sorted(waiting) == list(range(1, len(waiting) + 1))
    assert waiting

    # Whoever holds money gives it back, twice over, while both processes serve the queue.
    for _ in range(2):
        by_match = {match.match_id: match for match in matches}
        holders = [g["match_id"] for g in await grants_of(roots[0]) if g["state"] == "reserved"]
        cancelled = [feed.message(a_cancelled_match(by_match[id])) for id in holders]
        half = len(cancelled) // 2
        await asyncio.gather(told(consumers[0], cancelled[:half], 1), told(consumers[1], cancelled[half:], 1))
        await balanced(roots[0])
        grants = await grants_of(roots[0])
        served = [g["position"] for g in grants if g["position"] and g["state"] != "awaiting_budget"]
        waiting = [g["position"] for g in grants if g["state"] == "awaiting_budget"]
        assert max(served) < min(waiting), "nobody overtakes"
        assert served
        # The next in the queue is too large for what is left, or it would not wait.
        first = next(g for g in grants if g["position"] == min(waiting))
        assert Decimal(first["lump_sum"]["amount"]) > BUDGET - Decimal(
            (await the_budget(roots[0]))["reserved"]
        )

    rows = await roots[0].database["outbox"].find({}).to_list(None)
    published = [CloudEvent.model_validate_json(message.value) for row in rows for message in unpack(row)]
    assert {event.source for event in published} == {"/cxc/funding"}  # no dead letters
    reserved = [event.subject for event in published if event.type == "cxc.grant.reserved.v1"]
    assert len(reserved) == len(set(reserved))


async def test_the_same_approval_in_both_processes_makes_one_grant(roots: list[Funding]) -> None:
    feed, consumers = Feed(), [BatchConsumer(handlers, root.transactions) for root in roots]
    for _ in range(10):
        message = feed.message(a_match(week=False))
        await asyncio.gather(*(consumer.consume([message]) for consumer in consumers))
    grants = await grants_of(roots[0])
    assert len(grants) == 10
    await balanced(roots[0])
    rows = await roots[0].database["outbox"].find({}).to_list(None)
    assert sum(len(unpack(row)) for row in rows) == 10


def pass_gates(grant: Grant) -> None:
    for name in get_args(GateName):
        grant.turn_gate(name, GateState.PASSED, at=grant.gates.report.since)


def prepare(grant: Grant) -> None:
    grant.prepare("payment-1")


def release(grant: Grant) -> None:
    grant.release()


def pay(grant: Grant) -> None:
    grant.mark_paid(date(2023, 2, 24), "CXC-1")


def give_back(grant: Grant) -> None:
    grant.recover(grant.amount, "No visit.")


async def test_two_officers_of_two_partnerships_do_everything_at_once_and_each_step_takes_place_once(
    roots: list[Funding],
) -> None:
    feed, consumers = Feed(), [BatchConsumer(handlers, root.transactions) for root in roots]
    payers = ["woolclub", "linenclub"]
    matches = {payer: [a_match(week=False, payer=payer) for _ in range(4)] for payer in payers}
    told = [feed.message(match) for payer in payers for match in matches[payer]]
    await asyncio.gather(*(consumer.consume(told) for consumer in consumers))
    done: list[tuple[str, str]] = []

    async def officer(root: Funding, step: Callable[[Grant], None]) -> None:
        for payer in payers:
            for match in matches[payer]:
                with suppress(RuleBroken):
                    await root.transactions.run(
                        partial(take, match_id=match.match_id, step=step), attempts=50
                    )
                    done.append((step.__name__, match.match_id))

    async def take(uow: FundingUnitOfWork, match_id: str, step: Callable[[Grant], None]) -> None:
        step(await uow.grants.get(grant_id(match_id)))

    for step in (pass_gates, prepare, release, pay, give_back):
        # Meanwhile the end of a match is told, and an approval that is heard of already.
        late = feed.message(a_cancelled_match(matches["woolclub"][0]))
        await asyncio.gather(
            *(officer(root, step) for root in roots), *(one.consume([late, told[-1]]) for one in consumers)
        )
        for payer in payers:
            await adds_up(roots[0], payer)
    once = [(name, id) for name, id in done if name != "pass_gates"]
    assert len(once) == len(set(once))
    assert {name for name, _ in once} == {"prepare", "release", "pay", "give_back"}


@pytest.mark.parametrize("roots", ["pymongo"], indirect=True)
async def test_the_worker_finds_what_was_changed_by_hand(roots: list[Funding]) -> None:
    root = roots[0]
    consumer, feed = BatchConsumer(handlers, root.transactions), Feed()
    await consumer.consume([feed.message(a_match(week=True)) for _ in range(2)])

    async def found() -> float:
        lease = Lease("chores", root.database)
        [chore] = [chore for chore in CHORES if chore.name == "check_ledgers"]
        await chore.do_round(Round(chore.name, root, lease, asyncio.Event()))
        await lease.let_go()
        value = REGISTRY.get_sample_value("cxc_ledger_differences", {"partnership": "woolclub"})
        assert value is not None
        return value

    assert await found() == 0
    await root.database["ledger"].delete_one({"_id": "woolclub:000000002"})
    await root.database["budgets"].update_one({"_id": "woolclub"}, {"$set": {"total": "2100.00"}})
    for _ in range(2):
        # The entry, and the two accounts it was of: of one the balance was changed, too.
        assert await found() == 3
    rows = await root.database["outbox"].find({}).to_list(None)
    published = [CloudEvent.model_validate_json(message.value) for row in rows for message in unpack(row)]
    [alarm] = [event for event in published if event.type == "cxc.ledger.differed.v1"]
    assert (alarm.subject, alarm.data["missing"]) == ("woolclub", [2])
    assert {difference["account"] for difference in alarm.data["differences"]} == {"available", "reserved"}


async def test_two_processes_that_start_on_an_old_database_open_its_ledger_once(
    roots: list[Funding],
) -> None:
    root = roots[0]
    consumer = BatchConsumer(handlers, root.transactions)
    feed = Feed()
    await consumer.consume([feed.message(a_match(week=True)) for _ in range(3)])
    await root.database["ledger"].delete_many({})
    await root.database["budgets"].update_many({}, {"$unset": {"entries": 1, "committed": 1, "paid": 1}})
    await root.database["grants"].update_many({}, {"$unset": {"gates": 1, "recovered": 1, "claimed": 1}})
    started = await asyncio.gather(*(bootstrap(root.settings, database=root.database.name) for _ in range(2)))
    await asyncio.gather(*(other.close() for other in started))
    entered = await root.database["ledger"].find({"partnership": "woolclub"}).to_list(None)
    assert [entry["why"] for entry in sorted(entered, key=lambda entry: entry["number"])] == [
        "brought_forward",
        "brought_forward",
        "brought_forward",
    ]
    await balanced(root)
