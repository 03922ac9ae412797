"""The ledger: what it says of each movement, how it begins in an old database, how a fault is found."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest

from services.funding.domain.budget import Budget, BudgetUnbalanced
from services.funding.domain.grant import Grant, grant_id
from services.funding.domain.ledger import Account, LedgerEntry
from services.funding.domain.ledger_check import LedgerCheck, numbers_missing
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.check_ledger import check_ledger
from services.funding.use_cases.open_ledger import open_ledger
from services.funding.use_cases.read_ledger import read_ledger
from services.funding.use_cases.recalculate_grant import recalculate_grant
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.use_cases.settle_budget import settle_budget
from shared.contracts.envelope import now
from shared.contracts.types import EventType
from shared.messaging.outbox import unpack
from shared.storage.store import OUTBOX
from tests.builders import a_cancelled_match
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import a_lump_sum, a_match, a_partnership, transactions
from tests.unit.funding.reporting import STAFF
from tests.unit.funding.test_grant_life import pass_all, pay, release, with_grant

Funding = MemoryTransactions[FundingUnitOfWork]


async def some_history() -> Funding:
    """EUR 2,000.00: one paid and partly returned, one made smaller, one cancelled; then EUR 1,000.00 less."""
    funding = transactions(a_partnership(budget="2000.00"))
    for id in ("m1", "m2"):
        await funding.run(lambda uow, id=id: reserve_lump_sum(uow, a_match(id)))  # type: ignore[misc]
    await with_grant(funding, release)
    await with_grant(funding, lambda grant: grant.mark_paid(date(2023, 2, 23), "CXC-1"))
    await with_grant(funding, lambda grant: grant.recover(Decimal("200.00"), "No visit."))

    async def smaller(uow: FundingUnitOfWork) -> None:
        grant = await uow.grants.get(grant_id("m2"))
        await recalculate_grant(uow, grant, a_lump_sum(last_day="2023-02-15"), reason="Real days.")

    await funding.run(smaller)
    await funding.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_match("m2"))))
    await funding.run(lambda uow: settle_budget(uow, a_partnership(budget="1000.00")))
    return funding


async def entries(funding: Funding, **filters: Any) -> list[LedgerEntry]:
    return await funding.read(lambda uow: uow.ledger.page("hempclub", **filters))


async def check(funding: Funding) -> LedgerCheck:
    return await funding.run(lambda uow: check_ledger(uow, "hempclub"))


def alarms(funding: Funding) -> list[dict[str, Any]]:
    events = [
        orjson.loads(message.value) for row in funding.database[OUTBOX].values() for message in unpack(row)
    ]
    return [event["data"] for event in events if event["type"] == EventType.LEDGER_DIFFERED]


async def test_every_euro_that_moved_is_in_it() -> None:
    funding = await some_history()
    told = [
        (entry.number, entry.credit, entry.debit, str(entry.amount), entry.why, entry.grant)
        for entry in await entries(funding)
    ]
    one, two = grant_id("m1"), grant_id("m2")
    assert told == [
        (1, "budget", "available", "2000.00", "budget_set", None),
        (2, "available", "reserved", "900.00", "reserved", one),
        (3, "available", "reserved", "900.00", "reserved", two),
        (4, "reserved", "committed", "900.00", "committed", one),
        (5, "committed", "paid", "900.00", "paid", one),
        (6, "paid", "available", "200.00", "recovered", one),
        (7, "reserved", "available", "450.00", "recalculated", two),
        (8, "reserved", "available", "450.00", "cancelled", two),
        (9, "available", "budget", "1000.00", "budget_set", None),
    ]
    assert (await check(funding)).adds_up


async def test_an_entry_names_the_event_that_tells_of_it() -> None:
    funding = await some_history()
    events = [
        orjson.loads(message.value) for row in funding.database[OUTBOX].values() for message in unpack(row)
    ]
    sequences = {(event["subject"], event["sequence"]) for event in events}
    for entry in await entries(funding):
        if entry.grant:
            assert (entry.grant, str(entry.grant_version)) in sequences


async def test_it_is_read_by_grant_account_and_days_in_pages() -> None:
    funding = await some_history()

    async def numbers(**filters: Any) -> list[int]:
        return [entry.number for entry in await entries(funding, **filters)]

    every = await numbers()
    assert await numbers(limit=3) == every[:3]
    assert await numbers(limit=3, after="hempclub:000000003") == every[3:6]
    assert {entry.grant for entry in await entries(funding, grant=grant_id("m2"))} == {grant_id("m2")}
    assert await numbers(account=Account.BUDGET) == [every[0], every[-1]]
    today = now().date()
    assert await numbers(first_day=today, last_day=today) == every
    assert await numbers(last_day=date(2023, 1, 1)) == []
    assert await numbers(first_day=date(9999, 1, 1)) == []
    assert await funding.read(lambda uow: uow.ledger.page("other")) == []


async def test_it_is_read_from_the_newest_on_with_the_balances_before_each_page() -> None:
    funding = await some_history()
    hempclub = a_partnership(budget="1000.00")

    async def read(**filters: Any) -> tuple[list[int], dict[str, str]]:
        found, before = await funding.read(
            lambda uow: read_ledger(uow, hempclub, by=STAFF, newest_first=True, **filters)
        )
        return [entry.number for entry in found], {
            account.value: str(amount) for account, amount in before.items()
        }

    newest, before = await read(limit=4)
    assert newest == [9, 8, 7, 6]
    assert before == {
        "budget": "-2000.00",
        "available": "200.00",
        "reserved": "900.00",
        "committed": "0.00",
        "paid": "900.00",
    }
    older, before = await read(limit=50, after="hempclub:000000006")
    assert older == [5, 4, 3, 2, 1]
    assert set(before.values()) == {"0.00"}
    of_one, before = await read(grant=grant_id("m1"), limit=1)
    assert (of_one, before["available"]) == ([6], "200.00"), "what moved for others counts, too"


# ── databases from before ────────────────────────────────────────────────────────────────────


async def an_old_database() -> Funding:
    """Two grants reserved and one that waits, stored as they were before there was a ledger."""
    funding = transactions(a_partnership(budget="2000.00"))
    for id in ("m1", "m2", "m3"):
        await funding.run(lambda uow, id=id: reserve_lump_sum(uow, a_match(id)))  # type: ignore[misc]
    funding.database[LedgerEntry.COLLECTION].clear()
    for field in ("committed", "paid", "entries"):
        del funding.database[Budget.COLLECTION]["hempclub"][field]
    for grant in funding.database[Grant.COLLECTION].values():
        for field in ("gates", "claimed", "recovered"):
            del grant[field]
    return funding


async def test_an_old_budget_gets_a_ledger_that_begins_with_what_is_reserved() -> None:
    funding = await an_old_database()
    assert await funding.read(lambda uow: uow.budgets.without_ledger()) == ["hempclub"]
    for _ in range(2):
        await funding.run(lambda uow: open_ledger(uow, "hempclub"))
    told = [(entry.credit, entry.debit, str(entry.amount), entry.why) for entry in await entries(funding)]
    assert told == [
        ("budget", "available", "2000.00", "brought_forward"),
        ("available", "reserved", "900.00", "brought_forward"),
        ("available", "reserved", "900.00", "brought_forward"),
    ]
    assert await funding.read(lambda uow: uow.budgets.without_ledger()) == []
    assert (await check(funding)).adds_up


async def test_an_old_grant_goes_all_the_way() -> None:
    funding = await an_old_database()
    await funding.run(lambda uow: open_ledger(uow, "hempclub"))
    await with_grant(funding, pay)
    await funding.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_match("m2"))))
    assert (await check(funding)).adds_up
    assert (await with_grant(funding, pass_all, "m3")).state == "payable"


async def test_no_money_moves_before_the_ledger_is_opened() -> None:
    funding = await an_old_database()
    with pytest.raises(BudgetUnbalanced, match="start the service again"):
        await with_grant(funding, pass_all)
    with pytest.raises(BudgetUnbalanced):
        await funding.run(lambda uow: settle_budget(uow, a_partnership(budget="3000.00")))


# ── faults ───────────────────────────────────────────────────────────────────────────────────


async def test_books_that_add_up_tell_nobody() -> None:
    funding = await some_history()
    found = await check(funding)
    assert (found.differences, found.missing, alarms(funding)) == ([], [], [])


async def test_an_entry_that_was_changed_is_told_once() -> None:
    funding = await some_history()
    await check(funding)
    funding.database[LedgerEntry.COLLECTION]["hempclub:000000003"]["amount"] = "800.00"
    for _ in range(3):
        await check(funding)
    [told] = alarms(funding)
    assert {difference["account"] for difference in told["differences"]} == {"available", "reserved"}
    [reserved] = [found for found in told["differences"] if found["account"] == "reserved"]
    assert (reserved["budget"], reserved["ledger"], reserved["grants"]) == ("0.00", "-100.00", "0.00")


async def test_an_entry_that_was_deleted_is_named() -> None:
    funding = await some_history()
    del funding.database[LedgerEntry.COLLECTION]["hempclub:000000002"]
    assert (await check(funding)).missing == [2]
    assert alarms(funding)[0]["missing"] == [2]


async def test_a_budget_and_a_grant_that_were_changed_by_hand_are_found() -> None:
    funding = await some_history()
    funding.database[Grant.COLLECTION][grant_id("m1")]["state"] = "cancelled"
    assert [found.account for found in (await check(funding)).differences] == ["available", "paid"]
    funding.database[Budget.COLLECTION]["hempclub"]["paid"] = "0.00"
    [available, paid] = (await check(funding)).differences
    assert (available.account, paid.account) == ("available", "paid")
    assert (paid.budget, paid.ledger, paid.grants) == (Decimal("0.00"), Decimal("700.00"), Decimal("0.00"))
    assert len(alarms(funding)) == 2, "what differs is another thing now"


def test_the_first_missing_numbers_are_found() -> None:
    assert numbers_missing([1, 2, 3], 3) == []
    assert numbers_missing([1, 4], 5) == [2, 3, 5]
    assert numbers_missing([], 100) == list(range(1, 11))
