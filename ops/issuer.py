"""A small OpenID Connect provider for the embedded platform: whoever signs in chooses whom to be.

A key of its own, JWKS, the authorization code flow with PKCE, and tokens for any role by `cxc token`.
It knows no passwords and sends codes only to this machine; everywhere else the tokens come from the
organisation's own OpenID Connect provider.
`python -m ops.issuer --port 8080 --key var/issuer/key.pem --issuer http://127.0.0.1:8080`
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from ops.issuer_page import SEATS, STYLE, choice_page, message_page
from shared.partnerships import SHIPPED_PARTNERSHIPS, Partnerships

AUDIENCE: Final = "clusterxchange"
_ALGORITHM: Final = "RS256"
_CODE_LIFETIME_S: Final = 60
_REFRESH_LIFETIME_S: Final = 12 * 3600
_S256: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")

Role = Literal["participant", "staff", "support_office", "auditor", "external"]


def ensure_key(path: Path) -> Path:
    """Make the signing key unless it is there; only its owner may read it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pem = generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _keep(path, pem)
    return path


def ensure_secret(path: Path) -> str:
    """A random secret that stays the same; only its owner may read its file."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _keep(path, secrets.token_urlsafe(32).encode())
    return path.read_text(encoding="ascii")


def _keep(path: Path, content: bytes) -> None:
    # Linked into place whole: of two that start at once, the first one's key is everybody's.
    own = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()


def issue_token(
    key_path: Path,
    *,
    issuer: str,
    role: Role,
    partnership: str | None = None,
    organisation: str | None = None,
    subject: str | None = None,
    lifetime_s: int = 3600,
) -> str:
    """A signed JWT that the services accept where they trust `issuer`.

    Staff need a partnership, participants an organisation. Raises FileNotFoundError before the issuer's
    first start.
    """
    key = _key(key_path)
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": subject or f"{role}@{partnership or organisation or 'cxc'}",
        "iat": now,
        "exp": now + lifetime_s,
        "cxc_role": role,
        "cxc_partnership": partnership,
        "cxc_organisation": organisation,
    }
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, key, algorithm=_ALGORITHM, headers={"kid": jwk(key)["kid"]})


def jwk(key: RSAPrivateKey) -> dict[str, Any]:
    """The public half as a JSON Web Key, its id being its thumbprint (RFC 7638)."""
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    named = {name: public[name] for name in ("e", "kty", "n")}
    digest = hashlib.sha256(json.dumps(named, separators=(",", ":")).encode()).digest()
    thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {**named, "kid": thumbprint, "alg": _ALGORITHM, "use": "sig"}


@dataclass(frozen=True)
class Chosen:
    """Whom somebody chose to be."""

    role: Role
    subject: str
    name: str
    partnership: str | None = None
    organisation: str | None = None


@dataclass(frozen=True)
class _Code:
    """What a code that was sent back stands for, once and for a minute."""

    chosen: Chosen
    client: str
    redirect_uri: str
    challenge: str
    nonce: str | None
    until: float


class _Refused(Exception):
    """The client asked for what it cannot have: OAuth's `error` and why."""

    def __init__(self, error: str, why: str) -> None:
        super().__init__(why)
        self.error = error
        self.why = why


class Provider:
    """The authorization code flow with PKCE, for public clients on this machine.

    registrations: where the registration service's API is; the page offers organisations from there.
    """

    def __init__(
        self,
        key_path: Path,
        issuer: str,
        *,
        partnerships: Partnerships,
        registrations: str | None = None,
        lifetime_s: int = 3600,
    ) -> None:
        self._key_path = key_path
        self._key = _key(key_path)
        self._issuer = issuer
        self._partnerships = partnerships
        self._registrations = registrations
        self._lifetime_s = lifetime_s
        self._codes: dict[str, _Code] = {}
        self._configuration = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "end_session_endpoint": f"{issuer}/end-session",
            "jwks_uri": f"{issuer}/jwks.json",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid", "profile", "offline_access"],
            "id_token_signing_alg_values_supported": [_ALGORITHM],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": True,
        }

    def routes(self) -> list[Route]:
        """All it answers to."""
        return [
            Route("/.well-known/openid-configuration", self._openid_configuration),
            Route("/jwks.json", self._jwks),
            Route("/authorize", self._ask, methods=["GET"]),
            Route("/authorize", self._send_back, methods=["POST"]),
            Route("/token", self._token, methods=["POST"]),
            Route("/end-session", self._end_session),
            Route("/style.css", self._style),
        ]

    async def _openid_configuration(self, request: Request) -> Response:
        return JSONResponse(self._configuration)

    async def _jwks(self, request: Request) -> Response:
        return JSONResponse({"keys": [jwk(self._key)]})

    async def _style(self, request: Request) -> Response:
        return Response(STYLE, media_type="text/css")

    # Choosing whom to be

    async def _ask(self, request: Request) -> Response:
        asked = request.query_params
        if (refusal := self._refusal(asked)) is not None:
            return refusal
        page = choice_page(
            action=f"/authorize?{urlencode(list(asked.multi_items()))}",
            partnerships=list(self._partnerships),
            organisations=await self._organisations(),
            asked=asked.get("login_hint", ""),
        )
        return _html(page, leads_to=asked["redirect_uri"])

    async def _send_back(self, request: Request) -> Response:
        asked = request.query_params
        if (refusal := self._refusal(asked)) is not None:
            return refusal
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return _message("Choose here", "Whom you are can only be chosen on this page.", 403)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        try:
            chosen = await self._chosen(form)
        except ValueError as error:
            return _message("That did not work", str(error), 400)
        now = time.time()
        self._codes = {code: kept for code, kept in self._codes.items() if kept.until > now}
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(
            chosen=chosen,
            client=asked["client_id"],
            redirect_uri=asked["redirect_uri"],
            challenge=asked["code_challenge"],
            nonce=asked.get("nonce"),
            until=now + _CODE_LIFETIME_S,
        )
        return self._back(asked, {"code": code})

    def _refusal(self, asked: Mapping[str, str]) -> Response | None:
        """What a request to authorize gets that cannot be met; None for one that can."""
        if not asked.get("client_id") or not _is_of_this_machine(asked.get("redirect_uri", "")):
            why = "This trial sign-in leads back to programs on this machine alone: http://127.0.0.1:…"
            return _message("Nobody to lead back to", why, 400)
        if asked.get("response_type") != "code":
            return self._back(asked, {"error": "unsupported_response_type"})
        if "openid" not in asked.get("scope", "").split():
            return self._back(asked, {"error": "invalid_scope"})
        challenged = asked.get("code_challenge_method") == "S256"
        if not challenged or not _S256.fullmatch(asked.get("code_challenge", "")):
            why = "PKCE with S256 is needed"
            return self._back(asked, {"error": "invalid_request", "error_description": why})
        return None

    def _back(self, asked: Mapping[str, str], answer: dict[str, str]) -> Response:
        answer |= {"iss": self._issuer}
        if "state" in asked:
            answer["state"] = asked["state"]
        uri = asked["redirect_uri"]
        return RedirectResponse(f"{uri}{'&' if '?' in uri else '?'}{urlencode(answer)}", status_code=303)

    async def _chosen(self, form: Mapping[str, str]) -> Chosen:
        match form.get("role"):
            case "participant":
                organisation = _line(form, "organisation", "the organisation")
                words = (await self._organisations()).get(organisation, organisation)
                name = words.rpartition(", ")[0] or words
                return Chosen("participant", f"participant@{organisation}", name, organisation=organisation)
            case "staff":
                partnership = self._partnerships.get(form.get("partnership", ""))
                if partnership is None:
                    raise ValueError("There is no such partnership.")
                seat = form.get("seat", "1")
                if seat not in map(str, SEATS):
                    raise ValueError("There is no such officer.")
                return Chosen("staff", f"officer-{seat}@{partnership.id}",
                              f"Officer {seat}, {partnership.name}", partnership=partnership.id)  # fmt: skip
            case "support_office":
                return Chosen("support_office", "support_office@cxc", "Support office")
            case "auditor":
                return Chosen("auditor", "auditor@cxc", "Auditor")
            case "external":
                system = _line(form, "system", "the system")
                return Chosen("external", system, system)
            case _:
                raise ValueError("Choose whom to sign in as.")

    async def _organisations(self) -> dict[str, str]:
        """Some that systems outside registered, by what their participants' tokens have to say."""
        if self._registrations is None:
            return {}
        token = issue_token(self._key_path, issuer=self._issuer, role="auditor", lifetime_s=60)
        asked = {"limit": 200}
        try:
            async with httpx.AsyncClient(base_url=self._registrations, timeout=2.0) as client:
                answer = await client.get(
                    "/registrations", params=asked, headers={"Authorization": f"Bearer {token}"}
                )
                answer.raise_for_status()
                from_outside = [one for one in answer.json()["items"] if one["reference"] is not None]
                named = [
                    (one["id"], f"{one['organisation']}, {one['city']} ({' and '.join(one['roles'])})")
                    for one in from_outside
                ]
        except (httpx.HTTPError, ValueError, KeyError):
            return {}  # any can be typed
        return dict(sorted(named, key=lambda one: one[1].casefold()))

    # Tokens

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        no_store = {"Cache-Control": "no-store"}
        try:
            match form.get("grant_type"):
                case "authorization_code":
                    answer = self._redeem(form)
                case "refresh_token":
                    answer = self._renew(form)
                case _:
                    raise _Refused("unsupported_grant_type", "neither a code nor a refresh token")
        except _Refused as refused:
            body = {"error": refused.error, "error_description": refused.why}
            return JSONResponse(body, status_code=400, headers=no_store)
        return JSONResponse(answer, headers=no_store)

    def _redeem(self, form: Mapping[str, str]) -> dict[str, Any]:
        kept = self._codes.pop(form.get("code", ""), None)
        if kept is None or kept.until < time.time():
            raise _Refused("invalid_grant", "the code is not known, was used, or is older than a minute")
        if (form.get("client_id"), form.get("redirect_uri")) != (kept.client, kept.redirect_uri):
            raise _Refused("invalid_grant", "the code was given to another client, or for another address")
        verifier = form.get("code_verifier", "")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(_s256(verifier), kept.challenge):
            raise _Refused("invalid_grant", "the code verifier is not the challenge's")
        return self._tokens(kept.chosen, kept.client, kept.nonce)

    def _renew(self, form: Mapping[str, str]) -> dict[str, Any]:
        try:
            claims = jwt.decode(
                form.get("refresh_token", ""),
                self._key.public_key(),
                algorithms=[_ALGORITHM],
                audience=f"{self._issuer}/token",
                issuer=self._issuer,
            )
        except jwt.PyJWTError:
            raise _Refused("invalid_grant", "the refresh token does not hold, or is over") from None
        if form.get("client_id") != claims["client"]:
            raise _Refused("invalid_grant", "the refresh token was given to another client")
        return self._tokens(Chosen(**claims["chosen"]), claims["client"], None)

    def _tokens(self, chosen: Chosen, client: str, nonce: str | None) -> dict[str, Any]:
        access_token = issue_token(
            self._key_path,
            issuer=self._issuer,
            role=chosen.role,
            partnership=chosen.partnership,
            organisation=chosen.organisation,
            subject=chosen.subject,
            lifetime_s=self._lifetime_s,
        )
        who = {"sub": chosen.subject, "name": chosen.name}
        id_token = self._signed({**who, "aud": client, "nonce": nonce}, self._lifetime_s)
        renewal = {"aud": f"{self._issuer}/token", "client": client, "chosen": vars(chosen)}
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self._lifetime_s,
            "id_token": id_token,
            "refresh_token": self._signed(renewal, _REFRESH_LIFETIME_S),
            "scope": "openid profile",
        }

    def _signed(self, claims: Mapping[str, Any], lifetime_s: int) -> str:
        now = int(time.time())
        whole = {"iss": self._issuer, "iat": now, "exp": now + lifetime_s, "jti": uuid.uuid4().hex, **claims}
        present = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(present, self._key, algorithm=_ALGORITHM, headers={"kid": jwk(self._key)["kid"]})

    # Signing out

    async def _end_session(self, request: Request) -> Response:
        """Nobody stays signed in here, so there is nothing to end: it only leads back."""
        leads_to = request.query_params.get("post_logout_redirect_uri", "")
        if not _is_of_this_machine(leads_to):
            return _message("You are signed out", "You can close this page.", 200)
        state = request.query_params.get("state")
        with_state = f"{leads_to}{'&' if '?' in leads_to else '?'}{urlencode({'state': state})}"
        return RedirectResponse(with_state if state else leads_to, status_code=303)


def web_app(
    key_path: Path,
    issuer: str,
    *,
    partnerships: Path = SHIPPED_PARTNERSHIPS,
    registrations: str | None = None,
    lifetime_s: int = 3600,
) -> Starlette:
    """What services, the console and its users ask an OpenID Connect provider for."""
    provider = Provider(
        key_path,
        issuer,
        partnerships=Partnerships.load(partnerships),
        registrations=registrations,
        lifetime_s=lifetime_s,
    )
    return Starlette(routes=provider.routes())


def _is_of_this_machine(uri: str) -> bool:
    """Whether an address is a program's on this machine (RFC 8252, loopback redirection), on any port."""
    try:
        parts = urlsplit(uri)
        return (
            parts.scheme == "http"
            and parts.hostname in ("127.0.0.1", "localhost", "::1")
            and parts.username is None
            and parts.port != 0
            and not parts.fragment
            and re.fullmatch(r"[!-~]+", uri) is not None
        )
    except ValueError:
        return False


def _line(form: Mapping[str, str], name: str, what: str) -> str:
    given = form.get(name, "").strip()
    if not 0 < len(given) <= 100 or not given.isprintable():
        raise ValueError(f"Give the name of {what} in one line of at most 100 characters.")
    return given


def _s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _message(title: str, text: str, status: int) -> Response:
    return _html(message_page(title, text), status=status)


def _html(page: str, *, status: int = 200, leads_to: str | None = None) -> Response:
    parts = urlsplit(leads_to or "")
    # Browsers hold what a form's answer leads to against the page of the form.
    form_action = f"'self' {parts.scheme}://{parts.netloc}" if leads_to else "'none'"
    return HTMLResponse(
        page,
        status_code=status,
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
            f"frame-ancestors 'none'; form-action {form_action}",
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _key(path: Path) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(f"{path} is not an RSA key")
    return key


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--issuer", required=True, help="the `iss` of the tokens, an URL")
    parser.add_argument("--partnerships", type=Path, default=SHIPPED_PARTNERSHIPS)
    parser.add_argument("--registrations", help="the registration service's API, to offer organisations from")
    parser.add_argument("--lifetime", type=int, default=3600, help="of a token, in seconds")
    given = parser.parse_args()
    app = web_app(
        ensure_key(given.key),
        given.issuer,
        partnerships=given.partnerships,
        registrations=given.registrations,
        lifetime_s=given.lifetime,
    )
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
