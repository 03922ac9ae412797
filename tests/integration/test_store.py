"""One suite for the store and its fake: what a unit of work may rely on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from shared.errors import NotFound
from shared.storage.driver import DriverName, close, connect
from shared.storage.store import OUTBOX, Changes, ConcurrentChange, Write, prepare_database
from shared.storage.transactions import Transactions
from tests.builders import a_host_party, an_approved_match
from tests.fakes import MemoryTransactions
from tests.tally import Tally, TallyUnitOfWork

pytestmark = pytest.mark.integration


@pytest.fixture(params=["memory", "pymongo", "motor"])
async def transactions(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryTransactions(TallyUnitOfWork)
        return
    driver: DriverName = request.param
    client = connect(request.getfixturevalue("mongo_url"), driver)
    database = client[request.getfixturevalue("database")]
    await prepare_database(database)
    yield Transactions(client, database, TallyUnitOfWork)
    await close(client)


async def add(transactions: Any, host: str, *match_ids: str) -> None:
    async def work(uow: TallyUnitOfWork) -> None:
        tally = await uow.tallies.find(host)
        if tally is None:
            tally = Tally(id=host)
            uow.tallies.add(tally)
        for match_id in match_ids:
            tally.count(an_approved_match(match_id, host=a_host_party(host)))

    await transactions.run(work)


async def matches_of(transactions: Any, host: str) -> list[str]:
    async def work(uow: TallyUnitOfWork) -> list[str]:
        return (await uow.tallies.get(host)).matches

    found: list[str] = await transactions.read(work)
    return found


async def test_what_is_added_is_found_and_what_is_changed_is_kept(transactions: Any) -> None:
    await add(transactions, "h1", "m1")
    await add(transactions, "h1", "m2")
    assert await matches_of(transactions, "h1") == ["m1", "m2"]


async def remove(transactions: Any, host: str) -> None:
    async def work(uow: TallyUnitOfWork) -> None:
        uow.tallies.remove(await uow.tallies.get(host))
        assert await uow.tallies.find(host) is None

    await transactions.run(work)


async def test_what_is_removed_is_gone_and_may_come_anew(transactions: Any) -> None:
    await add(transactions, "h1", "m1")
    await remove(transactions, "h1")
    with pytest.raises(NotFound):
        await matches_of(transactions, "h1")
    await add(transactions, "h1", "m2")
    assert await matches_of(transactions, "h1") == ["m2"]


async def test_what_was_changed_by_someone_else_is_not_removed(transactions: Any) -> None:
    await add(transactions, "h1", "m1")

    async def work(uow: TallyUnitOfWork) -> None:
        tally = await uow.tallies.get("h1")
        await add(transactions, "h1", "m2")
        uow.tallies.remove(tally)

    # On MongoDB it is the transaction that conflicts, or the version that no longer fits.
    with pytest.raises((ConcurrentChange, OperationFailure)):
        await transactions.once(work)
    assert await matches_of(transactions, "h1") == ["m1", "m2"]


async def test_work_that_fails_leaves_neither_state_nor_events(transactions: Any) -> None:
    async def work(uow: TallyUnitOfWork) -> None:
        tally = Tally(id="h1")
        uow.tallies.add(tally)
        tally.count(an_approved_match())
        raise RuntimeError("on the way")

    with pytest.raises(RuntimeError):
        await transactions.once(work)

    async def look(uow: TallyUnitOfWork) -> tuple[Any, int]:
        return await uow.tallies.find("h1"), len(await uow.store.query(OUTBOX, {}))

    assert await transactions.read(look) == (None, 0)


async def test_a_change_based_on_an_old_version_is_refused_whole(transactions: Any) -> None:
    await add(transactions, "h1", "m1", "m2")

    async def stale(uow: TallyUnitOfWork) -> None:
        tally = await uow.tallies.get("h1")
        tally._stored_version -= 1
        tally.version += 1
        uow.tallies.add(Tally(id="h2", version=1))

    with pytest.raises(ConcurrentChange):
        await transactions.once(stale)

    async def look(uow: TallyUnitOfWork) -> Any:
        return await uow.tallies.find("h2")

    assert await transactions.read(look) is None


async def test_readers_of_one_unit_share_one_object(transactions: Any) -> None:
    await add(transactions, "h1", "m1")

    async def work(uow: TallyUnitOfWork) -> bool:
        one, other = await asyncio.gather(uow.tallies.get("h1"), uow.tallies.get("h1"))
        return one is other

    assert await transactions.read(work)


async def test_queries_filter_sort_and_limit(transactions: Any) -> None:
    for host in ("h1", "h2", "h3"):
        await add(transactions, host, "m")

    async def work(uow: TallyUnitOfWork) -> tuple[list[str], int]:
        found = await uow.query(Tally, {"_id": {"$in": ["h1", "h3"]}}, sort=[("_id", -1)], limit=1)
        return [tally.id for tally in found], await uow.count(Tally, {"_id": {"$gt": "h1"}})

    assert await transactions.read(work) == (["h3"], 2)


async def test_amounts_are_added_up_exactly(transactions: Any) -> None:
    documents = [
        {"_id": f"h{number}", "version": 1, "kind": {"of": number % 2}, "amount": amount}
        for number, amount in enumerate(["0.10", "900.01", "0.20", None, "12345678901234567890.12"])
    ]

    async def work(uow: TallyUnitOfWork) -> None:
        await uow.store.write(Changes({Tally.COLLECTION: [Write(document, 0) for document in documents]}))

    await transactions.run(work)
    totals = await transactions.read(
        lambda uow: uow.totals(Tally, {"_id": {"$ne": "h4"}}, of="amount", by=["kind.of"])
    )
    assert totals == {(0,): Decimal("0.30"), (1,): Decimal("900.01")}
    everything = await transactions.read(lambda uow: uow.totals(Tally, {}, of="amount", by=[]))
    assert everything == {(): Decimal("12345678901234568790.43")}
    assert await transactions.read(lambda uow: uow.totals(Tally, {"_id": "h9"}, of="amount", by=[])) == {}
    nothing = await transactions.read(lambda uow: uow.totals(Tally, {}, of="unheard_of", by=[]))
    assert nothing == {(): Decimal(0)}


@pytest.mark.parametrize("transactions", ["pymongo", "motor"], indirect=True)
async def test_of_many_who_change_one_aggregate_at_once_nobody_is_lost(transactions: Any) -> None:
    await add(transactions, "h1", "m")
    await asyncio.gather(*(add(transactions, "h1", f"m{number}") for number in range(5)))
    assert sorted(await matches_of(transactions, "h1")) == ["m", "m0", "m1", "m2", "m3", "m4"]


@pytest.mark.parametrize("transactions", ["pymongo", "motor"], indirect=True)
async def test_positions_of_one_aggregate_s_events_follow_its_changes(transactions: Any) -> None:
    await add(transactions, "h1", "m")
    await asyncio.gather(*(add(transactions, "h1", f"m{number}") for number in range(5)))

    async def rows(uow: TallyUnitOfWork) -> list[Any]:
        return await uow.store.query(OUTBOX, {}, sort=[("position", 1)])

    published = [message["value"] for row in await transactions.read(rows) for message in row["messages"]]
    sequences = [int(value.split(b'"sequence":"')[1].split(b'"')[0]) for value in published]
    assert sequences == sorted(sequences) == list(range(1, 7))
