"""Dead letters: what could not be handled, as its original bytes, with reason and origin in headers.

A dead letter keeps the key, the value and the headers it came with; what the platform adds begins
with `cxc-`. Replaying one writes it to the failing service's replay topic: the other services
never see it again, and the failing one treats it as if it had come from its first topic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from shared.messaging import topics
from shared.messaging.message import Headers, Message
from shared.messaging.outbox import OutgoingMessage

PREFIX: Final = "cxc-"
SERVICE: Final = "cxc-service"
REASON: Final = "cxc-reason"
DETAIL: Final = "cxc-detail"
SOURCE: Final = "cxc-source"
"""`topic/partition/offset` of the first place the message was read from."""
FAILED_AT: Final = "cxc-failed-at"
TRUNCATED: Final = "cxc-truncated-from"
"""The full size in bytes, when the value was too large to be kept; the source topic has it whole."""
REPLAY_OF: Final = "cxc-replay-of"
"""`topic/partition/offset` of the dead letter that is replayed."""

KEPT_OF_TRUNCATED: Final = 64 * 1024

Reason = Literal[
    "not_a_cloudevent",
    "unknown_type",
    "unknown_version",
    "invalid_data",
    "too_large",
    "id_reused",
    "rule_broken",
    "handler_failed",
    "not_storable",
]


@dataclass(frozen=True)
class SetAside:
    """Why a message cannot be handled: a reason to count by and a sentence to act on."""

    reason: Reason
    detail: str


def dead_letter(message: Message, why: SetAside, *, service: str, at: str) -> OutgoingMessage:
    """The message as it goes to the service's dead-letter topic."""
    value = message.value or b""
    added: list[tuple[str, bytes]] = [
        (SERVICE, service.encode()),
        (REASON, why.reason.encode()),
        # Details can quote a sentence of the library that failed; never the message's own values.
        (DETAIL, why.detail[:2000].encode()),
        (SOURCE, origin(message).encode()),
        (FAILED_AT, at.encode()),
    ]
    if len(value) > topics.MAX_DEAD_LETTER_BYTES:
        added.append((TRUNCATED, str(len(value)).encode()))
        value = value[:KEPT_OF_TRUNCATED]
    return OutgoingMessage(
        topics.dead_letters(service), message.key, value, (*original_headers(message.headers), *added)
    )


def replay_of(letter: Message) -> OutgoingMessage:
    """The dead letter as it goes back to the service that failed on it."""
    service = letter.header(SERVICE)
    source = letter.header(SOURCE)
    if service is None or source is None:
        raise ValueError(f"{letter.coordinates} is no dead letter of this platform")
    return OutgoingMessage(
        topics.replays(service),
        letter.key,
        letter.value or b"",
        (
            *original_headers(letter.headers),
            (SOURCE, source.encode()),
            (REPLAY_OF, letter.coordinates.encode()),
        ),
    )


def origin(message: Message) -> str:
    """Where the message was first read from: its own place, or for a replayed one its source."""
    replayed = message.header(REPLAY_OF) is not None
    return (message.header(SOURCE) if replayed else None) or message.coordinates


def original_headers(headers: Headers) -> Headers:
    """The headers without those the platform adds."""
    return tuple((name, raw) for name, raw in headers if not name.startswith(PREFIX))
