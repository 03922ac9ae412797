"""The command line without a cluster: what it reads, what it makes of it, and how it says no."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest
import typer
from pydantic import SecretStr
from typer.testing import CliRunner

from ops.cli import app
from ops.commands import CommandFailed
from ops.commands.cluster import Cluster
from ops.commands.gist import gist
from ops.commands.publish import as_event, documents, problems
from ops.commands.shown import printable, text_of
from ops.commands.tail import json_line, line
from ops.embedded import ROOT
from ops.issuer import AUDIENCE, ensure_key
from ops.processes import started_at
from shared.contracts.catalogue import INBOX, contracts
from shared.contracts.envelope import CloudEvent
from tests.builders import a_message, a_submission, an_inbox_event

EXAMPLES = ROOT / "shared" / "contracts" / "examples"
SAMPLE = ROOT / "ops" / "sample" / "a-registration.json"

cli = CliRunner()


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings in the environment or a .env file, and no platform where one would be looked for."""
    for name in [name for name in os.environ if name.startswith("CXC_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")  # a sentence in a frame stays on one line


def a_running_platform(state: Path, **environment: str) -> dict[str, Any]:
    """The record of a platform that this very process runs."""
    run = {
        "pid": os.getpid(),
        "started": started_at(os.getpid()),
        "since": "2026-01-01T00:00:00+00:00",
        "environment": {
            "CXC_KAFKA_BOOTSTRAP": "127.0.0.1:1",
            "CXC_MONGO_URL": "mongodb://127.0.0.1:1",
            **environment,
        },
        "issuer_key": str(ensure_key(state / "issuer" / "key.pem")),
        "urls": {"issuer": "http://127.0.0.1:8080"},
        "processes": {},
    }
    (state / "run.json").write_text(json.dumps(run))
    return run


# ── called ───────────────────────────────────────────────────────────────────────────────────


def test_help_lists_every_command_and_loads_no_client() -> None:
    seen = "import sys, ops.cli; print([m for m in ('aiokafka', 'pymongo', 'pydantic') if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", seen], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert loaded.stdout.strip() == "[]"
    shown = cli.invoke(app, ["--help"]).output
    for command in ("up", "demo", "status", "publish", "tail", "topics", "dead-letters", "control", "token"):
        assert f" {command} " in shown


WORKING_ON_A_CLUSTER = [
    ["status"],
    ["publish", str(SAMPLE)],
    ["publish", str(SAMPLE), "--follow"],
    ["tail"],
    ["topics", "apply"],
    ["topics", "list"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "funding", "0"],
    ["dead-letters", "replay", "funding", "--all"],
    ["control", "funding", "pause"],
]


@pytest.mark.parametrize("arguments", WORKING_ON_A_CLUSTER, ids=" ".join)
def test_where_nothing_runs_every_command_says_in_one_sentence_what_to_do(arguments: list[str]) -> None:
    result = cli.invoke(app, arguments)
    assert result.exit_code == 1
    assert "start one with 'cxc up', or set CXC_KAFKA_BOOTSTRAP" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", WORKING_ON_A_CLUSTER[1:], ids=" ".join)
def test_a_kafka_that_is_away_is_said_in_one_sentence(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXC_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    result = cli.invoke(app, arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Kafka does not answer at 127.0.0.1:1")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["dead-letters", "replay", "funding"], "one of the three"),
        (["dead-letters", "replay", "funding", "3", "--all"], "one of the three"),
        (["dead-letters", "replay", "funding", "--all", "--reason", "too_large"], "one of the three"),
        (["dead-letters", "show", "nobody", "0"], "nobody"),
        (["control", "funding", "log-level"], "needs a LEVEL"),
        (["control", "funding", "log-level", "loud"], "needs a LEVEL"),
        (["control", "funding", "pause", "info"], "takes no LEVEL"),
        (["token", "king"], "ROLE is one of"),
        (["token", "staff"], "--partnership"),
        (["token", "participant"], "--organisation"),
        (["tail", "--service", "nobody"], "nobody"),
        (["publish"], "FILE"),
        (["nothing-like-it"], "nothing-like-it"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_what_is_wrong(arguments: list[str], why: str) -> None:
    result = cli.invoke(app, arguments)
    assert result.exit_code == 2
    assert why in result.stderr


# ── which cluster ────────────────────────────────────────────────────────────────────────────


def test_the_local_platform_is_found_by_its_record(tmp_path: Path) -> None:
    run = a_running_platform(tmp_path)
    cluster = Cluster.find(tmp_path)
    assert cluster.kafka.bootstrap == "127.0.0.1:1"
    assert cluster.mongo_url == SecretStr("mongodb://127.0.0.1:1")
    assert cluster.run == run


def test_settings_win_over_the_local_platform_and_are_never_mixed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_running_platform(tmp_path)
    monkeypatch.setenv("CXC_KAFKA_BOOTSTRAP", "kafka.example:9092")
    cluster = Cluster.find(tmp_path)
    assert (cluster.kafka.bootstrap, cluster.mongo_url, cluster.run) == ("kafka.example:9092", None, None)
    monkeypatch.delenv("CXC_KAFKA_BOOTSTRAP")
    monkeypatch.setenv("CXC_MONGO_URL", "mongodb://mongo.example")
    with pytest.raises(CommandFailed, match="set both, or neither"):
        Cluster.find(tmp_path)


def test_settings_that_name_the_local_platform_still_show_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_running_platform(tmp_path)
    monkeypatch.setenv("CXC_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert Cluster.find(tmp_path).run == run


def test_a_setting_that_is_not_valid_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXC_KAFKA_BOOTSTRAP", "kafka.example:9092")
    monkeypatch.setenv("CXC_KAFKA_SECURITY_PROTOCOL", "CARRIER_PIGEON")
    with pytest.raises(CommandFailed, match="CXC_KAFKA_SECURITY_PROTOCOL is not valid"):
        Cluster.find(tmp_path)


# ── what is published ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b'{"a": 1}', [{"a": 1}]),
        (b'\xef\xbb\xbf{\n "a": 1\n}\n', [{"a": 1}]),
        (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        (b"[]", []),
        (b'{"a": 1}\n\n{"a": "\xc3\xa9"}\r\n', [{"a": 1}, {"a": "é"}]),
    ],
)
def test_a_file_holds_one_event_a_list_or_one_a_line(content: bytes, read: list[Any]) -> None:
    assert documents(content) == read


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "nothing in it"),
        (b" \n ", "nothing in it"),
        (b'{"a": "\xff"}', "not UTF-8: .* at byte 7"),
        (b'{\n "a": 1,\n oops\n}', "line 3, column 2"),
        (b'{"a": 1}\n{"a": 2}\n{"a"}\n', "line 3, column 5"),
    ],
)
def test_what_is_no_json_is_said_with_its_place(content: bytes, why: str) -> None:
    with pytest.raises(CommandFailed, match=why):
        documents(content)


def test_a_bare_registration_is_wrapped_in_an_event_of_ours_and_passes_the_check() -> None:
    outgoing = as_event(a_submission(), "REG-7")
    event = json.loads(outgoing.value)
    assert (event["source"], event["type"]) == ("/cxc/cli", "cxc.registration.submit.v1")
    assert (event["subject"], event["id"]) == ("REG-7", outgoing.id)
    assert event["data"] == a_submission()
    assert outgoing.key == b"/cxc/cli|REG-7"
    assert problems(outgoing.value) == []


def test_a_bare_registration_without_a_reference_has_its_events_id_as_one() -> None:
    first, second = as_event(a_submission()), as_event(a_submission())
    assert first.subject == first.id
    assert first.key == f"/cxc/cli|{first.id}".encode()
    assert first.key != second.key


def test_a_cloudevent_is_sent_as_it_is_whatever_is_wrong_with_it() -> None:
    event = an_inbox_event({"nonsense": "\ud800 žluťoučký"}, type="cxc.registration.submit.v99")
    outgoing = as_event(event)
    assert json.loads(outgoing.value) == event
    assert outgoing.key == b"/sample/crm|REG-1"
    assert as_event({"specversion": "1.0"}).key is None


def test_every_command_of_the_inbox_about_one_registration_has_the_same_key() -> None:
    keys = {as_event(an_inbox_event({}, type=wire_type)).key for wire_type in INBOX}
    assert keys == {b"/sample/crm|REG-1"}


@pytest.mark.parametrize("document", [1, "text", None, [1]])
def test_what_is_no_object_is_not_sent(document: Any) -> None:
    with pytest.raises(CommandFailed, match="is a JSON object"):
        as_event(document)


def test_a_reference_for_a_cloudevent_is_refused_for_it_has_one() -> None:
    with pytest.raises(typer.BadParameter):
        as_event(an_inbox_event(a_submission()), "REG-7")


def test_a_reference_for_several_registrations_is_refused() -> None:
    two = json.dumps([a_submission(), a_submission()])
    result = cli.invoke(app, ["publish", "-", "--subject", "REG-7", "--print"], input=two)
    assert result.exit_code == 2
    assert "names one registration" in result.stderr


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (an_inbox_event({**a_submission(), "roles": []}), "/roles: "),
        (an_inbox_event(a_submission(), subject=None), "/subject: is missing"),
        (an_inbox_event(a_submission(), type="cxc.match.approved.v1"), "/type: 'cxc.match.approved.v1'"),
        ({"specversion": "1.0", "type": "x"}, "no CloudEvent"),
        (an_inbox_event({**a_submission(), "motivation": "x" * 2**20}), "the limit is 1048576"),
    ],
)
def test_the_check_finds_what_the_platform_would_refuse(event: dict[str, Any], why: str) -> None:
    (found,) = problems(as_event(event).value)
    assert why in found


def test_one_mistake_found_by_the_check_keeps_all_from_being_sent() -> None:
    given = json.dumps([a_submission(), {**a_submission(), "hobby": "sailing"}])
    result = cli.invoke(app, ["publish", "-", "--check"], input=given)
    assert result.exit_code == 1
    assert "Event 2 (" in result.stderr
    assert "/hobby: is not a field" in result.stderr
    assert result.stderr.endswith("Nothing was published.\n")


def test_print_gives_one_event_a_line_as_kcat_takes_them() -> None:
    result = cli.invoke(app, ["publish", str(SAMPLE), "--check", "--print"])
    assert result.exit_code == 0
    (printed,) = result.stdout.splitlines()
    assert json.loads(printed)["data"] == json.loads(SAMPLE.read_text())


def test_a_file_that_cannot_be_read_is_said() -> None:
    result = cli.invoke(app, ["publish", "nowhere.json"])
    assert (result.exit_code, result.stderr) == (
        1,
        "nowhere.json cannot be read: No such file or directory.\n",
    )


# ── what is shown ────────────────────────────────────────────────────────────────────────────


def test_what_a_terminal_could_act_on_is_shown_as_an_escape() -> None:
    # erase line, bell, right-to-left override, C1 control, a byte that is no UTF-8
    assert text_of(b"\x1b[2K\x07") == r"\x1b[2K\x07"
    assert printable("a\u202eb\x9bc\nd", keep="\n") == "a\\u202eb\\x9bc\nd"
    assert text_of(b"caf\xc3\xa9 \xff") == r"café \xff"
    assert text_of(None) == ""


@pytest.mark.parametrize("wire_type", contracts())
def test_every_event_has_a_gist_that_names_no_address(wire_type: str) -> None:
    event = CloudEvent.model_validate_json((EXAMPLES / f"{wire_type}.json").read_bytes())
    said = gist(event)
    assert said
    assert "@" not in said
    assert wire_type.removeprefix("cxc.") in line(a_message(event))


def test_an_event_of_a_later_version_is_shown_without_a_gist() -> None:
    event = an_inbox_event({"new": True}, type="cxc.registration.accepted.v9")
    assert line(a_message(event)) == "2023-11-14 22:13:20  registration.accepted.v9  REG-1"


def test_what_is_no_event_is_shown_harmlessly_with_its_place() -> None:
    shown = line(a_message(b"\x1b]0;title\x07", offset=5))
    assert shown.endswith(r"no CloudEvent  cxc.registration.inbox/0/5  \x1b]0;title\x07")
    assert line(a_message(None)).endswith("no value")


def test_the_feed_as_json_has_place_and_whole_event() -> None:
    event = an_inbox_event(a_submission())
    shown = json.loads(json_line(a_message(event, offset=3, key=b"k")))
    assert (shown["topic"], shown["partition"], shown["offset"]) == ("cxc.registration.inbox", 0, 3)
    assert shown["key"] == "k"
    assert shown["event"] == event
    assert json.loads(json_line(a_message(b"\xff{")))["text"] == r"\xff{"


# ── tokens ───────────────────────────────────────────────────────────────────────────────────


def test_a_token_of_the_embedded_issuer_carries_role_and_partnership(tmp_path: Path) -> None:
    run = a_running_platform(tmp_path)
    given = ["token", "support-office", "--hours", "2", "--state", str(tmp_path)]
    result = cli.invoke(app, given)
    assert result.exit_code == 0
    claims = jwt.decode(
        result.stdout.strip(), options={"verify_signature": False}, audience=AUDIENCE, algorithms=["RS256"]
    )
    assert claims["iss"] == run["urls"]["issuer"]
    assert claims["cxc_role"] == "support_office"
    assert claims["exp"] - claims["iat"] == 7200
    staff = cli.invoke(app, ["token", "staff", "--partnership", "hempclub", "--state", str(tmp_path)])
    claims = jwt.decode(staff.stdout.strip(), options={"verify_signature": False})
    assert (claims["cxc_role"], claims["cxc_partnership"]) == ("staff", "hempclub")
    crm = cli.invoke(app, ["token", "external", "--subject", "/sample/crm", "--state", str(tmp_path)])
    claims = jwt.decode(crm.stdout.strip(), options={"verify_signature": False})
    assert (claims["cxc_role"], claims["sub"]) == ("external", "/sample/crm")


def test_without_the_embedded_issuer_there_is_no_token() -> None:
    result = cli.invoke(app, ["token", "auditor"])
    assert result.exit_code == 1
    assert "OpenID Connect provider" in result.stderr
