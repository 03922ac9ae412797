"""One fact told to one recipient through one channel, and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Final, NamedTuple

from pydantic import PlainSerializer

from services.notifications.domain.delivery import Attempt
from services.notifications.domain.limits import GatheredFor
from services.notifications.domain.planning import NotTold, Planned
from services.notifications.domain.recipients import Role, organisation_key
from services.notifications.domain.rules import Channel, Urgency
from services.notifications.domain.wishes import Pace
from services.notifications.domain.wording import Wording
from shared.aggregate import Aggregate
from shared.contracts.notifications import NotificationFailed
from shared.errors import RuleBroken


@lru_cache(1024)
def moment_text(moment: datetime) -> str:
    """UTC in ISO 8601 with six decimals always, so that texts sort as moments do.

    Remembered: what one transaction writes bears its moment many times.
    """
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


WAITING: Final = (NotificationState.PENDING, NotificationState.GATHERED)
"""The states of what has not gone out."""
ERASED_SUBJECT: Final = "About an organisation whose data were erased"
ERASED_TEXT: Final = (
    "This message named an organisation whose personal data have been erased since, and so have its words. "
    "What became of the case is where the link leads."
)


DIGEST: Final = "digest"
"""The type of fact of a message that puts others together; it is of no kind."""
SEVERAL: Final = "several"
"""What a digest is about that has more than one subject."""


class NotInTheInbox(RuleBroken):
    """Only what lies in an inbox can be read there."""

    code = "not-in-the-inbox"


def notification_id(fact_id: str, fact_time: datetime, key: str, seat: int, channel: Channel) -> str:
    """The same for the same fact, recipient (`key`, `seat`) and channel, whatever is redelivered; a UUIDv8.

    Its first 48 bits are the fact's time in milliseconds, so that ids follow the order of facts;
    the rest is a hash of what makes the message unique.
    """
    text = "\0".join((fact_id, key, str(seat), channel))
    rest = hashlib.sha256(text.encode()).hexdigest()
    high = f"{int(fact_time.timestamp() * 1000) & 0xFFFFFFFFFFFF:012x}"
    # Four bits say which version it is, two which variant (RFC 9562).
    variant = "89ab"[int(rest[4], 16) & 0x3]
    return f"{high[:8]}-{high[8:]}-8{rest[1:4]}-{variant}{rest[5:8]}-{rest[8:20]}"


def first_id_at(moment: datetime) -> str:
    """No message about a fact of this moment or later has a lower id."""
    high = f"{int(moment.timestamp() * 1000):012x}"
    return f"{high[:8]}-{high[8:]}"


class Contents(NamedTuple):
    """What messages are about that go into a digest; those whose words were erased are about nothing."""

    about: str
    case: str
    mentions: list[str]
    partnerships: list[str]

    @classmethod
    def of(cls, items: Iterable[Mapping[str, Any]]) -> Contents:
        """By the messages' documents, as they are stored."""
        told = [item for item in items if item["subject"] != ERASED_SUBJECT]
        about = sorted({item["about"] for item in told})
        cases = sorted({item["case"] for item in told})
        mentions = {*about} | {id for item in told for id in item["mentions"]}
        partnerships = {id for item in told for id in item["partnerships"]}
        return cls(
            about=about[0] if len(about) == 1 else SEVERAL,
            case=cases[0] if len(cases) == 1 else SEVERAL,
            mentions=sorted(mentions),
            partnerships=sorted(partnerships),
        )


class Notification(Aggregate):
    """A message; worded when it was made, so that it says later what was said then.

    A mail is taken by a courier once `due_at` has come; the courier that takes it moves `due_at` past
    its lease and leaves its name in `claimed_by`, so that a dead courier's mails come due again.
    """

    COLLECTION: ClassVar[str] = "notifications"
    WITHOUT_NONE: ClassVar[bool] = True
    """A quarter of its fields, which would be written and looked through for each of many indexes."""

    fact_id: str
    fact_type: str
    fact_key: str = ""
    """What makes two events the same fact."""
    about: str
    matter: str | None = None
    """Which of several like facts about the same it tells of, where each is undone by itself."""
    case: str
    """What mails are threaded by."""
    case_name: str = ""
    """What its recipient knows the case by: the organisations."""
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
    asks: bool = False
    """Whether its recipient has something to do."""
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
    """Why it was cancelled or skipped, or had to wait for a digest that its recipient did not wish for."""
    created_at: Moment
    due_at: Moment | None = None
    pace: Pace = Pace.AT_ONCE
    digest: str | None = None
    """The mail of the digest it went into."""
    gathered_for: GatheredFor | None = None
    """Why it waits for a digest, or did, where its recipient's wish is not why it does."""
    claimed_by: str | None = None
    attempts: int = 0
    tried_at: Moment | None = None
    """When it was tried for the first time, and that came to nothing."""
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
        matter: str | None,
        case: str,
        correlation_id: str,
        partnerships: list[str],
        mentions: list[str],
        at: datetime,
        case_name: str = "",
        asks: bool = False,
    ) -> Notification:
        """A new message: it waits to be sent or gathered, is there in the inbox, or says why it is not."""
        recipient = planned.recipient
        state, due_at, pace, reason = NotificationState.SENT, None, Pace.AT_ONCE, None
        if isinstance(planned, NotTold):
            state, reason = NotificationState(planned.recorded or "skipped"), " ".join(planned.because)
        elif planned.channel is not Channel.INBOX:
            due_at, pace = planned.due_at, planned.pace
            state = NotificationState.PENDING if pace is Pace.AT_ONCE else NotificationState.GATHERED
        notification = cls(
            id=id,
            fact_id=fact_id,
            fact_type=fact_type,
            fact_key=fact_key,
            about=about,
            matter=matter,
            case=case,
            case_name=case_name,
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
            asks=asks,
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
            raise NotInTheInbox(
                f"Notification {self.id} does not lie in an inbox: it went by {self.channel}."
            )

    def attempt(self, at: datetime) -> Attempt:
        """The try of this moment."""
        return Attempt(self.attempts + 1, self.tried_at or at, at)

    @property
    def may_wait(self) -> bool:
        """Whether it may go into a digest after all, where its recipient has had many mails."""
        return (
            self.urgency is not Urgency.CRITICAL
            and self.fact_type != DIGEST
            and not self.attempts
            and self.gathered_for is None
            and bool(self.person)
        )

    @classmethod
    def open_digest(
        cls, items: Sequence[Notification], *, at: datetime, language: str | None = None
    ) -> Notification:
        """The digest that these, all for one mailbox, are the first to go into; it waits until it is written.

        Its id is the same whoever opens it: made of the mailbox and the moment the last of them is due.
        Without a `language` that is wished for now, it is in that of the latest.
        """
        latest = max(items, key=lambda item: item.created_at)
        due_at = max(item.due_at or at for item in items)
        id = notification_id(DIGEST, due_at, f"{latest.person} {latest.address}", 0, latest.channel)
        digest = cls(
            id=id,
            fact_id=id,
            fact_type=DIGEST,
            about=SEVERAL,
            case=SEVERAL,
            correlation_id=id,
            recipient=latest.recipient,
            recipient_key=latest.recipient_key,
            person=latest.person,
            recipient_registration=latest.recipient_registration,
            mentions=[latest.recipient_registration] if latest.recipient_registration else [],
            partnership=latest.partnership,
            partnerships=[],
            channel=latest.channel,
            address=latest.address,
            template=DIGEST,
            language=language or latest.language,
            subject="",
            text="",
            link="",
            link_label="",
            why="",
            state=NotificationState.GATHERED,
            created_at=at,
            due_at=due_at,
        )
        digest._touch()
        return digest

    def go_into(self, digest: Notification) -> None:
        """It is told in that digest, from now on."""
        self._require_gathered()
        self.state, self.digest, self.due_at = NotificationState.DIGESTED, digest.id, None
        self._touch()

    def write(self, wording: Wording, contents: Contents, at: datetime) -> None:
        """All that goes into this digest is in it: these are its words, and it goes out."""
        self._require_gathered()
        self.subject, self.text, self.why = wording.subject, wording.text, wording.why
        self.link, self.link_label = wording.link, wording.link_label
        self.about, self.case = contents.about, contents.case
        self.mentions, self.partnerships = contents.mentions, contents.partnerships
        self._go_out(at)

    def gather_again(self, at: datetime) -> None:
        """The digest it went into is not sent: it is due for another."""
        self.state, self.digest, self.due_at = NotificationState.GATHERED, None, at
        self._touch()

    def let_go(self, at: datetime) -> None:
        """It goes out as it is: there is too little for a digest."""
        self._require_gathered()
        self.gathered_for = self.gathered_for or GatheredFor.WISH
        self._go_out(at)

    def put_off(self, until: datetime) -> None:
        """It is not put into a digest before that moment."""
        self._require_gathered()
        self.due_at = until
        self._touch()

    def wait_for(self, pace: Pace, due_at: datetime) -> None:
        """Its reader has changed the wishes: it goes into the digest of that moment."""
        self.put_off(due_at)
        self.pace = pace

    @property
    def waits(self) -> bool:
        """Whether it can still be kept from going out."""
        return self.state is NotificationState.GATHERED or (
            self.state is NotificationState.PENDING and self.claimed_by is None
        )

    @property
    def is_unsent_digest(self) -> bool:
        """Whether it is a digest that can still be kept from going out."""
        return self.fact_type == DIGEST and self.waits

    @property
    def may_have_arrived(self) -> bool:
        """Whether a courier has taken it, or tried it before: a connection that is lost says nothing."""
        return self.claimed_by is not None or self.attempts > 0

    def cancel(self, reason: str) -> None:
        """It has not gone out, and does not: a sentence says why."""
        if self.state not in WAITING:
            raise ValueError(f"notification {self.id} is {self.state}: it does not wait to go out")
        self.state, self.reason = NotificationState.CANCELLED, reason
        self.due_at, self.claimed_by = None, None
        self._touch()

    def come_back(self, said: str, at: datetime) -> None:
        """The mail server had taken it, and could not deliver it after all; a second time changes nothing."""
        if self.state is NotificationState.SENT:
            self.state, self.last_reply, self.settled_at = NotificationState.FAILED, said[:500], at
            self._record(NotificationFailed(**self.in_events(), reason=self.last_reply))

    def in_events(self) -> dict[str, Any]:
        """What every event about it carries."""
        return {
            "notification_id": self.id,
            "fact_id": self.fact_id,
            "fact_type": self.fact_type,
            "about": self.about,
            "recipient": self.recipient,
            "partnership": self.partnership,
        }

    def _require_gathered(self) -> None:
        if self.state is not NotificationState.GATHERED:
            raise ValueError(f"notification {self.id} is {self.state}, and waits for no digest")

    def _go_out(self, at: datetime) -> None:
        self.state, self.due_at = NotificationState.PENDING, at
        self._touch()

    def erase(self, registration_id: str) -> None:
        """Let go of what it says, as that names an organisation that was erased, and of its address.

        What is left counts: who was told, in which role, of which fact, when and how. A mail of its own
        that waits is not sent any more; one that somebody else waits for says where to look instead.
        """
        self.subject, self.text, self.case_name = ERASED_SUBJECT, ERASED_TEXT, ""
        if self.recipient_registration == registration_id:
            self.recipient_key = self.person = organisation_key(registration_id)
            self.address, self.last_reply = None, None
            # A courier that has written down how a mail went takes it out of what waits a moment later.
            if self.state in WAITING and self.settled_at is None:
                self.state = NotificationState.CANCELLED
                self.reason = "The data of its recipient were erased."
                self.due_at, self.claimed_by = None, None
        elif self.is_unsent_digest:
            # It tells of others too: it is written anew, of what is left.
            self.state = NotificationState.GATHERED
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
