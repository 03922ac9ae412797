"""Leaving a kind of mail by one click, without signing in (RFC 2369, RFC 8058): the link and its token."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from services.notifications.domain.notification import Notification
from services.notifications.domain.rules import Urgency

EVERY_KIND: Final = "every"
"""What a mail about several kinds at once, such as a digest, is left by."""
_MAC_BYTES: Final = 16
_PURPOSE: Final = b"cxc unsubscribe 1"


class Leaving(NamedTuple):
    """Who wants no more mails of which kind."""

    person: str
    kind: str

    @classmethod
    def of(cls, mail: Notification) -> Self | None:
        """What leaving this mail means; None for people who have no wishes here."""
        if not mail.person.startswith(("organisation:", "partnership:")):
            return None
        return cls(mail.person, mail.kind or EVERY_KIND)

    def kinds(self, known: Iterable[str]) -> list[str]:
        """Those it means, of the kinds that are known; none for one that is not."""
        return [kind for kind in known if self.kind in (kind, EVERY_KIND)]


class Unsubscriptions:
    """Makes and reads the links; a token holds for good, and nobody can make one without the secret.

    url: where the page is served, without the token. mailbox: where mails that unsubscribe are read, if
    anywhere.
    """

    def __init__(self, secret: str, url: str, mailbox: str | None = None) -> None:
        self._key = hmac.digest(secret.encode(), _PURPOSE, "sha256")
        self._url = url.rstrip("/")
        self._mailbox = mailbox

    def token(self, leaving: Leaving) -> str:
        """What stands for these wishes in a link."""
        said = "\0".join(leaving).encode()
        return _text(said) + "." + _text(self._mac(said))

    def read(self, token: str) -> Leaving | None:
        """What it stands for; None where we did not make it."""
        said, _, mac = token.partition(".")
        try:
            content, given = _bytes(said), _bytes(mac)
        except ValueError:
            return None
        if not hmac.compare_digest(given, self._mac(content)):
            return None
        person, _, kind = content.decode().partition("\0")
        return Leaving(person, kind)

    def link(self, mail: Notification) -> str:
        """Where the mail's kind can be left; empty for critical mails, which come whatever was wished, and
        for people who have no wishes here."""
        leaving = Leaving.of(mail)
        if leaving is None or mail.urgency is Urgency.CRITICAL:
            return ""
        return f"{self._url}/{self.token(leaving)}"

    def headers(self, link: str) -> bytes:
        """The lines of a mail's head that say where it can be left, each with its end."""
        if not link:
            return b""
        places = f"<{link}>"
        if self._mailbox:
            token = link.rpartition("/")[2]
            places += f",\n <mailto:{self._mailbox}?subject=unsubscribe%20{token}>"
        lines = f"List-Unsubscribe: {places}\n"
        # RFC 8058 has it with https alone.
        if self._url.startswith("https:"):
            lines += "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
        return lines.encode("ascii")

    def _mac(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, "sha256")[:_MAC_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("it is no base64") from error
    if _text(raw) != text:
        raise ValueError("it is not written as we do")
    return raw
