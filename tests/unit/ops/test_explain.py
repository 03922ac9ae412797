"""`cxc notifications explain`: read by people, and by programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.cli import app
from shared.contracts import examples

EXAMPLES = Path(examples.__file__).parent
cli = CliRunner()


def explain(*arguments: str, **given: Any) -> Any:
    # No settings of the machine it runs on.
    return cli.invoke(app, ["notifications", "explain", *arguments], env={"COLUMNS": "160"}, **given)


def example(name: str) -> str:
    return str(EXAMPLES / f"cxc.{name}.v1.json")


@pytest.fixture
def wishes(tmp_path: Path) -> Path:
    file = tmp_path / "wishes.yaml"
    file.write_text(
        """
partnership:hempclub:
  time_zone: Europe/Rome
  kinds:
    matches: {channels: [email], pace: daily}
organisation:9e1b2ff4-6477-5977-a464-0aa34ff314d2:
  quiet: {begins: "22:00", ends: "07:00"}
  time_zone: Europe/Lisbon
"""
    )
    return file


def test_it_says_who_is_told_what_and_who_is_not() -> None:
    shown = explain(example("match.proposed"))
    assert shown.exit_code == 0, shown.output
    told, _, not_told = shown.output.partition("Who is not told, and why")
    assert "Navigli Textile Tech Centre (sample), as host — Your organisation was asked." in told
    assert "office@navigli-textile.example" in told
    assert "In Italian:" in told
    assert "https://cxc.example/matches/" in told
    assert "Tagus Fibre Works (sample), as visitor: This event is told to others only." in not_told


def test_wishes_and_the_moment_decide_when(wishes: Path) -> None:
    at = "2023-02-13T23:10+00:00"
    shown = explain(example("match.approved"), "--wishes", str(wishes), "--at", at)
    assert "Quiet hours are from 22:00 to 07:00 (Europe/Lisbon): it waits until 07:00" in " ".join(
        shown.output.split()
    )
    cancelled = explain(example("match.cancelled"), "--wishes", str(wishes), "--at", at)
    assert "in the daily digest, 08:00 on 14 February 2023" in cancelled.output
    assert "It is critical: it goes out at once, whatever was wished." in cancelled.output


def test_json_is_what_the_api_answers(wishes: Path) -> None:
    shown = explain(example("match.cancelled"), "--json", "--wishes", str(wishes))
    found = json.loads(shown.output)
    assert found["type"] == "cxc.match.cancelled.v1"
    assert {one["channel"] for one in found["told"]} == {"email", "inbox"}
    assert all(one["because"] for one in (*found["told"], *found["not_told"]))


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (["-"], "", "The value is not JSON"),
        (["-"], '{"specversion": "1.0"}', "no CloudEvent 1.0"),
        (["nowhere.json"], None, "nowhere.json cannot be read"),
        ([example("match.approved"), "--at", "tomorrow"], None, "'tomorrow' is no moment; write it like"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(
    arguments: list[str], given: str | None, says: str
) -> None:
    shown = explain(*arguments, input=given)
    assert shown.exit_code == 2
    assert says in shown.stderr
    assert "Traceback" not in shown.output


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "holds no wishes"),
        ("{", "is no YAML"),
        ("weather: {}", "'weather' is nobody with wishes"),
        ("partnership:nowhere: {}", "'partnership:nowhere' is nobody with wishes"),
        ("partnership:hempclub: {time_zone: Europe/Milano}", "did you mean Europe/Rome?"),
        (
            "partnership:hempclub: {kinds: {weather: {}}}",
            "there is no kind 'weather'; there are: registration",
        ),
        ("staff@hempclub.example: {pace: daily}", "is not a field of this"),
    ],
)
def test_wishes_that_make_no_sense_are_said_where(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "wishes.yaml"
    file.write_text(content)
    shown = explain(example("match.approved"), "--wishes", str(file))
    assert shown.exit_code == 2
    assert says in shown.stderr
