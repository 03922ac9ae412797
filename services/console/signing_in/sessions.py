"""Sessions: a cookie that says nothing by itself, and what it stands for in the database, encrypted."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from bson.codec_options import CodecOptions
from fastapi import Request, Response

from services.console.people import Person
from services.console.settings import ConsoleSettings
from services.console.signing_in.cookies import Cookies
from services.console.signing_in.csrf import token_for
from services.console.signing_in.provider import Provider, ProviderAway, ProviderRefused, Tokens
from shared.contracts.envelope import now
from shared.errors import Unauthenticated
from shared.sealed import Seal
from shared.security import KeysUnavailable, TokenVerifier
from shared.storage.driver import Database, Document
from shared.storage.unit_of_work import Clock

_log = structlog.get_logger(__name__)

_SEEN_EVERY: Final = timedelta(minutes=1)
_RENEWED_BEFORE: Final = timedelta(minutes=1)
_RENEWAL_TAKES: Final = timedelta(seconds=20)
_ATTEMPT_TAKES: Final = timedelta(minutes=15)


def _asks_by_itself(request: Request) -> bool:
    """Whether an open page asks, which follows changes, and nobody did anything."""
    return request.url.path == "/changes" or "X-Live" in request.headers


class Sessions:
    """The sessions of all processes of the console, and the attempts to begin one.

    Stored are the hash of a session's id, when it ends, and the tokens sealed with `CXC_SESSION_KEY`.
    """

    def __init__(
        self,
        database: Database,
        settings: ConsoleSettings,
        *,
        provider: Provider | None = None,
        clock: Clock = now,
    ) -> None:
        with_zone = CodecOptions[Document](tz_aware=True, tzinfo=UTC)
        self._sessions = database.get_collection("sessions", codec_options=with_zone)
        self._attempts = database.get_collection("sign_ins", codec_options=with_zone)
        self.seal: Final = Seal(settings.session_key)
        self._key = settings.session_key
        self._lasts = timedelta(hours=settings.session_hours)
        self._idle = timedelta(minutes=settings.session_idle_minutes)
        self._verifier = TokenVerifier(
            issuer=settings.issuer, jwks_url=settings.jwks_url, audience=settings.audience
        )
        self._clock = clock
        self.cookies: Final = Cookies(settings.public_url)
        self.provider: Final = provider or Provider(settings)

    # Signing in

    async def attempt(self, browser: str, to: str, **hints: str) -> str:
        """Begin to sign in whoever has that browser; the address at the provider to lead them to.

        Raises `ProviderAway`.
        """
        start = await self.provider.start(**hints)
        await self._attempts.insert_one(
            {
                "_id": _hash(start.state),
                "browser": _hash(browser),
                "sealed": self.seal.close(nonce=start.nonce, code_verifier=start.code_verifier, to=to),
                "until": self._clock() + _ATTEMPT_TAKES,
            }
        )
        return start.url

    async def attempted(self, browser: str, state: str) -> dict[str, str] | None:
        """What was kept of an attempt of this browser: once, and None for any other."""
        kept = await self._attempts.find_one_and_delete(
            {"_id": _hash(state), "browser": _hash(browser), "until": {"$gt": self._clock()}}
        )
        try:
            return self.seal.open(kept["sealed"]) if kept else None
        except ValueError:
            return None

    async def begin(self, tokens: Tokens) -> str:
        """A new session for whom the access token names; its id, for the cookie.

        Raises `Unauthenticated` for a token the APIs would not take either, and `KeysUnavailable`.
        """
        caller = await self._verifier.verify(tokens.access)
        began = self._clock()
        id = secrets.token_urlsafe(32)
        await self._sessions.insert_one(
            {
                "_id": _hash(id),
                "sealed": self.seal.close(**asdict(tokens)),
                "renew_at": _moment(caller.until or 0.0) - _RENEWED_BEFORE,
                "began_at": began,
                "seen_at": began,
                "until": began + min(self._lasts, self._idle),
            }
        )
        return id

    # Being signed in

    async def person_of(self, request: Request) -> Person | None:
        """Whoever the request's cookie stands for, with a token that still holds; None without a session.

        While nobody can say whether tokens hold, everybody is a stranger, and nobody loses a session.
        """
        id = self.cookies.session_of(request)
        if id is None:
            return None
        at = self._clock()
        session = await self._sessions.find_one({"_id": _hash(id), "until": {"$gt": at}})
        if session is None:
            return None
        tokens = self._opened(session)
        if tokens is not None and session["renew_at"] <= at:
            tokens = await self._renewed(session, tokens)
        if tokens is None:
            return None
        try:
            caller = await self._verifier.verify(tokens.access)
        except KeysUnavailable:
            return None
        except Unauthenticated as error:
            _log.info("session_ended", reason=error.detail)
            await self._sessions.delete_one({"_id": session["_id"]})
            return None
        if at - session["seen_at"] >= _SEEN_EVERY and not _asks_by_itself(request):
            until = min(session["began_at"] + self._lasts, at + self._idle)
            await self._sessions.update_one(
                {"_id": session["_id"]}, {"$set": {"seen_at": at, "until": until}}
            )
        name = tokens.name or caller.organisation or caller.partnership or caller.subject
        return Person(
            session=id, caller=caller, name=name, token=tokens.access, csrf=token_for(self._key, id)
        )

    async def end(self, request: Request) -> Tokens | None:
        """End the session of a request, if it has one; the tokens it had."""
        id = self.cookies.session_of(request)
        ended = await self._sessions.find_one_and_delete({"_id": _hash(id)}) if id else None
        return self._opened(ended) if ended else None

    def let_in(self, answer: Response, id: str) -> None:
        """Give a browser the cookie of its session, and take the one it had as a stranger."""
        self.cookies.set(answer, "session", id)
        self.cookies.delete(answer, "browser")

    def let_go(self, answer: Response) -> None:
        """Take the cookie of a session back."""
        self.cookies.delete(answer, "session")

    def _opened(self, session: dict[str, Any]) -> Tokens | None:
        try:
            return Tokens(**self.seal.open(session["sealed"]))
        except ValueError:  # the key was changed
            return None

    async def _renewed(self, session: dict[str, Any], tokens: Tokens) -> Tokens | None:
        """The session with a new access token, where there is a way to get one; one request asks for all."""
        at = self._clock()
        still_good = tokens if session["renew_at"] + _RENEWED_BEFORE > at else None
        if not tokens.refresh:
            return still_good
        mine = await self._sessions.find_one_and_update(
            {"_id": session["_id"], "sealed": session["sealed"], "renewing": {"$not": {"$gt": at}}},
            {"$set": {"renewing": at + _RENEWAL_TAKES}},
        )
        if mine is None:
            return still_good or await self._renewed_elsewhere(session)
        try:
            renewed = await self.provider.renew(tokens)
            caller = await self._verifier.verify(renewed.access)
        except (ProviderAway, KeysUnavailable):
            return still_good
        except (ProviderRefused, Unauthenticated) as error:
            _log.info("session_ended", reason=error.detail)
            await self._sessions.delete_one({"_id": session["_id"]})
            return None
        await self._sessions.update_one(
            {"_id": session["_id"]},
            {
                "$set": {
                    "sealed": self.seal.close(**asdict(renewed)),
                    "renew_at": _moment(caller.until or 0.0) - _RENEWED_BEFORE,
                },
                "$unset": {"renewing": ""},
            },
        )
        return renewed

    async def _renewed_elsewhere(self, session: dict[str, Any]) -> Tokens | None:
        deadline = self._clock() + _RENEWAL_TAKES
        while self._clock() < deadline:
            await asyncio.sleep(0.1)
            again = await self._sessions.find_one({"_id": session["_id"]})
            if again is None or again["sealed"] != session["sealed"]:
                return self._opened(again) if again else None
        return None


async def prepare_sessions(database: Database) -> None:
    """Make the indexes that end sessions and attempts; safe to call again and at once."""
    for name in ("sessions", "sign_ins"):
        await database[name].create_index("until", expireAfterSeconds=0)


def _hash(secret: str) -> str:
    """What is stored of a random id: who reads the database cannot make the cookie of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
