"""Who calls: bearer tokens of any OpenID Connect issuer, verified with its published keys."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx
import jwt
import structlog
from jwt import PyJWKSet

from shared.errors import CxcError, Forbidden, Unauthenticated

_log = structlog.get_logger(__name__)


class CallerRole(StrEnum):
    """What the token's `cxc_role` may say."""

    PARTICIPANT = "participant"
    STAFF = "staff"
    SUPPORT_OFFICE = "support_office"
    AUDITOR = "auditor"
    EXTERNAL = "external"


@dataclass(frozen=True)
class Caller:
    """Who makes a request, as the token says."""

    subject: str
    role: CallerRole
    partnership: str | None = None
    organisation: str | None = None
    until: float | None = field(default=None, compare=False)
    """When the token expires, in seconds since 1970."""

    @property
    def sees_everything(self) -> bool:
        """The support office and auditors read all cases; they decide none."""
        return self.role in (CallerRole.SUPPORT_OFFICE, CallerRole.AUDITOR)

    def is_staff_of(self, *partnerships: str | None) -> bool:
        """Whether the caller works for one of these partnerships."""
        return (
            self.role is CallerRole.STAFF
            and self.partnership is not None
            and self.partnership in partnerships
        )

    def acts_for(self, owner: str) -> bool:
        """Whether the caller is a participant of the organisation that owns a case."""
        return self.role is CallerRole.PARTICIPANT and self.organisation == owner

    def require_staff_of(self, *partnerships: str | None) -> None:
        """Raises `Forbidden` unless the caller works for one of these partnerships."""
        if not self.is_staff_of(*partnerships):
            named = " or ".join(sorted({partnership for partnership in partnerships if partnership}))
            raise Forbidden(f"Only staff of {named or 'the partnership in charge'} can do this.")

    def require_acts_for(self, owner: str) -> None:
        """Raises `Forbidden` unless the caller is a participant of the owning organisation."""
        if not self.acts_for(owner):
            raise Forbidden("Only the organisation itself can do this.")


class KeysUnavailable(CxcError):
    """The issuer's keys could not be fetched; nobody can be let in before they are."""

    code = "keys-unavailable"
    status = 503
    title = "Tokens cannot be verified at the moment"


class TokenVerifier:
    """Verifies tokens with the issuer's keys, fetched when first needed and when an unknown key turns up."""

    REFETCH_AFTER_S = 600.0
    UNKNOWN_KEY_PAUSE_S = 5.0

    def __init__(self, *, issuer: str, jwks_url: str, audience: str) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._audience = audience
        self._keys: PyJWKSet | None = None
        self._fetched_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def verify(self, token: str) -> Caller:
        """The caller a token stands for; raises `Unauthenticated` saying why it does not hold."""
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = await self._key(key_id)
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256", "ES256", "EdDSA"],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
                leeway=10,
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The token has expired; get a new one from your issuer.") from error
        except (jwt.PyJWTError, RecursionError) as error:
            raise Unauthenticated(f"The token does not hold: {error}.") from error
        return caller_of(claims)

    async def _key(self, key_id: str | None) -> Any:
        for attempt in (1, 2):
            age = time.monotonic() - self._fetched_at
            if (
                self._keys is None
                or age > self.REFETCH_AFTER_S
                or (attempt == 2 and age > self.UNKNOWN_KEY_PAUSE_S)
            ):
                await self._fetch()
            assert self._keys is not None
            for key in self._keys.keys:
                if key_id is None or key.key_id == key_id:
                    return key
        raise Unauthenticated("The token is signed with a key that its issuer does not publish.")

    async def _fetch(self) -> None:
        """Ask the issuer once, however many requests wait for its answer."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._ask_issuer())
        await asyncio.shield(self._fetching)

    async def _ask_issuer(self) -> None:
        try:
            async with httpx.AsyncClient(timeout=5.0) as client:
                response = await client.get(self._jwks_url)
                response.raise_for_status()
                self._keys = PyJWKSet.from_dict(response.json())
                self._fetched_at = time.monotonic()
        except Exception as error:  # whatever it answered: without its keys nobody is let in
            _log.warning("issuer_keys_unavailable", url=self._jwks_url, error=str(error))
            if self._keys is None:
                raise KeysUnavailable(
                    f"The issuer's keys at {self._jwks_url} cannot be read; try again in a moment."
                ) from error
            self._fetched_at = time.monotonic() - self.REFETCH_AFTER_S + self.UNKNOWN_KEY_PAUSE_S


def caller_of(claims: dict[str, Any]) -> Caller:
    """The caller the claims name; raises `Unauthenticated` when a claim is missing or unknown."""
    try:
        role = CallerRole(claims.get("cxc_role", ""))
    except ValueError:
        raise Unauthenticated(
            f"The token's cxc_role must be one of {', '.join(CallerRole)}; it is '{claims.get('cxc_role')}'."
        ) from None
    for name in ("cxc_partnership", "cxc_organisation"):
        if not isinstance(claims.get(name), str | None):
            raise Unauthenticated(f"The token's {name} must be text.")
    if role is CallerRole.STAFF and not claims.get("cxc_partnership"):
        raise Unauthenticated("A staff token must name its cxc_partnership.")
    if role is CallerRole.PARTICIPANT and not claims.get("cxc_organisation"):
        raise Unauthenticated("A participant's token must name its cxc_organisation.")
    return Caller(
        subject=str(claims["sub"]),
        role=role,
        partnership=claims.get("cxc_partnership"),
        organisation=claims.get("cxc_organisation"),
        until=float(claims["exp"]) if "exp" in claims else None,
    )
