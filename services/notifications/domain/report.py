"""What comes back by mail: one was not delivered (RFC 3464), was unwanted (RFC 5965), or is to be the last.

Read with the standard library alone, from whatever the mail system hands over: what is not understood says
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import Message
from typing import Any, Final

from services.notifications.domain.marks import Marks
from services.notifications.domain.replies import Bounce, bounce_of


@dataclass(frozen=True)
class Undelivered:
    """A mail of ours was not delivered, for good; `bounce` is what that says of its address."""

    notification_id: str
    said: str
    bounce: Bounce | None


@dataclass(frozen=True)
class Unwanted:
    """Its recipient called a mail of ours spam."""

    notification_id: str


@dataclass(frozen=True)
class Unsubscribes:
    """A mail that unsubscribes, with the token its writer was given."""

    token: str


Report = Undelivered | Unwanted | Unsubscribes

_READ_BYTES: Final = 128 * 1024
"""What reports say is at their beginning; what is longer is the mail that came back, or made to be long."""
_ID: Final = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.[0-9a-f]{10})?)"
_TOKEN: Final = re.compile(r"unsubscribe[\s:]+([\w-]+\.[\w-]+)", re.IGNORECASE)
_COMPLAINTS: Final = frozenset({"abuse", "fraud", "opt-out", "opt-out-list"})
_SENT_TO: Final = ("To", "Delivered-To", "X-Original-To", "Envelope-To")


def read_report(raw: bytes, *, domain: str, bounces: str | None, marks: Marks | None = None) -> Report | None:
    """What a mail reports; None where it is none of these, or of no mail of ours.

    domain: of our message ids. bounces: the mailbox that reports come back to, if mails name one. marks:
    what our ids bear; one without its mark is none of ours then.
    """
    try:
        return _read(message_from_bytes(raw[:_READ_BYTES]), domain, bounces, marks)
    except RecursionError:  # parts within parts, made to be so
        return None


def _read(mail: Message, domain: str, bounces: str | None, marks: Marks | None) -> Report | None:
    if token := _TOKEN.search(_header(mail, "Subject")):
        return Unsubscribes(token[1])
    status: list[Message] = []
    complaint = False
    sent_to = ", ".join(_header(mail, name) for name in _SENT_TO)
    id = _id_in(sent_to, _verp(bounces), marks) if bounces else None
    for part in _parts(mail):
        match part.get_content_type():
            case "message/delivery-status":
                status = status or _blocks(part)
            case "message/feedback-report":
                [feedback, *_] = [*_blocks(part), Message()]
                complaint = _header(feedback, "Feedback-Type").lower() in _COMPLAINTS
            case "message/rfc822" | "text/rfc822-headers" | "message/rfc822-headers" | "message/global":
                for original in _blocks(part):
                    id = id or _id_in(_header(original, "Message-ID"), _message_id(domain), marks)
    if id is None:
        return None
    if complaint:
        return Unwanted(id)
    for recipient in status:
        if _header(recipient, "Action").lower() == "failed":
            return _undelivered(id, recipient)
    return None


def _undelivered(id: str, recipient: Message) -> Undelivered:
    status = _header(recipient, "Status").partition(" ")[0]
    _, _, said = _header(recipient, "Diagnostic-Code").partition(";")
    said = " ".join(said.split())
    reply = re.match(r"([45]\d\d)[ -]?", said)
    code = int(reply[1]) if reply else 500
    words = said[reply.end() :] if reply else said
    # A status such as 5.0.0 says no more than that it failed; the server's own words may.
    told = f"{status} {words}" if status and not status.endswith(".0.0") else words
    return Undelivered(id, (said or status or "not delivered")[:500], bounce_of(code, told))


def _parts(mail: Message) -> Iterator[Message]:
    """The parts of a mail, and of parts with parts; not what is inside of a mail that is a part."""
    if mail.get_content_maintype() == "multipart" and mail.is_multipart():
        for part in _payload(mail):
            yield part
            yield from _parts(part)


def _blocks(part: Message) -> list[Message]:
    """The groups of fields a part is made of, or the one mail in it."""
    if part.is_multipart():
        return _payload(part)
    content = part.get_payload(decode=True)
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
    return [message_from_string(group) for group in re.split(r"\r?\n\r?\n", text) if group.strip()]


def _payload(mail: Message) -> list[Message]:
    payload: Any = mail.get_payload()
    return [part for part in payload if isinstance(part, Message)]


def _header(mail: Message, name: str) -> str:
    return str(mail.get(name, "")).strip()


def _id_in(text: str, pattern: str, marks: Marks | None) -> str | None:
    found = re.search(pattern, text)
    if found is None:
        return None
    id = found[1].lower()
    return marks.read(id) if marks else id.partition(".")[0]


def _message_id(domain: str) -> str:
    return f"<{_ID}@{re.escape(domain)}>"


def _verp(bounces: str) -> str:
    mailbox, _, domain = bounces.partition("@")
    return rf"(?i){re.escape(mailbox)}\+{_ID}@{re.escape(domain)}"
