"""An outside system: what it would publish to the registration inbox, under references of its own."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer

from shared.contracts.envelope import STRUCTURED, new_id
from shared.contracts.registration import id_from_outside
from shared.contracts.types import EventType
from shared.messaging.topics import REGISTRATION_INBOX
from tests.builders import Data, a_host_submission, a_submission

#: Participant codes no other test of the session has; real ones begin with 8 or 9.
_PICS = itertools.count(100_000_000)

_AT_ONCE: Final = 500
TODAY: Final = datetime.now(UTC).date()
#: A Monday about ten weeks from now.
MONDAY: Final = TODAY + timedelta(days=70 - TODAY.weekday())
FRIDAY: Final = MONDAY + timedelta(days=4)


@dataclass(frozen=True)
class Sent:
    """One message, and where the broker put it."""

    id: str
    reference: str
    value: bytes
    where: str
    """`topic/partition/offset`."""


@dataclass(frozen=True)
class Outgoing:
    """One message to be sent; its key is the sender's name of the registration."""

    id: str
    reference: str
    key: bytes
    value: bytes


@dataclass
class OutsideSystem:
    """A sender whose name, references, addresses and participant codes nobody else has."""

    bootstrap: str
    word: str
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{self.word}-{uuid.uuid4().hex[:8]}"

    @property
    def source(self) -> str:
        return f"/e2e/{self.name}"

    def address(self, reference: str) -> str:
        """Where mails about this registration go."""
        return f"office@{reference}.{self.name}.example"

    def registration_id(self, reference: str) -> str:
        return id_from_outside(self.source, reference)

    # ── what is sent ─────────────────────────────────────────────────────────────────────────

    def visitor(self, reference: str, *, meets: str | None = None, **changes: Any) -> Data:
        """An eligible SME of Lisbon that can travel; `meets` is the reference of a host it knows already."""
        particulars = self._particulars(reference, "PT", "Lisbon", 38.7223, -9.1393, meets)
        return a_submission(**{**particulars, **changes})

    def host(self, reference: str, *, meets: str | None = None, **changes: Any) -> Data:
        """An eligible tech centre of Vienna; `meets` is the reference of a visitor it knows already."""
        particulars = self._particulars(reference, "AT", "Vienna", 48.2082, 16.3738, meets)
        particulars["organisation"]["kind"] = "tech_centre"
        return a_host_submission(**{**particulars, **changes})

    def _particulars(
        self, reference: str, country: str, city: str, lat: float, lon: float, meets: str | None
    ) -> Data:
        met = {"reference": meets, "first_day": MONDAY.isoformat(), "last_day": FRIDAY.isoformat()}
        return {
            "organisation": {
                "name": f"{city} Fibre Works {reference} (sample)",
                "kind": "sme",
                "country": country,
                "city": city,
                "lat": lat,
                "lon": lon,
                "pic": str(next(_PICS)),
                "memberships": [{"name": "Sample Textile Cluster", "kind": "cluster", "on_eccp": True}],
            },
            "participant": {"email": self.address(reference), "language": "en"},
            "availability": [
                {
                    "first_day": (MONDAY - timedelta(weeks=2)).isoformat(),
                    "last_day": (MONDAY + timedelta(weeks=8)).isoformat(),
                }
            ],
            "partnership": "open-looms",
            "pre_agreed": [met] if meets else [],
        }

    def event(
        self,
        reference: str,
        data: Any,
        *,
        type: str = EventType.SUBMIT_REGISTRATION,
        id: str | None = None,
    ) -> Outgoing:
        """The CloudEvent in structured mode."""
        event_id = id or new_id()
        value = orjson.dumps(
            {
                "specversion": "1.0",
                "id": event_id,
                "source": self.source,
                "type": type,
                "subject": reference,
                "datacontenttype": "application/json",
                "data": data,
            }
        )
        return Outgoing(event_id, reference, self.key(reference), value)

    def key(self, reference: str) -> bytes:
        return f"{self.source}|{reference}".encode()

    def pair(self, reference: str) -> tuple[Outgoing, Outgoing]:
        """A visitor `<reference>-v` and a host `<reference>-h` who found each other before."""
        visitor, host = f"{reference}-v", f"{reference}-h"
        return (
            self.event(visitor, self.visitor(visitor, meets=host)),
            self.event(host, self.host(host, meets=visitor)),
        )

    # ── sending ──────────────────────────────────────────────────────────────────────────────

    async def publish(self, *messages: Outgoing) -> list[Sent]:
        """Send in this order; returns once the broker has all of them."""
        async with self.producer() as producer:
            return await self.send(producer, messages)

    def producer(self) -> AIOKafkaProducer:
        """A producer that holds on to what it has while Kafka restarts."""
        return AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type="gzip",
            max_request_size=20 * 1024 * 1024,
            request_timeout_ms=120_000,
        )

    async def send(self, producer: AIOKafkaProducer, messages: Iterable[Outgoing]) -> list[Sent]:
        """Send with an open producer, some hundred at a time."""
        sent: list[Sent] = []
        headers = [("content-type", STRUCTURED.encode())]
        for some in _chunks(list(messages)):
            futures = [
                await producer.send(REGISTRATION_INBOX, message.value, key=message.key, headers=headers)
                for message in some
            ]
            for message, kept in zip(some, await asyncio.gather(*futures), strict=True):
                where = f"{kept.topic}/{kept.partition}/{kept.offset}"
                sent.append(Sent(message.id, message.reference, message.value, where))
        return sent


def _chunks(messages: Sequence[Outgoing]) -> Iterable[Sequence[Outgoing]]:
    return (messages[first : first + _AT_ONCE] for first in range(0, len(messages), _AT_ONCE))
