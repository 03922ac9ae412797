"""Notifications' contracts: what became of a message; addresses stay inside the service."""

from __future__ import annotations

from typing import Literal

from shared.contracts.envelope import Event
from shared.contracts.types import EventType


class NotificationEvent(Event):
    """What every event of a notification carries; `fact` is the event it tells of."""

    notification_id: str
    fact_id: str
    fact_type: str
    about: str
    """Subject of the fact: registration, match or grant id."""
    recipient: Literal["participant", "visitor", "host", "staff"]
    partnership: str | None = None
    channel: Literal["email"] = "email"


class NotificationSent(NotificationEvent):
    """The mail server took the message."""

    TYPE = EventType.NOTIFICATION_SENT


class NotificationFailed(NotificationEvent):
    """The mail server refused the message for good."""

    TYPE = EventType.NOTIFICATION_FAILED

    reason: str
