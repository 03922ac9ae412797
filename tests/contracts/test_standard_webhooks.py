"""Signatures of webhooks, against the JavaScript library of Standard Webhooks, in both directions."""

from __future__ import annotations

import base64
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from services.notifications.webhooks.signatures import new_secret, signed_headers
from shared.contracts.envelope import now
from shared.contracts.examples import golden_examples
from tests.node import environment, node, node_modules

FOLDER = Path(__file__).parent / "standard_webhooks"
BODIES = [
    *(orjson.dumps(event) for event in golden_examples().values()),
    '{"a": "ü–€ 🌱\\n"}'.encode(),
    b"{}",
]


def library(*asked: dict[str, Any]) -> list[dict[str, Any]]:
    """What the library says to each of these."""
    done = subprocess.run(
        [str(node() / "node"), str(FOLDER / "webhooks.js")],
        input=b"\n".join(orjson.dumps(one) for one in asked),
        env={**environment(), "NODE_PATH": str(node_modules(FOLDER / "package.json"))},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def to_verify(secret: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    return {"secret": secret, "body": body.decode(), "headers": headers}


def test_the_library_verifies_what_is_signed_here() -> None:
    secret = new_secret()
    asked = [
        to_verify(secret, body, signed_headers(f"id-{number}", now(), body, [secret]))
        for number, body in enumerate(BODIES)
    ]
    assert [said["verified"] for said in library(*asked)] == [orjson.loads(body) for body in BODIES]


def test_the_library_signs_the_same() -> None:
    secret, at = new_secret(), now().replace(microsecond=0)
    asked = [
        {"secret": secret, "body": body.decode(), "sign": {"id": f"id-{number}", "at": int(at.timestamp())}}
        for number, body in enumerate(BODIES)
    ]
    ours = [
        signed_headers(f"id-{number}", at, body, [secret])["webhook-signature"]
        for number, body in enumerate(BODIES)
    ]
    assert [said["signature"] for said in library(*asked)] == ours


def test_while_a_secret_is_changed_over_both_verify_and_no_third() -> None:
    old, new, third = new_secret(), new_secret(), new_secret()
    headers = signed_headers("id-1", now(), b"{}", [new, old])
    said = library(*(to_verify(secret, b"{}", headers) for secret in (old, new, third)))
    assert ["verified" in one for one in said] == [True, True, False]


def test_the_library_refuses_what_was_changed_or_is_old() -> None:
    secret = new_secret()
    headers = signed_headers("id-1", now(), b"{}", [secret])
    late = signed_headers("id-1", now() - timedelta(minutes=6), b"{}", [secret])
    said = library(
        to_verify(secret, b'{"more": 1}', headers),
        to_verify(secret, b"{}", {**headers, "webhook-id": "id-2"}),
        to_verify(secret, b"{}", {**headers, "webhook-timestamp": str(int(now().timestamp()) - 60)}),
        to_verify(secret, b"{}", late),
    )
    assert all("refused" in one for one in said)


def test_a_secret_is_as_long_as_the_specification_asks_for_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(20)}
    assert len(secrets) == 20
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
