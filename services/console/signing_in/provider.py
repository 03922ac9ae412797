"""The OpenID Connect provider people sign in at: the authorization code flow with PKCE, by Authlib."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError

from services.console.settings import ConsoleSettings
from shared.errors import CxcError

_BACK_CHANNEL: Final = ("token_endpoint", "jwks_uri")
"""What the console itself asks; the browser is led to the others."""


class ProviderAway(CxcError):
    """The provider does not answer, or not as it should."""

    code = "provider-away"
    status = 503
    title = "Signing in is not possible at the moment"


class ProviderRefused(CxcError):
    """The provider, or what it answered, does not let this person in."""

    code = "sign-in-refused"
    status = 403
    title = "You were not signed in"


@dataclass(frozen=True)
class Start:
    """Where to lead somebody who wants to sign in, and what has to fit when they come back."""

    url: str
    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True)
class Tokens:
    """What the provider gave for one person."""

    access: str = field(repr=False)
    name: str
    """What to call them; empty where the provider does not say."""
    refresh: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)
    """The ID token, which ends the provider's own session at sign-out."""


class Provider:
    """The provider, known by its discovery document; asked for that when it is first needed."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._issuer = settings.issuer
        self._reached_at = settings.oidc_url or settings.issuer.rstrip("/")
        self._redirect_uri = f"{settings.public_url}/signed-in"
        self._signed_out_uri = f"{settings.public_url}/signed-out"
        self._client_id = settings.oidc_client_id
        secret = settings.oidc_client_secret
        self._app: Any = OAuth().register(
            "provider",
            client_id=settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            server_metadata_url=f"{self._reached_at}/.well-known/openid-configuration",
            client_kwargs={
                "scope": settings.oidc_scope,
                "code_challenge_method": "S256",
                "timeout": settings.api_timeout_s,
            },
        )

    async def start(self, **hints: str) -> Start:
        """Begin to sign somebody in; `hints` go to the provider. Raises `ProviderAway`."""
        await self._discover()
        begun = await self._app.create_authorization_url(self._redirect_uri, **hints)
        return Start(begun["url"], begun["state"], begun["nonce"], begun["code_verifier"])

    async def finish(self, code: str, *, nonce: str, code_verifier: str) -> Tokens:
        """What the provider gives for the code it sent back; raises `ProviderAway` and `ProviderRefused`."""
        await self._discover()
        given = await self._asked_for_tokens(
            code=code, code_verifier=code_verifier, redirect_uri=self._redirect_uri
        )
        if "id_token" not in given:
            raise ProviderRefused("The sign-in service did not say who you are.")
        try:
            who = await self._app.parse_id_token(given, nonce=nonce)
        except (httpx2.HTTPError, json.JSONDecodeError) as error:
            raise _away(self._reached_at) from error
        except (AuthlibBaseError, JoseError, ValueError) as error:
            raise ProviderRefused(
                "What the sign-in service said about you does not fit this attempt; start once more."
            ) from error
        return _tokens(given, name=str(who.get("name") or ""))

    async def renew(self, tokens: Tokens) -> Tokens:
        """New tokens for a refresh token; raises `ProviderAway` and `ProviderRefused`."""
        await self._discover()
        given = await self._asked_for_tokens(grant_type="refresh_token", refresh_token=tokens.refresh)
        return _tokens(
            {"refresh_token": tokens.refresh, "id_token": tokens.identity, **given}, name=tokens.name
        )

    async def leave(self, tokens: Tokens | None) -> str | None:
        """Where the provider ends its own session; None where it has no such place, or is away."""
        try:
            await self._discover()
        except ProviderAway:
            return None
        if "end_session_endpoint" not in self._app.server_metadata:
            return None
        leaving = await self._app.create_logout_url(
            post_logout_redirect_uri=self._signed_out_uri,
            id_token_hint=tokens.identity if tokens else None,
            client_id=self._client_id,
        )
        return str(leaving["url"])

    def is_this(self, issuer: str | None) -> bool:
        """Whether an answer comes from this provider, as far as it says so (RFC 9207)."""
        return issuer in (None, self._issuer)

    async def _discover(self) -> None:
        known: dict[str, Any] = self._app.server_metadata
        if "_loaded_at" in known:
            return
        try:
            await self._app.load_server_metadata()
        except (httpx2.HTTPError, ValueError, TypeError) as error:
            raise _away(self._reached_at) from error
        if known.get("issuer") != self._issuer or "authorization_endpoint" not in known:
            another = known.get("issuer")
            known.clear()
            raise ProviderAway(
                f"The sign-in service at {self._reached_at} calls itself '{another}', and not "
                f"'{self._issuer}'. Those who run the platform can correct CXC_OIDC_URL or CXC_ISSUER."
            )
        for endpoint in _BACK_CHANNEL:
            at_issuer = str(known.get(endpoint, ""))
            if at_issuer.startswith(self._issuer.rstrip("/") + "/"):
                known[endpoint] = self._reached_at + at_issuer.removeprefix(self._issuer.rstrip("/"))

    async def _asked_for_tokens(self, **asked: str) -> dict[str, Any]:
        try:
            given: dict[str, Any] = await self._app.fetch_access_token(**asked)
        except (httpx2.HTTPError, json.JSONDecodeError) as error:
            raise _away(self._reached_at) from error
        except AuthlibBaseError as error:
            raise ProviderRefused(
                f"The sign-in service refused: {error.description or error.error}."
            ) from error
        if not isinstance(given.get("access_token"), str):
            raise ProviderRefused("The sign-in service gave no access token.")
        return given


def _tokens(given: dict[str, Any], name: str) -> Tokens:
    return Tokens(
        access=given["access_token"],
        name=name,
        refresh=given.get("refresh_token") or "",
        identity=given.get("id_token") or "",
    )


def _away(where: str) -> ProviderAway:
    return ProviderAway(f"The sign-in service at {where} does not answer. Try again in a moment.")
