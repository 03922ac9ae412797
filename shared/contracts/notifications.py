"""Notifications' contracts: what became of a message; addresses stay inside the service."""

from __future__ import annotations

from typing import Literal

from shared.contracts.envelope import Event
from shared.contracts.types import EventType


class NotificationEvent(Event):
    """What every event of a notification carries; the fact is the event it tells of."""

    notification_id: str
    """The id of the notification."""
    fact_id: str
    """The fact's event id."""
    fact_type: str
    """The fact's event type."""
    about: str
    """The fact's subject: registration, match or grant id."""
    recipient: Literal["participant", "visitor", "host", "staff"]
    """The role in which the recipient was told."""
    partnership: str | None = None
    """Whose staff was told; absent for organisations."""
    channel: Literal["email"] = "email"
    """How it was told."""


class NotificationSent(NotificationEvent):
    """The mail server took the message."""

    TYPE = EventType.NOTIFICATION_SENT


class NotificationFailed(NotificationEvent):
    """The mail server refused the message for good."""

    TYPE = EventType.NOTIFICATION_FAILED

    reason: str
    """What the mail server answered."""
