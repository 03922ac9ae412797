"""Board, early warnings and report on the real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import get_args

import orjson
import pytest

from services.funding.chores import CHORES
from services.funding.domain.grant import Grant
from services.funding.domain.ledger import Account
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.read_funder_report import read_funder_report
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.chores import Round
from shared.contracts.types import EventType
from shared.contracts.vocabulary import GateName, GateState
from shared.messaging.outbox import unpack
from shared.security import Caller, CallerRole
from shared.storage.driver import Collection
from shared.storage.lease import Lease
from shared.storage.store import OUTBOX
from tests.integration.apis import AUDITOR, STAFF, Api, As, Issuer, running_root, settings_of
from tests.unit.funding.builders import a_match

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
async def grants(funding: Api) -> Collection:
    """Grants of two partnerships, half of them reserved, half of them to be paid long ago."""

    async def reserve(uow: FundingUnitOfWork) -> None:
        for number in range(12):
            payer = "woolclub" if number % 6 == 0 else "hempclub"
            grant = await reserve_lump_sum(uow, a_match(f"board-{number:02}", payer=payer))
            if number % 2:
                for gate in get_args(GateName):
                    grant.turn_gate(gate, GateState.PASSED, at=datetime(2023, 2, 20, tzinfo=UTC))

    await funding.root.transactions.run(reserve)
    found: Collection = funding.root.database[Grant.COLLECTION]
    return found


@pytest.mark.parametrize("caller", [STAFF, AUDITOR], ids=["one partnership", "all partnerships"])
@pytest.mark.parametrize(
    "asked", [{}, {"state": "reserved"}, {"waits_for": "visitor"}, {"gate": "report"}, {"overdue": "true"}]
)
async def test_a_page_is_read_from_an_index_in_its_order(
    funding: Api, grants: Collection, caller: As, asked: dict[str, str]
) -> None:
    database = funding.root.database
    await database.command("profile", 2)
    page = await funding.get("/readiness", caller, limit=3, after="2000", **asked)
    await database.command("profile", 0)
    read = await database["system.profile"].find_one({"command.find": grants.name}, sort=[("ts", -1)])
    assert "IXSCAN" in read["planSummary"]
    assert "COLLSCAN" not in read["planSummary"]
    assert not read.get("hasSortStage"), read["planSummary"]
    assert read["docsExamined"] <= 2 * 3
    assert len(page.json()["items"]) == 3


async def test_cases_from_before_the_board_are_put_on_it_at_the_start(
    funding: Api, grants: Collection, issuer: Issuer, mongo_url: str
) -> None:
    before = (await funding.get("/readiness", AUDITOR)).json()
    await grants.update_many({}, {"$unset": {"board": 1}})
    assert (await funding.get("/readiness", AUDITOR)).json()["items"] == []
    async with running_root("funding", settings_of("funding", mongo_url, issuer), funding.root.database.name):
        after = (await funding.get("/readiness", AUDITOR)).json()
    assert after == before
    assert len(after["items"]) == 12


async def test_partnerships_are_warned_by_a_chore_and_once(funding: Api, grants: Collection) -> None:
    root = funding.root
    warn = next(chore for chore in CHORES if chore.name == "forecasts")
    lease = Lease("chores", root.database)
    for _ in range(2):
        await warn.do_round(Round(warn.name, root, lease, asyncio.Event()))
    told = [
        event["subject"]
        for row in await root.database[OUTBOX].find().to_list(None)
        for message in unpack(row)
        if (event := orjson.loads(message.value))["type"] == EventType.FORECAST_WARNING
    ]
    # SolarClub and LinenClub have no money for their objectives, WoolClub too little.
    assert sorted(told) == ["linenclub", "solarclub", "woolclub"]


async def test_a_report_adds_up_on_the_real_ledger(funding: Api, grants: Collection) -> None:
    report = await funding.root.transactions.read(
        lambda uow: read_funder_report(
            uow,
            funding.root.partnerships.require("woolclub"),
            date(2023, 2, 1),
            date.max - timedelta(days=1),
            by=Caller("auditor-1", CallerRole.AUDITOR),
        )
    )
    held = {one.account: one.after for one in report.balances}
    assert held == {
        Account.AVAILABLE: Decimal("200.00"),
        Account.RESERVED: Decimal("1800.00"),
        Account.COMMITTED: Decimal(0),
        Account.PAID: Decimal(0),
    }
    assert [one.before for one in report.balances] == [0, 0, 0, 0]
    assert len(report.exchanges) == 2
