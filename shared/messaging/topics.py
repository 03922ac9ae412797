"""The Kafka topics of the platform: who writes what where, and with which limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

ServiceName = Literal["registration", "matching", "funding", "notifications", "console"]
PUBLISHERS: Final[tuple[ServiceName, ...]] = ("registration", "matching", "funding", "notifications")
"""The services that publish events."""
SERVICES: Final[tuple[ServiceName, ...]] = (*PUBLISHERS, "console")
"""All services; the console only reads."""

#: Outside systems write here, and only here.
REGISTRATION_INBOX: Final = "cxc.registration.inbox"

MAX_EVENT_BYTES: Final = 1024 * 1024
"""The largest event a service publishes, and the largest message an outside system may send."""

MAX_DEAD_LETTER_BYTES: Final = 8 * 1024 * 1024
"""The largest message kept whole as a dead letter; compression lets larger ones through the broker."""

_DAY_MS: Final = 24 * 60 * 60 * 1000


def events(service: str) -> str:
    """The topic of a service's events, keyed by aggregate id."""
    return f"cxc.{service}.events"


def dead_letters(service: str) -> str:
    """What the service could not handle: original bytes, reason and origin in the headers."""
    return f"cxc.{service}.dead-letters"


def replays(service: str) -> str:
    """Dead letters sent back to the one service that failed on them; the others never see these."""
    return f"cxc.{service}.replays"


def control(service: str) -> str:
    """What operators say to every worker of the service: pause, resume, log level."""
    return f"cxc.{service}.control"


def group(service: str) -> str:
    """The consumer group whose members share the service's partitions."""
    return f"cxc.{service}"


@dataclass(frozen=True)
class Topic:
    """A topic as it is created; `partitions` of None takes the number given to the command."""

    name: str
    partitions: int | None = None
    config: dict[str, str] = field(default_factory=dict)


def all_topics() -> Iterator[Topic]:
    """Every topic that must exist before a service starts."""
    yield Topic(REGISTRATION_INBOX, config=_kept(30, MAX_EVENT_BYTES))
    for publisher in PUBLISHERS:
        yield Topic(events(publisher), config=_kept(30, 2 * MAX_EVENT_BYTES))
    for service in SERVICES:
        yield Topic(dead_letters(service), partitions=1, config=_kept(90, 2 * MAX_DEAD_LETTER_BYTES))
        # As long as the dead letters: what was replayed is told by what is here.
        yield Topic(replays(service), partitions=1, config=_kept(90, 2 * MAX_DEAD_LETTER_BYTES))
        yield Topic(control(service), partitions=1, config=_kept(1, MAX_EVENT_BYTES))


def _kept(days: int, max_bytes: int) -> dict[str, str]:
    return {"retention.ms": str(days * _DAY_MS), "max.message.bytes": str(max_bytes)}
