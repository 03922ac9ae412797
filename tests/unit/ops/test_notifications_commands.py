"""`cxc notifications`: what is asked of the API, and how its answer is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from ops.cli import app

cli = CliRunner()
OPEN = {"held": False, "since": None, "by": None, "reason": None, "waiting": 0, "oldest": None}
HELD = {
    **OPEN,
    "held": True,
    "since": "2023-01-27T07:10:00Z",
    "by": "support-office",
    "reason": "The mail server moves.",
    "waiting": 1234,
    "oldest": "2023-01-27T07:11:00Z",
}


def answering(monkeypatch: pytest.MonkeyPatch, body: Any, status: int = 200) -> list[httpx.Request]:
    """Every request is answered alike; returns what is asked."""
    asked: list[httpx.Request] = []
    client = httpx.Client

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, json=body)

    monkeypatch.setattr(
        "httpx.Client", lambda **given: client(transport=httpx.MockTransport(answer), **given)
    )
    return asked


def call(*arguments: str, **given: Any) -> Any:
    where = ["--api", "https://api.example/", "--token", "a-token"]
    return cli.invoke(app, ["notifications", *arguments, *where], env={"COLUMNS": "200"}, **given)


def test_everything_is_held_and_one_channel_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    channels = [{"channel": "email", **HELD}, {"channel": "chat", **OPEN}]
    asked = answering(monkeypatch, {"channels": channels})
    held = call("hold", "--reason", "The mail server moves.")
    assert held.exit_code == 0, held.output
    assert "held" in held.output
    assert "1,234" in held.output
    assert "The mail server moves." in held.output
    call("release", "--channel", "email")
    call("status")
    assert [(one.method, one.url.path) for one in asked] == [
        ("PUT", "/outgoing"),
        ("PUT", "/outgoing"),
        ("GET", "/outgoing"),
    ]
    assert [json.loads(one.content) for one in asked[:2]] == [
        {"held": True, "reason": "The mail server moves."},
        {"held": False, "reason": "Released.", "channels": ["email"]},
    ]
    assert {one.headers["authorization"] for one in asked} == {"Bearer a-token"}


def test_a_mail_that_came_back_is_handed_over_as_it_came(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = answering(monkeypatch, {"outcome": "suppressed"})
    raw = b"From: MAILER-DAEMON\r\n\r\n\xff as it came"
    (tmp_path / "mail").write_bytes(raw)
    for file, stdin in ((str(tmp_path / "mail"), b""), ("-", raw)):
        said = call("bounces", file, input=stdin)
        assert said.output == "Nothing more is sent to its address; staff were told.\n"
    assert [one.content for one in asked] == [raw, raw]
    assert asked[0].headers["content-type"] == "message/rfc822"


def test_a_refusal_is_said_in_the_api_s_words(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"detail": "Only the support office holds what goes out and lets it go."}, 403)
    refused = call("hold", "--reason", "Why not")
    assert refused.exit_code == 1
    assert refused.stderr == "Only the support office holds what goes out and lets it go.\n"


def test_without_a_platform_it_says_what_to_name(tmp_path: Path) -> None:
    said = cli.invoke(app, ["notifications", "status", "--state", str(tmp_path)])
    assert said.exit_code == 1
    assert "name the notifications API of another one with --api" in said.stderr
