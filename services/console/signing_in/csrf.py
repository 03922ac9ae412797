"""Nobody's browser changes anything because of another site: checked for every unsafe request of a page."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fastapi import Request
from pydantic import SecretStr

from services.console.people import SignInFirst, anybody
from shared.errors import Forbidden

if TYPE_CHECKING:
    from services.console.bootstrap import Console

FIELD: Final = "csrf"
HEADER: Final = "X-CSRF-Token"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class FromElsewhere(Forbidden):
    """An unsafe request that no page of this session sent."""

    code = "from-elsewhere"
    title = "This did not come from a page of yours"

    def __init__(self) -> None:
        super().__init__("Nothing was changed. Open the page again, and send it once more from there.")


def token_for(key: SecretStr, id: str) -> str:
    """What every form of a session, or of a browser without one, sends along; nothing has to be stored."""
    return hmac.new(key.get_secret_value().encode(), f"csrf:{id}".encode(), hashlib.sha256).hexdigest()


def masked(token: str) -> str:
    """The token as a page has it, otherwise each time.

    Pages are compressed: from their sizes, what stands in them unchanged could be guessed letter by letter.
    """
    mask = secrets.token_bytes(len(token) // 2)
    hidden = bytes(a ^ b for a, b in zip(mask, bytes.fromhex(token), strict=True))
    return (mask + hidden).hex()


def unmasked(sent: str) -> str:
    """The token a page was given; nothing for what is none."""
    try:
        both = bytes.fromhex(sent)
    except ValueError:
        return ""
    half = len(both) // 2
    return bytes(a ^ b for a, b in zip(both[:half], both[half:], strict=False)).hex()


async def from_own_page(request: Request) -> None:
    """Raises `FromElsewhere` unless an unsafe request comes from a page of the same session.

    For all routes of the console alike. The browser says where it comes from (`Sec-Fetch-Site`, or
    `Origin`), and the form or htmx has the session's token. Where the session is over, one signs in first.
    """
    if request.method in _SAFE:
        return
    console: Console = request.app.state.root
    if not _is_same_origin(request, console.settings.public_url):
        raise FromElsewhere
    person = await anybody(request)
    if person is None and console.sessions.cookies.session_of(request) is not None:
        raise SignInFirst
    browser = console.sessions.cookies.browser_of(request)
    if person is not None:
        expected = person.csrf
    elif browser is not None:
        expected = token_for(console.settings.session_key, browser)
    else:
        raise FromElsewhere
    sent = request.headers.get(HEADER) or await _in_form(request)
    if not hmac.compare_digest(unmasked(sent), expected):
        raise FromElsewhere


def _is_same_origin(request: Request, public_url: str) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return True  # no browser of the last years: the token decides
    own = urlsplit(public_url)
    return origin == f"{own.scheme}://{own.netloc}"


async def _in_form(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return ""
    given = (await request.form()).get(FIELD)  # kept with the request: what the page reads later
    return given if isinstance(given, str) else ""
