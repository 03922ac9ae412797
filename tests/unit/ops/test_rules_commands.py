"""`cxc eligibility check` and `cxc rules show`: without settings, servers or a platform."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from ops.embedded import ROOT
from ops.sample import SAMPLE_PARTNERSHIPS
from services.registration.rules_on_file import SHIPPED
from tests.builders import a_submission

SAMPLE = ROOT / "ops" / "sample" / "a-registration.json"

cli = CliRunner()


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("CXC_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def cxc(*arguments: str, given: Any = None) -> Result:
    return cli.invoke(app, list(arguments), input=None if given is None else json.dumps(given))


@pytest.fixture
def own_rules(tmp_path: Path) -> Path:
    """The shipped rules with the example of docs/operating.md beside them, laid out as it says."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    [(name, example)] = re.findall(r"^```yaml (\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    directory = tmp_path / "rules"
    (directory / "partnerships").mkdir(parents=True)
    for path in SHIPPED.glob("*.yaml"):
        shutil.copy(path, directory)
    (directory / "partnerships" / name).write_text(example, encoding="utf-8")
    return directory


def test_a_file_is_checked_and_its_receipt_printed_as_json() -> None:
    result = cxc("eligibility", "check", str(SAMPLE))
    assert (result.exit_code, result.stderr) == (0, "")
    answer = json.loads(result.stdout)
    assert answer["verdict"] == "eligible"
    assert list(answer) == [
        "verdict",
        "sentence",
        "for_staff",
        "verdict_by_role",
        "partnership",
        "rule_set",
        "rules",
        "facts",
    ]
    for rule in answer["rules"]:
        assert set(rule) == {"rule", "outcome", "sentence", "source"}


@pytest.mark.parametrize(
    ("country", "verdict"), [("PT", "eligible"), ("NO", "ineligible"), ("UK", "needs_review")]
)
def test_standard_input_is_read_and_every_verdict_ends_with_0(country: str, verdict: str) -> None:
    data = a_submission()
    data["organisation"]["country"] = country
    result = cxc("eligibility", "check", "-", given=data)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["verdict"] == verdict


def test_what_is_no_registration_ends_with_1_and_the_problem_as_the_api_answers_it() -> None:
    result = cxc("eligibility", "check", "-", given=a_submission(roles=["guest"]))
    assert (result.exit_code, result.stderr) == (1, "")
    problem = json.loads(result.stdout)
    [error] = problem.pop("errors")
    assert problem == {
        "type": "https://clusterxchange.example/problems/malformed",
        "title": "The request is malformed",
        "status": 422,
        "detail": f"/roles/0: {error['detail']}",
    }
    assert error["pointer"] == "/roles/0"
    assert "'visitor' or 'host'" in error["detail"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.json"], "nowhere.json cannot be read: No such file or directory.\n"),
        ([str(SAMPLE), "--on", "2019-12-31"], "No eligibility rules are on file for 2019-12-31.\n"),
        ([str(SAMPLE), "--rules", "nowhere"], "nowhere holds no rule set of the scheme"),
        ([str(SAMPLE), "--partnerships", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        ([str(SAMPLE), "--partnerships", str(SAMPLE)], "is no file of partnerships"),
    ],
)
def test_what_keeps_it_from_checking_is_said_in_a_sentence(arguments: list[str], said: str) -> None:
    result = cxc("eligibility", "check", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


def test_other_days_partnerships_and_a_used_visit_can_be_tried() -> None:
    result = cxc(
        *("eligibility", "check", str(SAMPLE), "--on", "2023-01-16", "--visit-used"),
        *("--partnerships", str(SAMPLE_PARTNERSHIPS), "--partnership", "sample-baltic-digital"),
    )
    answer = json.loads(result.stdout)
    assert (answer["verdict"], answer["partnership"]) == ("ineligible", "sample-baltic-digital")
    assert answer["facts"]["screened_on"] == "2023-01-16"


def a_large_company() -> dict[str, Any]:
    data = a_submission(partnership="sample-baltic-digital")
    data["organisation"]["kind"] = "large_company"
    return data


def test_the_example_of_the_docs_lets_large_companies_visit_through_its_partnership_alone(
    own_rules: Path,
) -> None:
    options = ["--rules", str(own_rules), "--partnerships", str(SAMPLE_PARTNERSHIPS)]
    own = json.loads(cxc("eligibility", "check", "-", *options, given=a_large_company()).stdout)
    assert (own["verdict"], own["rule_set"]) == ("eligible", "cxc-2020 + sample-baltic-2022")
    [rule] = [rule for rule in own["rules"] if rule["rule"] == "visitor-large-company"]
    assert rule["source"].startswith("Decision of the partnership")

    without_cluster = a_large_company()
    without_cluster["organisation"]["memberships"] = []
    answer = json.loads(cxc("eligibility", "check", "-", *options, given=without_cluster).stdout)
    assert answer["verdict"] == "ineligible"
    assert "you name no cluster" in answer["sentence"]

    elsewhere = [*options, "--partnership", "hempclub"]
    other = json.loads(cxc("eligibility", "check", "-", *elsewhere, given=a_large_company()).stdout)
    assert (other["verdict"], other["rule_set"]) == ("ineligible", "cxc-2020")


def test_rules_for_a_partnership_that_is_not_configured_are_named_by_their_file(own_rules: Path) -> None:
    result = cxc("eligibility", "check", str(SAMPLE), "--rules", str(own_rules))
    assert result.exit_code == 1
    assert "sample-baltic-2022.yaml is for the partnership 'sample-baltic-digital'" in result.stderr


@pytest.mark.parametrize("where", ["the environment", ".env"])
def test_the_rules_and_partnerships_of_the_settings_are_used(
    where: str, own_rules: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {"CXC_ELIGIBILITY_RULES": str(own_rules), "CXC_PARTNERSHIPS": str(SAMPLE_PARTNERSHIPS)}
    if where == ".env":
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    else:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
    answer = json.loads(cxc("eligibility", "check", "-", given=a_large_company()).stdout)
    assert answer["verdict"] == "eligible"


def test_checking_starts_without_the_clients_of_kafka_and_mongodb() -> None:
    seen = (
        "import sys, ops.commands.eligibility; "
        "print([m for m in ('aiokafka', 'pymongo', 'motor', 'faust', 'fastapi', 'rich') if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", seen], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert loaded.stdout.strip() == "[]"


def test_the_sets_on_file_are_shown_with_whose_and_from_when(own_rules: Path) -> None:
    shown = cxc("rules", "show", "--rules", str(own_rules), "--on", "2021-06-01")
    assert shown.exit_code == 0
    assert re.search(r"cxc-2020 +│ the scheme +│ 2020-10-01 │ yes", shown.stdout)
    assert re.search(r"sample-baltic-2022 │ sample-baltic-digital │ 2022-01-01 │ no", shown.stdout)
    rows = json.loads(cxc("rules", "show", "--rules", str(own_rules), "--json").stdout)
    assert [(row["id"], row["partnership"], row["in_force"]) for row in rows] == [
        ("cxc-2020", None, True),
        ("sample-baltic-2022", "sample-baltic-digital", True),
    ]
