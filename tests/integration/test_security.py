"""Who is let in: tokens of a real issuer's process, over HTTP, in RFC 9457 words."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ops.issuer import ensure_key, jwk
from tests.integration.apis import STAFF, Api, As, Issuer, problem, running_api

pytestmark = pytest.mark.integration

PATH = "/registrations"
Claims = dict[str, Any]


@pytest.fixture
async def api(mongo_url: str, own_issuer: Issuer, database: str) -> AsyncIterator[Api]:
    """The registration API with an issuer of its own that has not been started."""
    async with running_api("registration", mongo_url, own_issuer, database) as running:
        yield running


def private_key(path: Path) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


def claims_of(issuer: Issuer, **changes: Any) -> Claims:
    """The claims of HempClub's staff; None removes one."""
    now = int(time.time())
    claims = {
        "iss": issuer.url,
        "aud": "clusterxchange",
        "sub": "officer-1",
        "iat": now,
        "exp": now + 600,
        "cxc_role": "staff",
        "cxc_partnership": "hempclub",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def signed(issuer: Issuer, headers: Claims | None = None, **changes: Any) -> str:
    key = private_key(issuer.key)
    return jwt.encode(
        claims_of(issuer, **changes),
        key,
        algorithm="RS256",
        headers={"kid": jwk(key)["kid"], **(headers or {})},
    )


def _part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


async def knock(api: Api, token: str) -> httpx.Response:
    return await api.http.get(PATH, headers={"Authorization": f"Bearer {token}"})


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.1)


async def test_a_token_of_the_issuer_opens_the_door(registration: Api, issuer: Issuer) -> None:
    assert (await knock(registration, signed(issuer))).status_code == 200
    assert (await knock(registration, signed(issuer, aud=["other", "clusterxchange"]))).status_code == 200


NOW = int(time.time())
DOES_NOT_HOLD: list[tuple[str, Claims, str]] = [
    ("expired", {"iat": NOW - 7200, "exp": NOW - 3600}, "has expired"),
    ("not valid yet", {"nbf": NOW + 3600}, "not yet valid"),
    ("issued in the future", {"iat": NOW + 3600, "exp": NOW + 7200}, "not yet valid"),
    ("for another audience", {"aud": "another-platform"}, "Audience"),
    ("of another issuer", {"iss": "https://another-issuer.example"}, "issuer"),
    *((f"without {name}", {name: None}, f'"{name}"') for name in ("exp", "iat", "sub", "iss", "aud")),
    ("without a role", {"cxc_role": None}, "cxc_role must be one of participant, staff"),
    ("with an unknown role", {"cxc_role": "admin"}, "it is 'admin'"),
    ("with several roles", {"cxc_role": ["staff", "auditor"]}, "cxc_role must be one of"),
    ("of staff of no partnership", {"cxc_partnership": None}, "must name its cxc_partnership"),
    ("of a participant of no organisation", {"cxc_role": "participant"}, "must name its cxc_organisation"),
    ("with a query for a partnership", {"cxc_partnership": {"$ne": ""}}, "cxc_partnership must be text"),
    ("with a number for a subject", {"sub": 7}, "Subject"),
]


@pytest.mark.parametrize(("changes", "says"), [row[1:] for row in DOES_NOT_HOLD],
                         ids=[row[0] for row in DOES_NOT_HOLD])  # fmt: skip
async def test_a_token_that_does_not_hold_says_why(
    registration: Api, issuer: Issuer, changes: Claims, says: str
) -> None:
    answer = await knock(registration, signed(issuer, **changes))
    assert says in problem(answer, 401, "unauthenticated")["detail"]
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_forged_signatures_do_not_open_the_door(
    registration: Api, issuer: Issuer, tmp_path: Path
) -> None:
    claims = claims_of(issuer)
    own, foreign = private_key(issuer.key), private_key(ensure_key(tmp_path / "foreign.pem"))
    kid = jwk(own)["kid"]
    public_pem = own.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def confused(secret: bytes) -> str:
        """Signed by HMAC with what everybody knows."""
        message = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{_part(claims)}"
        mac = hmac.new(secret, message.encode(), hashlib.sha256).digest()
        return f"{message}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    header, payload, signature = signed(issuer).split(".")
    auditor = _part({**claims, "cxc_role": "auditor"})
    forged = {
        "another key under the right id": jwt.encode(claims, foreign, "RS256", headers={"kid": kid}),
        "another key that says so": jwt.encode(
            claims, foreign, "RS256", headers={"kid": jwk(foreign)["kid"]}
        ),
        "another key brought along": jwt.encode(
            claims, foreign, "RS256", headers={"kid": kid, "jwk": jwk(foreign), "jku": "https://x.example/k"}
        ),
        "another key without an id": jwt.encode(claims, foreign, "RS256"),
        "no signature at all": f"{_part({'alg': 'none', 'kid': kid})}.{_part(claims)}.",
        "none in capitals": f"{_part({'alg': 'NONE', 'kid': kid})}.{_part(claims)}.",
        "the public key as a secret": confused(public_pem),
        "the published key as a secret": confused(json.dumps(jwk(own)).encode()),
        "an algorithm of another family": jwt.encode(claims, own, "RS512", headers={"kid": kid}),
        "other claims under the signature": f"{header}.{auditor}.{signature}",
        "the signature cut off": f"{header}.{payload}.",
    }
    for how, token in forged.items():
        answer = await knock(registration, token)
        assert answer.status_code == 401, how
        problem(answer, 401, "unauthenticated")


GARBAGE = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer garbage",
    "Bearer a.b.c",
    "Bearer ...",
    "Bearer é.é.é",
    "Basic c3RhZmY6c2VjcmV0",
    f"Bearer {_part([])}.{_part({})}.x",
    f"Bearer {_part({'alg': 'RS256', 'kid': 7})}.{_part({})}.x",
    f"Bearer {base64.urlsafe_b64encode(b'[' * 20_000).decode()}.e30.x",
]


@pytest.mark.parametrize("header", GARBAGE, ids=[header[:20] or "empty" for header in GARBAGE])
async def test_whatever_else_is_sent_as_a_token_is_refused_in_the_same_words(
    registration: Api, header: str
) -> None:
    answer = await registration.http.get(PATH, headers=[(b"authorization", header.encode())])
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_without_a_token_only_health_and_what_public_pages_ask_is_open(
    registration: Api, matching: Api, funding: Api, notifications: Api
) -> None:
    open_paths = {"/live", "/ready", "/metrics", "/schemas/{type}.json", "/partnerships/{id}/progress"}
    # Whoever has the link, which is secret, need not be registered yet.
    open_paths |= {"/invitations/{token}", "/unsubscribe/{token}"}
    # What the public pages ask: it stores nothing, and says nothing of anybody.
    open_paths |= {"/eligibility/preview", "/lump-sums/preview"}
    open_to_read = {"/group-events", "/group-events/{id}"}
    for api in (registration, matching, funding, notifications):
        for path, operations in api.app.openapi()["paths"].items():
            for method in operations:
                answer = await api.call(
                    method.upper(), path.replace("{id}", "x").replace("{token}", "x" * 43), None
                )
                if path in open_paths or (method == "get" and path in open_to_read):
                    assert answer.status_code in (200, 404, 422), path
                else:
                    problem(answer, 401, "unauthenticated")


async def test_a_new_key_of_the_issuer_is_picked_up(api: Api, own_issuer: Issuer) -> None:
    await asyncio.to_thread(own_issuer.start)
    before = own_issuer.token(STAFF)
    assert (await knock(api, before)).status_code == 200
    await asyncio.to_thread(own_issuer.stop)
    own_issuer.key.unlink()
    await asyncio.to_thread(own_issuer.start)
    after = own_issuer.token(STAFF)

    async def let_in() -> bool:
        return (await knock(api, after)).status_code == 200

    await until(let_in)
    assert "does not publish" in problem(await knock(api, before), 401, "unauthenticated")["detail"]


async def test_while_the_issuer_is_away_known_keys_still_open_the_door(api: Api, own_issuer: Issuer) -> None:
    ensure_key(own_issuer.key)
    answer = await knock(api, own_issuer.token(STAFF))
    assert own_issuer.jwks_url in problem(answer, 503, "keys-unavailable")["detail"]
    assert "www-authenticate" not in answer.headers  # the token may well be good

    await asyncio.to_thread(own_issuer.start)
    assert (await knock(api, own_issuer.token(STAFF))).status_code == 200
    await asyncio.to_thread(own_issuer.stop)
    assert (await knock(api, own_issuer.token(As("auditor")))).status_code == 200
    unknown = jwt.encode(claims_of(own_issuer), private_key(own_issuer.key), "RS256", headers={"kid": "new"})
    problem(await knock(api, unknown), 401, "unauthenticated")
