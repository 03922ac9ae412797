"""The generated docs: current, complete, valid by the official validator, and true to the golden examples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from ops.docs.__main__ import ROOT, generated, main, stale
from shared.contracts.catalogue import contracts
from shared.contracts.examples import golden_examples
from shared.messaging.topics import SERVICES, all_topics
from tests.node import environment, node_modules

GOLDEN = golden_examples()
FILE = Path("docs/asyncapi.yaml")


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load((ROOT / FILE).read_text(encoding="utf-8"))


def test_the_generated_docs_are_current() -> None:
    assert stale() == [], "run 'make docs'"


def test_a_missing_or_changed_file_is_named_as_stale(tmp_path: Path) -> None:
    for path, text in generated().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert stale(tmp_path) == []

    (tmp_path / FILE).write_text("asyncapi: 3.0.0\n", encoding="utf-8")
    (tmp_path / "docs/events.md").unlink()

    assert stale(tmp_path) == [FILE, Path("docs/events.md")]


def test_checking_exits_with_1_and_a_sentence_naming_the_stale_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ops.docs.__main__.stale", lambda: [FILE])

    assert main(["--check"]) == 1
    assert (
        capsys.readouterr().err == "docs/asyncapi.yaml is not what the contracts say now; run 'make docs'.\n"
    )


def test_the_generated_docs_do_not_depend_on_the_order_of_a_set() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops.docs", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_every_topic_is_described(document: Any) -> None:
    addresses = {
        channel["address"].replace("{service}", service)
        for channel in document["channels"].values()
        for service in SERVICES
    }

    assert addresses == {topic.name for topic in all_topics()}


def test_every_type_is_described_with_its_examples(document: Any) -> None:
    messages = document["components"]["messages"]
    shown = [example["payload"] for name in contracts() for example in messages[name]["examples"]]

    assert sorted(shown, key=str) == sorted(GOLDEN.values(), key=str)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_example_is_valid_by_the_schema_of_its_message(document: Any, name: str) -> None:
    assert _problems(document, GOLDEN[name]["type"], GOLDEN[name]) == []


@pytest.mark.parametrize("name", GOLDEN)
def test_the_schema_of_a_message_refuses_an_event_of_another_type(document: Any, name: str) -> None:
    other = next(golden for golden in GOLDEN.values() if golden["type"] != GOLDEN[name]["type"])

    assert _problems(document, GOLDEN[name]["type"], other)


def test_the_schema_refuses_what_the_inbox_refuses(document: Any) -> None:
    golden = GOLDEN["cxc.registration.submit.v1"]
    without_goals = {key: value for key, value in golden["data"].items() if key != "goals"}

    for data in ({**golden["data"], "unheard": 1}, without_goals, {**golden["data"], "roles": ["guest"]}):
        assert _problems(document, golden["type"], {**golden, "data": data})


def test_the_official_validator_finds_nothing_wrong(tmp_path: Path) -> None:
    validator = node_modules(Path(__file__).parent / "asyncapi" / "package.json") / ".bin" / "asyncapi"
    done = subprocess.run(
        [validator, "validate", str(ROOT / FILE), "--fail-severity=warn"],
        cwd=tmp_path,
        env={**environment(), "HOME": str(tmp_path), "CI": "true"},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def _problems(document: Any, wire_type: str, event: Any) -> list[str]:
    payload = document["components"]["messages"][wire_type]["payload"]
    schema = {**payload, "components": {"schemas": document["components"]["schemas"]}}
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(event)]
