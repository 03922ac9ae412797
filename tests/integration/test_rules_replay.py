"""`cxc rules replay` on real MongoDB: every case of the past, a few at a time, and nothing written."""

from __future__ import annotations

import asyncio
import json
import os
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from ops.cli import app
from services.registration.bootstrap import Registering, bootstrap
from services.registration.domain.registration import Registration
from services.registration.rules_on_file import SHIPPED, candidate_in, rule_sets_in
from services.registration.use_cases.replay_rules import Tally, replay_rules
from services.registration.use_cases.submit_registration import submit_registration
from shared.contracts.envelope import now
from shared.contracts.registration import Submission
from tests.builders import A_MOMENT, a_submission
from tests.integration.apis import settings_of
from tests.unit.registration.service import A_PARTICIPANT

pytestmark = pytest.mark.integration

DATABASE = "cxc_registration"
"""The one the command reads."""
Register = Callable[..., Awaitable[str]]

cli = CliRunner()


@pytest.fixture
async def root(mongo_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Registering]:
    """The registration service on the database the command finds by the settings, empty before and after."""
    for name in [name for name in os.environ if name.startswith("CXC_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    settings = settings_of("registration", mongo_url)
    monkeypatch.setenv("CXC_MONGO_URL", mongo_url)
    monkeypatch.setenv("COLUMNS", "200")
    registering = await bootstrap(settings, clock=lambda: A_MOMENT)
    await registering.client.drop_database(DATABASE)
    yield registering
    await registering.client.drop_database(DATABASE)
    await registering.close()


@pytest.fixture
def register(root: Registering) -> Register:
    async def register(**organisation: Any) -> str:
        data = a_submission()
        data["organisation"].update(organisation)
        submission = Submission.model_validate(data)
        made = await root.transactions.run(lambda uow: submit_registration(uow, submission, by=A_PARTICIPANT))
        return made.id

    return register


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """Large companies visit, SMEs need no profile on the ECCP."""
    [shipped] = SHIPPED.glob("*.yaml")
    content = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    rules = {rule["id"]: rule for rule in content["rules"]}
    rules["visitor-large-company"]["admitted"] = ["large_company"]
    rules["visitor-sme-membership"]["least"] = "cluster"
    path = tmp_path / "next.yaml"
    path.write_text(yaml.safe_dump({**content, "id": "next"}), encoding="utf-8")
    return path


async def cxc(*arguments: str) -> Result:
    return await asyncio.to_thread(cli.invoke, app, list(arguments))


async def everything(root: Registering) -> dict[str, list[Any]]:
    """All that is stored, to be held against later."""
    names = await root.database.list_collection_names()
    return {name: await root.database[name].find().sort("_id", 1).to_list(None) for name in sorted(names)}


async def test_it_says_which_verdicts_would_change_by_which_rule_and_writes_nothing(
    root: Registering, register: Register, candidate: Path
) -> None:
    unchanged = await register()
    large = await register(kind="large_company", name="Tagus Holdings (sample)", pic="900000011")
    sme = await register(memberships=[{"name": "Sample Cluster"}], pic="900000012")
    erased = await register(kind="large_company", pic="900000013")
    await root.database[Registration.COLLECTION].update_one(
        {"_id": erased}, {"$set": {"erased_at": now().isoformat()}}
    )
    before = await everything(root)

    result = await cxc("rules", "replay", str(candidate))
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert f"{large}  Tagus Holdings (sample), ineligible: ineligible → eligible" in lines
    assert "    visitor-large-company: failed → passed" in lines
    assert any(
        line.startswith("      before: Your organisation is a large company, and large") for line in lines
    )
    assert any(
        line.startswith("      after:  Your organisation is a large company, a kind that") for line in lines
    )
    assert "    visitor-sme-membership: failed → passed" in lines
    assert not any(unchanged in line for line in lines)
    assert lines[-5:] == [
        "next on 3 cases: 1 unchanged, 2 would change. Nothing was written.",
        "  ineligible → eligible: 2",
        "  by visitor-large-company: 1",
        "  by visitor-sme-membership: 1",
        "1 erased and left out: what they said is gone.",
    ]

    answer = json.loads((await cxc("rules", "replay", str(candidate), "--json")).stdout)
    assert [change["id"] for change in answer["changes"]] == [large, sme]
    assert answer["counts"]["moves"] == [{"before": "ineligible", "after": "eligible", "cases": 2}]
    assert (answer["counts"]["unchanged"], answer["counts"]["erased"]) == (1, 1)
    [rule] = answer["changes"][1]["rules"]
    assert (rule["rule"], rule["before"], rule["after"]) == ("visitor-sme-membership", "failed", "passed")
    assert answer["changes"][1]["after"]["rule_set"] == "next"
    assert await everything(root) == before


async def test_the_rules_on_file_change_nothing(root: Registering, register: Register) -> None:
    await register()
    await register(kind="large_company", pic="900000011")
    [shipped] = SHIPPED.glob("*.yaml")
    result = await cxc("rules", "replay", str(shipped))
    assert result.stdout == "cxc-2020 on 2 cases: 2 unchanged, 0 would change. Nothing was written.\n"
    assert json.loads((await cxc("rules", "replay", str(shipped), "--json")).stdout)["changes"] == []


async def test_a_partnership_s_candidate_is_tried_on_its_own_cases(
    root: Registering, register: Register, tmp_path: Path
) -> None:
    large = await register(kind="large_company")
    await root.database[Registration.COLLECTION].insert_one(
        {
            **(await everything(root))[Registration.COLLECTION][0],
            "_id": "elsewhere",
            "receipt": {"facts": {"partnership": "woolclub"}},
        }
    )
    path = tmp_path / "own.yaml"
    path.write_text(
        "{id: hempclub-next, valid_from: 2031-01-01, partnership: hempclub, sources: {ours: A decision},"
        " rules: [{id: visitor-large-company, source: ours, admitted: [large_company]}]}"
    )
    result = await cxc("rules", "replay", str(path))
    assert f"{large}  Tagus Fibre Works (sample), ineligible: ineligible → eligible" in result.stdout
    assert "hempclub-next on 1 case of hempclub: 0 unchanged, 1 would change." in result.stdout


async def test_a_case_that_cannot_be_screened_again_is_named_and_keeps_nothing_from_going_on(
    root: Registering, register: Register, candidate: Path
) -> None:
    broken = await register()
    await register(kind="large_company", pic="900000011")
    await root.database[Registration.COLLECTION].update_one(
        {"_id": broken}, {"$unset": {"receipt.facts.screened_on": ""}}
    )
    result = await cxc("rules", "replay", str(candidate))
    assert "next on 1 case: 0 unchanged, 1 would change." in result.stdout
    assert f"1 left out that cannot be screened again: {broken}" in result.stdout


async def test_a_candidate_that_cannot_be_tried_is_refused_in_a_sentence(
    root: Registering, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "{id: x, valid_from: 2031-01-01, partnership: hempclub, sources: {ours: A decision},"
        " rules: [{id: no-such-rule, source: ours}]}"
    )
    refused = await cxc("rules", "replay", str(path))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "own.yaml does not fit the rules on file: rule 'no-such-rule' is none of" in refused.stderr
    path.write_text("id: [")
    assert "own.yaml is no YAML" in (await cxc("rules", "replay", str(path))).stderr
    assert "nowhere.yaml cannot be read" in (await cxc("rules", "replay", "nowhere.yaml")).stderr


async def test_thousands_of_cases_are_replayed_without_holding_them(
    root: Registering, register: Register, candidate: Path
) -> None:
    await register(kind="large_company")
    cases = root.database[Registration.COLLECTION]
    [one] = await cases.find().to_list(None)
    many = 3000
    await cases.insert_many([{**one, "_id": f"case-{number:05}"} for number in range(many)])

    tally = Tally()
    tracemalloc.start()
    try:
        async for _ in replay_rules(root.database, rule_sets_in(), candidate_in(candidate), tally):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tally.cases == tally.changed == many + 1
    # A case is some 4 kB as BSON and more as objects; a batch of 500 is what may be held at a time.
    assert peak < 20_000_000
