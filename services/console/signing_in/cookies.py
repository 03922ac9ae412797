"""The console's cookies: what they are called, and who may read them."""

from __future__ import annotations

import re
from typing import Final, Literal

from fastapi import Request, Response

Kind = Literal["session", "browser", "flash"]

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class Cookies:
    """Cookies that scripts cannot read and other sites' forms do not send.

    With https their names begin with `__Host-`: no other host, also below the same domain, can set them.
    """

    def __init__(self, public_url: str) -> None:
        self.secure: Final = public_url.startswith("https://")
        self._prefix = "__Host-cxc-" if self.secure else "cxc-"

    def name(self, kind: Kind) -> str:
        """What the cookie of that kind is called."""
        return f"{self._prefix}{kind}"

    def set(self, answer: Response, kind: Kind, value: str) -> None:
        """Give it to a browser until that is closed."""
        answer.set_cookie(self.name(kind), value, path="/", secure=self.secure, httponly=True, samesite="lax")

    def delete(self, answer: Response, kind: Kind) -> None:
        """Take it back."""
        answer.delete_cookie(self.name(kind), path="/", secure=self.secure, httponly=True, samesite="lax")

    def session_of(self, request: Request) -> str | None:
        """The id of the session the request's browser has, as it says."""
        return self._secret(request, "session")

    def browser_of(self, request: Request) -> str | None:
        """The id a browser without a session was given."""
        return self._secret(request, "browser")

    def _secret(self, request: Request, kind: Kind) -> str | None:
        given = request.cookies.get(self.name(kind), "")
        return given if _SECRET.fullmatch(given) else None
