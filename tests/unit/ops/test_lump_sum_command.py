"""`cxc lump-sum preview`: the answer of the API, without a platform."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from ops.embedded import ROOT
from services.funding.domain.lump_sum import lump_sum
from services.funding.domain.stay import Stay
from services.funding.rules_on_file import SHIPPED
from tests.unit.funding.builders import POLICIES, stay_facts

cli = CliRunner()


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("CXC_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def preview(given: Any, *options: str) -> Result:
    text = given if isinstance(given, str | bytes) else json.dumps(given)
    return cli.invoke(app, ["lump-sum", "preview", "-", *options], input=text)


def test_a_file_gives_the_answer_of_the_api_in_its_shape(tmp_path: Path) -> None:
    facts = stay_facts(host_region="MI", accepted_days=[{"day": "2023-02-13", "reason": "Opening"}])
    (tmp_path / "stay.json").write_text(json.dumps(facts), encoding="utf-8")
    result = cli.invoke(app, ["lump-sum", "preview", "stay.json"])
    assert (result.exit_code, result.stderr) == (0, "")
    answer = json.loads(result.stdout)
    assert list(answer) == [
        "outcome",
        "amount",
        "working_days",
        "days",
        "distance_km",
        "halved_because",
        "receipt",
    ]
    assert (answer["outcome"], answer["amount"], answer["working_days"]) == ("payable", "900.00", 5)
    assert answer["days"][0] == {
        "day": "2023-02-13",
        "weekday": "Monday",
        "counted": True,
        "why": "working day",
    }
    assert answer == lump_sum(Stay.model_validate(facts), POLICIES).model_dump(mode="json")


@pytest.mark.parametrize(
    ("changes", "outcome", "amount"),
    [
        ({"last_day": "2023-02-15"}, "payable", "450.00"),
        ({"visitor_country": "IT"}, "not_eligible", "0.00"),
        ({"host_place": {"city": "San Giovanni", "country": "IT"}}, "needs_review", None),
        ({"agreed_amount": 850.5}, "payable", "850.50"),
        ({"host_region": None, "agreed_amount": None, "accepted_days": None}, "payable", "900.00"),
    ],
)
def test_every_outcome_ends_with_0(changes: dict[str, Any], outcome: str, amount: str | None) -> None:
    result = preview(stay_facts(**changes))
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert (answer["outcome"], answer["amount"]) == (outcome, amount)


@pytest.mark.parametrize(
    ("given", "pointer", "said"),
    [
        ("", "", "there is nothing in it; give a stay as JSON"),
        ("{", "", "it is not JSON"),
        ("[]", "", "is not a JSON object"),
        ("{}", "/host_country", "is missing"),
        (b'{"caf\xe9": 1}', "", "not JSON in UTF-8"),
        ("[" * 100_000, "", "nested too deeply"),
        (stay_facts(last_day="2023-02-12"), "", "last_day 2023-02-12 is before first_day 2023-02-13"),
        (stay_facts(host_country="XX"), "/host_country", "'XX' is not a country"),
        (stay_facts(first_day="13/02/2023"), "/first_day", "write it as 2027-02-08"),
        (stay_facts(nights=5), "/nights", "is not a field of this"),
    ],
)
def test_what_is_no_stay_ends_with_1_and_says_what_to_do_where(given: Any, pointer: str, said: str) -> None:
    result = preview(given)
    assert result.exit_code == 1
    problem = json.loads(result.stdout)
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"] == pointer
    assert said in problem["detail"]


@pytest.mark.parametrize("country", ["CH", "US", "LI"])
def test_a_visitor_from_elsewhere_gets_the_answer_of_the_api_too(country: str) -> None:
    facts = stay_facts(visitor_country=country, visitor_place={"city": "Vaduz", "country": country})
    answer = lump_sum(Stay.model_validate(facts), POLICIES).model_dump(mode="json")
    assert json.loads(preview(facts).stdout) == answer


def test_more_than_the_rate_ends_with_1_and_the_rule() -> None:
    result = preview(stay_facts(agreed_amount="900.01"))
    assert result.exit_code == 1
    assert json.loads(result.stdout)["type"].endswith("agreed-amount-over-rate")


def test_what_is_too_long_is_not_read_to_its_end() -> None:
    result = preview(" " * 1_000_001)
    assert result.exit_code == 1
    assert "longer than 1,000,000 bytes" in json.loads(result.stdout)["detail"]


def test_a_file_that_is_not_there_is_said_in_a_sentence() -> None:
    result = cli.invoke(app, ["lump-sum", "preview", "nowhere.json"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "nowhere.json cannot be read: No such file or directory.\n"


def test_rates_of_one_s_own_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(SHIPPED, tmp_path / "rules")
    table = tmp_path / "rules" / "rates" / "2014-cosme.yaml"
    table.write_text(table.read_text(encoding="utf-8").replace('IT: "900"', 'IT: "910"'), encoding="utf-8")
    assert json.loads(preview(stay_facts(), "--rules", "rules").stdout)["amount"] == "910.00"
    monkeypatch.setenv("CXC_FUNDING_RULES", "rules")
    assert json.loads(preview(stay_facts()).stdout)["amount"] == "910.00"
    assert "nowhere/rates holds no *.yaml file" in preview(stay_facts(), "--rules", "nowhere").stderr


def test_the_preview_starts_without_the_clients_of_kafka_and_mongodb() -> None:
    seen = (
        "import sys, ops.commands.lump_sum; "
        "print([m for m in ('aiokafka', 'pymongo', 'motor', 'faust', 'fastapi', 'rich') if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", seen], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert loaded.stdout.strip() == "[]"
