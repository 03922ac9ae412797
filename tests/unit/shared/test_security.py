"""Callers and their claims, and how often the issuer is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from ops.issuer import jwk
from shared.errors import Forbidden, Unauthenticated
from shared.security import Caller, CallerRole, KeysUnavailable, TokenVerifier, caller_of

STAFF = Caller("s", CallerRole.STAFF, partnership="hempclub")
PARTICIPANT = Caller("p", CallerRole.PARTICIPANT, organisation="tagus-fibre")
AUDITOR = Caller("a", CallerRole.AUDITOR)
KEY = generate_private_key(public_exponent=65537, key_size=2048)
KEYS = {"keys": [jwk(KEY)]}


def test_staff_are_staff_of_their_own_partnership_alone() -> None:
    assert STAFF.is_staff_of("woolclub", "hempclub")
    assert not STAFF.is_staff_of("woolclub", None)
    assert not Caller("s", CallerRole.STAFF).is_staff_of(None)
    assert not Caller("p", CallerRole.PARTICIPANT, partnership="hempclub").is_staff_of("hempclub")
    with pytest.raises(Forbidden, match="Only staff of hempclub or woolclub"):
        AUDITOR.require_staff_of("woolclub", None, "hempclub")
    with pytest.raises(Forbidden, match="the partnership in charge"):
        STAFF.require_staff_of(None)


def test_a_participant_acts_for_its_own_organisation_alone() -> None:
    assert PARTICIPANT.acts_for("tagus-fibre")
    assert not PARTICIPANT.acts_for("another")
    assert not Caller("s", CallerRole.STAFF, organisation="tagus-fibre").acts_for("tagus-fibre")
    with pytest.raises(Forbidden, match="Only the organisation itself"):
        STAFF.require_acts_for("tagus-fibre")


@pytest.mark.parametrize("role", CallerRole)
def test_the_support_office_and_auditors_see_everything(role: CallerRole) -> None:
    assert Caller("c", role).sees_everything is (role in (CallerRole.SUPPORT_OFFICE, CallerRole.AUDITOR))


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({}, "cxc_role must be one of participant, staff, support_office, auditor, external"),
        ({"cxc_role": "root"}, "it is 'root'"),
        ({"cxc_role": "staff"}, "must name its cxc_partnership"),
        ({"cxc_role": "staff", "cxc_partnership": ""}, "must name its cxc_partnership"),
        ({"cxc_role": "participant", "cxc_partnership": "hempclub"}, "must name its cxc_organisation"),
        ({"cxc_role": "auditor", "cxc_organisation": ["x"]}, "cxc_organisation must be text"),
    ],
)
def test_claims_that_make_no_caller_are_refused(claims: dict[str, Any], says: str) -> None:
    with pytest.raises(Unauthenticated, match=says):
        caller_of({"sub": "x", **claims})


@asynccontextmanager
async def an_issuer(answer: Any) -> AsyncIterator[tuple[TokenVerifier, list[int]]]:
    """A verifier, and a count of how often it asked for the keys."""
    asked: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.append(1)
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield (
            TokenVerifier(issuer="https://i.example", jwks_url=f"http://127.0.0.1:{port}/", audience="cxc"),
            asked,
        )


def a_token(kid: str | None = None) -> str:
    claims = {
        "iss": "https://i.example",
        "aud": "cxc",
        "sub": "x",
        "iat": 1_700_000_000,
        "exp": 4_000_000_000,
        "cxc_role": "auditor",
    }
    return jwt.encode(claims, KEY, "RS256", headers={"kid": kid or jwk(KEY)["kid"]})


async def test_many_who_come_at_once_cost_the_issuer_one_question() -> None:
    async with an_issuer(KEYS) as (verifier, asked):
        callers = await asyncio.gather(*(verifier.verify(a_token()) for _ in range(20)))
        assert {caller.role for caller in callers} == {CallerRole.AUDITOR}
        assert len(asked) == 1


async def test_tokens_of_unknown_keys_cannot_be_used_to_flood_the_issuer() -> None:
    async with an_issuer(KEYS) as (verifier, asked):
        await verifier.verify(a_token())
        for _ in range(20):
            with pytest.raises(Unauthenticated, match="does not publish"):
                await verifier.verify(a_token("unknown"))
        assert len(asked) == 1  # it was asked a moment ago


@pytest.mark.parametrize("answer", [[], {}, {"keys": []}, {"keys": "none"}, "x", {"keys": [{"kty": "oct"}]}])
async def test_an_answer_that_holds_no_keys_is_an_issuer_that_is_away(answer: Any) -> None:
    async with an_issuer(answer) as (verifier, _):
        with pytest.raises(KeysUnavailable, match="cannot be read"):
            await verifier.verify(a_token())
