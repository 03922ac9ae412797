"""One event on its way to one endpoint, and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar, Final, Self
from uuid import UUID

import orjson
from bson import Timestamp
from pydantic import PrivateAttr

from services.notifications.domain.notification import Moment
from services.notifications.webhooks.schedule import Answer
from shared.aggregate import Aggregate
from shared.contracts.envelope import CloudEvent
from shared.scopes import without_personal_data_of

ATTEMPTS_KEPT: Final = 20
_UNPLACED: Final = Timestamp(0, 0)
"""The server puts a moment of its own in its place at the insert, each later than the last."""
_UNDATED: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up; its endpoint was disabled by it."""
    SKIPPED = "skipped"
    """Missed while the endpoint was disabled, and not wanted later."""


class Delivery(Aggregate):
    """An event for an endpoint; its id is the `webhook-id` of every attempt.

    Those of an endpoint are sent in the order of `position`, the server's, which is the order of the
    transactions that stored them. What the dispatcher writes of attempts counts as a change too.
    """

    COLLECTION: ClassVar[str] = "webhook_deliveries"

    endpoint: str
    event_id: str
    event_type: str
    subject: str
    """What the event is about."""
    body: str
    """The CloudEvent in structured mode, as the endpoint's owner may see it."""
    registrations: list[str]
    """Whom it says something about."""
    state: DeliveryState = DeliveryState.WAITING
    created_at: Moment
    attempts: list[Answer] = []
    """The last of them."""
    settled_at: Moment | None = None

    _position: Timestamp = PrivateAttr(default=_UNPLACED)

    @classmethod
    def make(
        cls,
        id: str,
        endpoint: str,
        fact: CloudEvent,
        body: bytes,
        *,
        registrations: Collection[str],
        at: datetime,
    ) -> Self:
        """A new delivery of the event; it waits."""
        delivery = cls(
            id=id,
            endpoint=endpoint,
            event_id=fact.id,
            event_type=fact.type,
            subject=fact.subject or "",
            body=body.decode(),
            registrations=sorted(registrations),
            created_at=at,
        )
        delivery._touch()
        return delivery

    @classmethod
    def from_document(cls, document: dict[str, object]) -> Self:
        """The delivery as it was stored, at its place."""
        delivery = super().from_document(document)
        position = document["position"]
        assert isinstance(position, Timestamp)
        delivery._position = position
        return delivery

    def to_document(self) -> dict[str, object]:
        """JSON types, and the place in the order of its endpoint."""
        return {**super().to_document(), "position": self._position}

    def settle(self, answer: Answer, state: DeliveryState, at: datetime) -> None:
        """The last attempt of this run, and what came of it."""
        self.attempts = [*self.attempts, answer][-ATTEMPTS_KEPT:]
        self.state, self.settled_at = state, at
        self._touch()

    def wait_again(self) -> None:
        """Send it once more, at its place, with the same id."""
        self.state, self.settled_at = DeliveryState.WAITING, None
        self._touch()

    def erase(self, registration_id: str) -> None:
        """Let go of what it says of that registration's organisation, and of what was answered to it."""
        event = without_personal_data_of(registration_id, orjson.loads(self.body))
        self.body = orjson.dumps(event).decode()
        self.registrations = [id for id in self.registrations if id != registration_id]
        self.attempts = [answer.model_copy(update={"said": ""}) for answer in self.attempts]
        self._touch()


def delivery_id(fact: CloudEvent, endpoint: str) -> str:
    """The same for the same event and endpoint, however often it comes; a UUIDv8 in the order of events.

    Its first 48 bits are the event's time in milliseconds, the rest is a hash.
    """
    text = "\0".join((fact.source, fact.id, endpoint))
    raw = int.from_bytes(hashlib.sha256(text.encode()).digest()[:10], "big")
    raw |= (int((fact.time or _UNDATED).timestamp() * 1000) & 0xFFFFFFFFFFFF) << 80
    raw = raw & ~(0xF << 76) | 0x8 << 76
    raw = raw & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=raw))
