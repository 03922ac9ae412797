"""One fact told to one recipient through one channel, and what became of it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import PlainSerializer

from services.notifications.domain.planning import NotTold, Planned
from services.notifications.domain.recipients import Role, organisation_key
from services.notifications.domain.rules import Channel, Urgency
from services.notifications.domain.wishes import Pace
from services.notifications.domain.wording import Wording
from shared.aggregate import Aggregate
from shared.errors import RuleBroken


def moment_text(moment: datetime) -> str:
    """UTC in ISO 8601 with six decimals always, so that texts sort as moments do."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


Moment = Annotated[datetime, PlainSerializer(moment_text, return_type=str)]


class NotificationState(StrEnum):
    """Where a message stands; one for the inbox is there at once."""

    PENDING = "pending"
    GATHERED = "gathered"
    """Waits for the digest it goes into."""
    DIGESTED = "digested"
    """Went into a digest, whose mail tells how that fared."""
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Undone or erased before it was sent."""
    SKIPPED = "skipped"
    """It could not go out: no address, or one that takes no mails."""


ERASED_SUBJECT: Final = "About an organisation whose data were erased"
ERASED_TEXT: Final = (
    "This message named an organisation whose personal data have been erased since, and so have its words. "
    "What became of the case is where the link leads."
)


class NotInTheInbox(RuleBroken):
    """Only what lies in an inbox can be read there."""

    code = "not-in-the-inbox"


def notification_id(fact_id: str, fact_time: datetime, key: str, seat: int, channel: Channel) -> str:
    """The same for the same fact, recipient (`key`, `seat`) and channel, whatever is redelivered; a UUIDv8.

    Its first 48 bits are the fact's time in milliseconds, so that ids follow the order of facts;
    the rest is a hash of what makes the message unique.
    """
    text = "\0".join((fact_id, key, str(seat), channel))
    raw = int.from_bytes(hashlib.sha256(text.encode()).digest()[:10], "big")
    raw |= (int(fact_time.timestamp() * 1000) & 0xFFFFFFFFFFFF) << 80
    raw = raw & ~(0xF << 76) | 0x8 << 76
    raw = raw & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=raw))


def first_id_at(moment: datetime) -> str:
    """No message about a fact of this moment or later has a lower id."""
    high = f"{int(moment.timestamp() * 1000):012x}"
    return f"{high[:8]}-{high[8:]}"


class Notification(Aggregate):
    """A message; worded when it was made, so that it says later what was said then.

    A mail is taken by a courier once `due_at` has come; the courier that takes it moves `due_at` past
    its lease and leaves its name in `claimed_by`, so that a dead courier's mails come due again.
    """

    COLLECTION: ClassVar[str] = "notifications"

    fact_id: str
    fact_type: str
    fact_key: str = ""
    """What makes two events the same fact."""
    about: str
    case: str
    """What mails are threaded by."""
    correlation_id: str
    kind: str = ""
    """What people have wishes about."""
    urgency: Urgency = Urgency.NORMAL
    recipient: Role
    recipient_key: str
    person: str = ""
    """Whose wishes counted for it."""
    recipient_registration: str | None = None
    """Whose registration it is for; None for staff."""
    mentions: list[str] = []
    """Registrations it names besides the one it is about."""
    partnership: str | None = None
    partnerships: list[str]
    """Whose staff may see it in the delivery log."""
    channel: Channel
    address: str | None = None
    template: str = ""
    language: str = "en"
    subject: str
    text: str
    link: str
    link_label: str
    why: str
    state: NotificationState
    reason: str | None = None
    """Why it was cancelled or skipped."""
    created_at: Moment
    due_at: Moment | None = None
    pace: Pace = Pace.AT_ONCE
    digest: str | None = None
    """The mail of the digest it went into."""
    claimed_by: str | None = None
    attempts: int = 0
    settled_at: Moment | None = None
    """When the mail server took it, or refused it for good."""
    last_reply: str | None = None
    """What the mail server said to the last attempt that failed."""
    read_at: Moment | None = None
    archived_at: Moment | None = None

    @classmethod
    def make(
        cls,
        planned: Planned | NotTold,
        wording: Wording,
        *,
        id: str,
        fact_id: str,
        fact_type: str,
        fact_key: str,
        about: str,
        case: str,
        correlation_id: str,
        partnerships: list[str],
        mentions: list[str],
        at: datetime,
    ) -> Notification:
        """A new message: it waits to be sent or gathered, is there in the inbox, or says why it is not."""
        recipient = planned.recipient
        state, due_at, pace, reason = NotificationState.SENT, None, Pace.AT_ONCE, None
        if isinstance(planned, NotTold):
            state, reason = NotificationState.SKIPPED, " ".join(planned.because)
        elif planned.channel is not Channel.INBOX:
            due_at, pace = planned.due_at, planned.pace
            state = NotificationState.PENDING if pace is Pace.AT_ONCE else NotificationState.GATHERED
        notification = cls(
            id=id,
            fact_id=fact_id,
            fact_type=fact_type,
            fact_key=fact_key,
            about=about,
            case=case,
            correlation_id=correlation_id,
            kind=planned.kind,
            urgency=planned.urgency,
            recipient=recipient.role,
            recipient_key=recipient.key,
            person=planned.person,
            recipient_registration=recipient.party.registration_id if recipient.party else None,
            mentions=mentions,
            partnership=recipient.partnership,
            partnerships=partnerships,
            channel=planned.channel,
            address=planned.address,
            template=planned.rule.template,
            language=planned.language,
            subject=wording.subject,
            text=wording.text,
            link=wording.link,
            link_label=wording.link_label,
            why=wording.why,
            state=state,
            reason=reason,
            created_at=at,
            due_at=due_at,
            pace=pace,
            settled_at=None if due_at else at,
        )
        notification._touch()
        return notification

    def read(self, at: datetime) -> None:
        """Its recipient has read it; the first time counts."""
        self._require_inbox()
        if self.read_at is None:
            self.read_at = at
            self._touch()

    def unread(self) -> None:
        """Its recipient wants to come back to it: it counts as new again, and is in the archive no longer."""
        self._require_inbox()
        if self.read_at is not None or self.archived_at is not None:
            self.read_at = self.archived_at = None
            self._touch()

    def archive(self, at: datetime) -> None:
        """Its recipient is done with it, and so has read it."""
        self._require_inbox()
        if self.archived_at is None:
            self.archived_at = at
            self.read_at = self.read_at or at
            self._touch()

    def unarchive(self) -> None:
        """Back among the entries, read as it was."""
        self._require_inbox()
        if self.archived_at is not None:
            self.archived_at = None
            self._touch()

    def _require_inbox(self) -> None:
        if self.channel is not Channel.INBOX:
            raise NotInTheInbox(f"Notification {self.id} does not lie in an inbox: it went by {self.channel}.")

    def erase(self, registration_id: str) -> None:
        """Let go of what it says, as that names an organisation that was erased, and of its address.

        What is left counts: who was told, in which role, of which fact, when and how. A mail of its own
        that waits is not sent any more; one that somebody else waits for says where to look instead.
        """
        self.subject, self.text = ERASED_SUBJECT, ERASED_TEXT
        if self.recipient_registration == registration_id:
            self.recipient_key = self.person = organisation_key(registration_id)
            self.address, self.last_reply = None, None
            if self.state in (NotificationState.PENDING, NotificationState.GATHERED):
                self.state = NotificationState.CANCELLED
                self.reason = "The data of its recipient were erased."
                self.due_at, self.claimed_by = None, None
        self._touch()

    def names(self, registration_id: str) -> bool:
        """Whether it may name that registration's organisation, or is about it."""
        return registration_id == self.about or registration_id in self.mentions

    def is_erased_for(self, registration_id: str) -> bool:
        """Whether nothing of that registration is left in it."""
        own = self.recipient_registration == registration_id
        return self.text == ERASED_TEXT and not (
            own and self.recipient_key != organisation_key(registration_id)
        )
