"""`cxc group-events plan`, and the sample it reads."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.commands import CommandFailed
from ops.commands.group_events import SAMPLE_EVENTS, group_events_in
from services.matching.domain.gathering import Programme
from services.matching.routes.group_events import GroupEventSent
from shared.contracts.common import Place
from shared.contracts.registration import Submission, id_from_outside

cli = CliRunner()
HOSTS = SAMPLE_EVENTS.with_name("group-event-hosts.json")
ITALY = Place(country="IT", city="Milan")


def sample() -> list[Programme]:
    return [GroupEventSent.model_validate(body).programme() for body in group_events_in(SAMPLE_EVENTS).bodies]


def test_the_sample_has_the_two_events_of_hempclub_and_each_is_a_stay_a_visitor_can_be_paid_for() -> None:
    found = [(event.title, str(event.days.first_day), str(event.days.last_day)) for event in sample()]
    assert found == [
        ("Canapa Forum – Business Exchange", "2022-09-05", "2022-09-10"),
        ("Bioeconomy Business Exchange", "2023-02-14", "2023-02-16"),
    ]
    for event in sample():
        event.require_sound(ITALY)


def test_the_sample_s_hosts_are_registrations_that_are_shipped_with_it() -> None:
    hosts = json.loads(HOSTS.read_text(encoding="utf-8"))
    for host in hosts:
        Submission.model_validate(host["data"])
    ids = [id_from_outside(host["source"], host["subject"]) for host in hosts]
    assert ids == [body["host_registration_id"] for body in group_events_in(SAMPLE_EVENTS).bodies]


def answering(monkeypatch: pytest.MonkeyPatch, *, status: int = 201) -> list[httpx.Request]:
    """Every request is answered alike; returns what is asked."""
    asked: list[httpx.Request] = []
    client = httpx.Client

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        body = {"id": "ge-1", "state": "open" if request.url.path.endswith("/open") else "planned"}
        return httpx.Response(status, json=body if status < 400 else {"detail": "There is no such host."})

    monkeypatch.setattr(
        "httpx.Client", lambda **given: client(transport=httpx.MockTransport(answer), **given)
    )
    return asked


def test_each_is_planned_at_the_host_that_is_named_and_opened_if_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = answering(monkeypatch)
    given = ["group-events", "plan", "--host", "h-1", "--open", "--api", "https://m.example", "--token", "t"]
    result = cli.invoke(app, given)
    assert result.exit_code == 0, result.output
    assert [request.url.path for request in asked] == ["/group-events", "/group-events/ge-1/open"] * 2
    sent = GroupEventSent.model_validate_json(asked[0].content)
    assert (sent.host_registration_id, str(sent.first_day)) == ("h-1", "2022-09-05")
    assert "Bioeconomy Business Exchange: open, as group event ge-1" in result.output


def test_what_is_refused_is_said_and_the_others_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, status=404)
    result = cli.invoke(app, ["group-events", "plan", "--api", "https://m.example", "--token", "t"])
    assert (result.exit_code, len(asked)) == (1, 2)
    assert result.output.count("There is no such host.") == 2


@pytest.mark.parametrize(
    "content", ["[]", "partnership: hempclub", "group_events: 7\npartnership: a", ": : :"]
)
def test_a_file_that_is_none_of_group_events_is_told_so(tmp_path: Path, content: str) -> None:
    file = tmp_path / "events.yaml"
    file.write_text(content)
    with pytest.raises(CommandFailed, match="group_events"):
        group_events_in(file)
