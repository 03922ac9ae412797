"""Notifications' contracts: what became of a message; addresses stay inside the service."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from shared.contracts.envelope import Event
from shared.contracts.types import EventType


class NotificationEvent(Event):
    """What every event of a notification carries; the fact is the event it tells of."""

    notification_id: str
    """The id of the notification."""
    fact_id: str
    """The fact's event id; of a digest, which tells of many, its own."""
    fact_type: str
    """The fact's event type; `digest` for a message that tells of many facts."""
    about: str
    """The fact's subject: registration, match or grant id; `several` in a digest about more than one."""
    recipient: Literal["participant", "visitor", "host", "staff", "invited"]
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


class AddressEvent(Event):
    """What every event of a mail address carries that mails did not reach; never the address itself."""

    suppression_id: str
    """A hash of the address."""
    address: str
    """The address as staff may see it: its first letter and its domain."""
    registration_id: str | None = None
    """Whose address it is; absent for staff."""
    partnerships: list[str] = []
    """Whose staff can do something about it."""


class AddressSuppressed(AddressEvent):
    """No more mails are sent to an address, as they do not arrive or are not wanted there."""

    TYPE = EventType.ADDRESS_SUPPRESSED

    reason: str
    """What the mail system said, or that its owner called a mail unwanted."""


class AddressRestored(AddressEvent):
    """Staff had mails sent to an address again."""

    TYPE = EventType.ADDRESS_RESTORED

    by: str
    """Who."""


class OutgoingEvent(Event):
    """What every event of holding the channels that lead out of the platform carries."""

    channels: list[str]
    """Which: `email`, `chat`, `webhooks`."""
    by: str
    """Who did it."""
    reason: str
    """Why."""


class OutgoingHeld(OutgoingEvent):
    """Nothing more goes out there; what comes meanwhile waits."""

    TYPE = EventType.OUTGOING_HELD


class OutgoingReleased(OutgoingEvent):
    """What waited there goes out."""

    TYPE = EventType.OUTGOING_RELEASED


class DeadlineReminded(Event):
    """A day by which something is to be done comes near, or is over: those whose turn it is were reminded."""

    TYPE = EventType.DEADLINE_REMINDED

    reminder_id: str
    """The id of the reminder; a case has one for each thing that is to be done."""
    name: str
    """What is to be done: `commitment_to_sign`, `agreement_to_sign`, `evidence_to_send`, `payment_to_make`,
    or a later one."""
    about: str
    """The registration, match or grant it is about."""
    deadline: date
    """The last day for it."""
    over: bool
    """Whether that day is over."""
    number: int
    """Counts how often it was reminded of, from 1."""
    partnerships: list[str] = []
    """The partnerships whose case it is."""


class EndpointDisabled(Event):
    """Nothing more is sent to a webhook endpoint, as nothing arrived there for a day, or it wants no more.

    What happens meanwhile waits for it. One that people disable is no such event.
    """

    TYPE = EventType.ENDPOINT_DISABLED

    endpoint_id: str
    """The id of the endpoint."""
    server: str
    """The host of its URL, with the port where it has one; its path may be a secret."""
    description: str = ""
    """What its owner calls it."""
    partnership: str | None = None
    """The partnership it belongs to; absent for an outside system's, and for the support office's."""
    source: str | None = None
    """The outside system it belongs to."""
    reason: str
    """What the last attempt came to."""
    since: datetime
    """The first attempt that failed, of those that did without one between them that arrived."""
    attempts: int
    """How many they were."""
