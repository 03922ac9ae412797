"""`cxc rates replay` on real MongoDB: every grant of the past, a few at a time, and nothing written."""

from __future__ import annotations

import asyncio
import json
import os
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymongo import MongoClient
from typer.testing import CliRunner, Result

from ops.cli import app
from services.funding.bootstrap import Funding
from services.funding.domain.grant import Grant
from services.funding.domain.rates import RateTable
from services.funding.domain.settlement import Settlement
from services.funding.rules_on_file import SHIPPED
from services.funding.use_cases.recompute_doubtful import waiting_for_a_rate
from services.funding.use_cases.replay_rates import Tally, replay_rates
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.use_cases.settle_lump_sum import settle_lump_sum
from shared.chores import ids_of
from shared.contracts.common import Window
from shared.on_file import entry_in
from shared.security import Caller, CallerRole
from tests.integration.apis import running_root, settings_of
from tests.unit.funding.builders import a_match

pytestmark = pytest.mark.integration

DATABASE = "cxc_funding"
"""The one the command reads."""
IN_JUNE_2024 = Window(first_day=date(2024, 6, 3), last_day=date(2024, 6, 7))
Grants = Callable[..., Awaitable[None]]

cli = CliRunner()


@pytest.fixture
async def root(mongo_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Funding]:
    """The funding service on the database the command finds by the settings, empty before and after."""
    settings = settings_of("funding", mongo_url)
    for name in [name for name in os.environ if name.startswith("CXC_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXC_MONGO_URL", mongo_url)
    with MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(DATABASE)
    async with running_root("funding", settings, DATABASE) as funding:
        yield funding
        await funding.client.drop_database(DATABASE)


@pytest.fixture
async def grants(root: Funding) -> None:
    """EUR 900 and 450 in Milan, 900 in Vienna, and a week of June 2024 in Milan without a rate."""
    for match in (
        a_match("m1"),
        a_match("m2", full=False),
        a_match("m3", country="AT", city="Vienna"),
        a_match("m4").model_copy(update={"stay": IN_JUNE_2024}),
    ):
        await root.transactions.run(lambda uow, match=match: reserve_lump_sum(uow, match))  # type: ignore[misc]


def a_table(path: Path, rate: str) -> Path:
    """The table known in part, with this rate for Italy, EUR."""
    content = yaml.safe_load((SHIPPED / "rates" / "2024-06.yaml").read_text(encoding="utf-8"))
    content["full_rates"]["IT"] = rate
    path.write_text(yaml.safe_dump({**content, "name": "next"}), encoding="utf-8")
    return path


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    return a_table(tmp_path / "next.yaml", "1000")


@pytest.fixture
def lower(tmp_path: Path) -> Path:
    return a_table(tmp_path / "lower.yaml", "800")


async def cxc(*arguments: str) -> Result:
    return await asyncio.to_thread(cli.invoke, app, list(arguments))


async def everything(root: Funding) -> dict[str, list[Any]]:
    names = await root.database.list_collection_names()
    return {name: await root.database[name].find().sort("_id", 1).to_list(None) for name in sorted(names)}


async def test_it_says_which_amounts_would_have_changed_why_and_by_how_much(
    root: Funding, grants: None, candidate: Path
) -> None:
    before = await everything(root)
    result = await cxc("rates", "replay", str(candidate))
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert (
        lines[0] == "grant-m4  Tagus Fibre Works (sample), hempclub, needs review: needs review → EUR 1000.00"
    )
    assert lines[1:4] == [
        "    rate-on-file",
        "      before: The June 2024 table (known in part), in force on 3 June 2024, has no rate for Italy; "
        "rates of other tables are never carried over.",
        "      after:  The full rate of Italy on 3 June 2024 is EUR 1000.00.",
    ]
    assert lines[-3:] == [
        "next, 2024-06-01, on 4 grants: 3 unchanged, 1 would have changed. Nothing was written.",
        "  needs review → payable: 1",
        "  hempclub: EUR +1,000.00, cancelled and refused grants left out",
    ]
    assert await everything(root) == before


async def test_a_table_is_tried_from_another_day_on_and_halves_are_halved(
    root: Funding, grants: None, candidate: Path
) -> None:
    result = await cxc("rates", "replay", str(candidate), "--from", "2023-01-01", "--json")
    answer = json.loads(result.stdout)
    changes = {change["grant"]: change for change in answer["changes"]}
    amounts = {id: (one["before"]["amount"], one["after"]["amount"]) for id, one in changes.items()}
    # Stays from 1 June 2024 on are by the table on file again, which has no rate for Italy.
    assert amounts == {
        "grant-m1": ("900.00", "1000.00"),
        "grant-m2": ("450.00", "500.00"),
        "grant-m3": ("900.00", "1000.00"),
    }
    assert answer["counts"]["difference_by_partnership"] == {"hempclub": "250.00"}
    assert answer["counts"]["unchanged"] == 1


async def test_what_was_settled_by_hand_is_replayed_as_settled(
    root: Funding, grants: None, lower: Path
) -> None:
    staff = Caller("officer-1", CallerRole.STAFF, partnership="hempclub")
    settlement = Settlement.model_validate({"reason": "Agreed by mail.", "agreed_amount": "850"})
    await root.transactions.run(lambda uow: settle_lump_sum(uow, "grant-m1", settlement, by=staff))
    result = await cxc("rates", "replay", str(lower), "--from", "2023-01-01")
    assert "hempclub, reserved: EUR 850.00 → more agreed than the rate" in result.stdout
    assert "The agreed EUR 850.00 is more than the rate of Italy, EUR 800.00" in result.stdout


async def test_the_worker_finds_who_waits_for_a_rate_once_a_table_has_it(
    root: Funding, grants: None, candidate: Path
) -> None:
    collection, on_file = root.database[Grant.COLLECTION], root.policies.rates
    assert await ids_of(collection, waiting_for_a_rate(on_file)) == []
    deployed = on_file.with_candidate(entry_in(candidate, RateTable))
    assert await ids_of(collection, waiting_for_a_rate(deployed)) == ["grant-m4"]


async def test_the_tables_on_file_change_nothing(root: Funding, grants: None) -> None:
    for table in sorted((SHIPPED / "rates").glob("*.yaml")):
        result = await cxc("rates", "replay", str(table))
        assert "on 4 grants: 4 unchanged, 0 would have changed. Nothing was written." in result.stdout
        assert json.loads((await cxc("rates", "replay", str(table), "--json")).stdout)["changes"] == []


async def test_what_is_no_table_is_refused_in_a_sentence(root: Funding, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("name: x", encoding="utf-8")
    refused = await cxc("rates", "replay", str(path))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "wrong.yaml is no RateTable" in refused.stderr
    assert "nowhere.yaml cannot be read" in (await cxc("rates", "replay", "nowhere.yaml")).stderr


async def test_thousands_of_grants_are_replayed_without_holding_them(
    root: Funding, grants: None, candidate: Path
) -> None:
    stored = root.database[Grant.COLLECTION]
    one = await stored.find_one({"_id": "grant-m4"})
    assert one is not None
    many = 1200
    await stored.insert_many([{**one, "_id": f"copy-{number:05}"} for number in range(many)])
    await stored.update_one({"_id": "copy-00000"}, {"$set": {"lump_sum.days": "lost"}})

    tally = Tally()
    tracemalloc.start()
    try:
        async for _ in replay_rates(root.database, root.policies, entry_in(candidate, RateTable), tally):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tally.changed, tally.unreadable) == (many, ["copy-00000"])
    # A grant is some 8 kB as BSON; a batch of 500 is what may be held at a time.
    assert peak < 20_000_000
