"""Who is told of a fact, by which channel, when and why; and who is not: pure, for sending and explaining."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from services.notifications.domain.digest import Mailbox
from services.notifications.domain.recipients import Recipient, Seat, Served
from services.notifications.domain.rules import Channel, Rule, Urgency
from services.notifications.domain.wishes import (
    DEFAULT_ZONE,
    NO_WISH,
    KindWish,
    Pace,
    Wishes,
    next_moment,
    zone_of,
)

NO_ADDRESS: Final = "There is no mail address on file."
UNHEARD_OF: Final = "What this undoes had not gone out either: the inbox tells of both."
UNSEEN: Final = timedelta(minutes=10)
"""For so long an entry of an inbox may not have been seen."""
NO_ROOM: Final = "There is no chat room on file."
NOT_PRESSING: Final = "Chat rooms hear at once only of what presses; in a digest, of all that goes out."
_IN_THE_INBOX: Final = ("It lies in the inbox at once.",)
_AT_ONCE: Final = ("No wishes are on file: it goes out at once.",)
_CRITICAL: Final = ("It is critical: it goes out at once, whatever was wished.",)
_DEFAULT_ZONE: Final = ZoneInfo(DEFAULT_ZONE)


class Planned(NamedTuple):
    """One message to be: to whom, through which channel, in which language, when, and why so.

    `seat` tells the addresses of one recipient apart, by their place and not by their text.
    """

    recipient: Recipient
    person: str
    """Whose wishes count."""
    channel: Channel
    address: str | None
    seat: int
    rule: Rule
    kind: str
    urgency: Urgency
    language: str
    due_at: datetime | None
    """None for the inbox, which waits for nothing."""
    pace: Pace
    because: tuple[str, ...]


class NotTold(NamedTuple):
    """One message that is not to be, and why not."""

    recipient: Recipient
    person: str
    channel: Channel
    address: str | None
    seat: int
    rule: Rule
    kind: str
    urgency: Urgency
    language: str
    because: tuple[str, ...]
    recorded: Literal["skipped", "cancelled"] | None = None
    """As what the log is to show it: as one that should go out and cannot, or need not any more."""


def persons(served: Iterable[Served]) -> list[str]:
    """Everybody whose wishes may count."""
    found: dict[str, None] = {}
    for recipient, _ in served:
        found[recipient.key] = None
        for seat in recipient.seats:
            found[seat.person] = None
    return list(found)


def plan(
    served: Sequence[Served],
    *,
    kind: str,
    wishes: Mapping[str, Wishes],
    at: datetime,
    chats: Mapping[str, Sequence[str]] | None = None,
    suppressed: Mapping[str, str] | None = None,
    spared: Mapping[Mailbox, datetime] | None = None,
) -> list[Planned | NotTold]:
    """Every message to those a fact of this kind is told to, as they wish it, and every one left out.

    `wishes` are by person, `chats` the chat rooms of recipients by key, `suppressed` says why an
    address (in lower case) gets no mails, `spared` who has not heard by mail of what this undoes, and since
    when. An address gets one mail, whatever the number of roles it has in the case.
    """
    planned: list[Planned | NotTold] = []
    written_to: set[str] = set()
    for recipient, rule in served:
        if Channel.INBOX in rule.channels:
            language = _language(wishes.get(recipient.key), recipient.seats)
            planned.append(
                Planned(
                    recipient,
                    recipient.key,
                    Channel.INBOX,
                    None,
                    0,
                    rule,
                    kind,
                    rule.urgency,
                    language,
                    None,
                    Pace.AT_ONCE,
                    _IN_THE_INBOX,
                )
            )
        if Channel.EMAIL in rule.channels or rule.urgency is Urgency.DIGEST:
            for seat, (address, _, person) in enumerate(recipient.seats):
                wish = wishes.get(person) or wishes.get(recipient.key)
                mail = _Message(recipient, person, Channel.EMAIL, address, seat, rule, kind, wish)
                if address.lower() in written_to:
                    planned.append(mail.left_out("Another mail about this goes to the same address."))
                elif suppressed and (reason := suppressed.get(address.lower())):
                    planned.append(mail.left_out(reason, recorded="skipped"))
                elif spared and mail.is_spared(spared, at):
                    planned.append(mail.left_out(UNHEARD_OF, recorded="cancelled"))
                else:
                    entry = mail.planned(at)
                    if isinstance(entry, Planned):
                        written_to.add(address.lower())
                    planned.append(entry)
            if not recipient.seats and Channel.EMAIL in rule.channels:
                wish = wishes.get(recipient.key)
                mail = _Message(recipient, recipient.key, Channel.EMAIL, None, 0, rule, kind, wish)
                planned.append(mail.left_out(NO_ADDRESS, recorded="skipped"))
        rooms = chats.get(recipient.key, ()) if chats else ()
        planned += _for_rooms(recipient, rule, kind, wishes.get(recipient.key), rooms, spared, at)
    return planned


def _for_rooms(
    recipient: Recipient,
    rule: Rule,
    kind: str,
    wishes: Wishes | None,
    rooms: Sequence[str],
    spared: Mapping[Mailbox, datetime] | None,
    at: datetime,
) -> Iterator[Planned | NotTold]:
    """What presses is said in the rooms of a desk; in a digest, if it wishes for one, whatever goes out."""
    presses = Channel.CHAT in rule.channels
    if not presses and Channel.EMAIL not in rule.channels and rule.urgency is not Urgency.DIGEST:
        return
    for seat, room in enumerate(rooms):
        message = _Message(recipient, recipient.key, Channel.CHAT, room, seat, rule, kind, wishes)
        if spared and message.is_spared(spared, at):
            yield message.left_out(UNHEARD_OF, recorded="cancelled")
        elif presses or message.is_for_digest:
            yield message.planned(at)
        else:
            yield message.left_out(NOT_PRESSING)
    if presses and not rooms:
        message = _Message(recipient, recipient.key, Channel.CHAT, None, 0, rule, kind, wishes)
        yield message.left_out(NO_ROOM)


@dataclass(slots=True)
class _Message:
    """A mail, or a message to a chat room, that a rule calls for."""

    recipient: Recipient
    person: str
    channel: Channel
    address: str | None
    seat: int
    rule: Rule
    kind: str
    wishes: Wishes | None

    @property
    def seats(self) -> Sequence[Seat]:
        """The one it is for first; a chat room is for all of them."""
        return self.recipient.seats[self.seat if self.channel is Channel.EMAIL else 0 :]

    @property
    def is_for_digest(self) -> bool:
        return self.wishes is not None and self.wishes.of_kind(self.kind).pace is not Pace.AT_ONCE

    def is_spared(self, spared: Mapping[Mailbox, datetime], at: datetime) -> bool:
        since = spared.get(Mailbox(self.person, self.channel, self.address))
        if since is None:
            return False
        # The inbox has told of it meanwhile, and somebody may rely on it.
        return self.rule.urgency is not Urgency.CRITICAL or at - since < UNSEEN

    def planned(self, at: datetime) -> Planned | NotTold:
        rule, wishes = self.rule, self.wishes
        wish = wishes.of_kind(self.kind) if wishes else NO_WISH
        if rule.urgency is Urgency.CRITICAL:
            return self._goes_out(at, Pace.AT_ONCE, _CRITICAL)
        if rule.urgency is Urgency.DIGEST and wish.pace is Pace.AT_ONCE:
            return self.left_out(
                "It is good to know only: for the inbox, and the digest of whoever wishes one."
            )
        if wishes is None:
            return self._goes_out(at, Pace.AT_ONCE, _AT_ONCE)
        if self.channel not in wish.channels:
            return self.left_out(f"The wishes on file choose not to hear of this kind by {self.channel}.")
        return self._goes_out(*_when(wishes, wish, at))

    def left_out(self, reason: str, *, recorded: Literal["skipped", "cancelled"] | None = None) -> NotTold:
        return NotTold(
            self.recipient,
            self.person,
            self.channel,
            self.address,
            self.seat,
            self.rule,
            self.kind,
            self.rule.urgency,
            _language(self.wishes, self.seats),
            (reason,),
            recorded,
        )

    def _goes_out(self, due_at: datetime, pace: Pace, because: tuple[str, ...]) -> Planned:
        return Planned(
            self.recipient,
            self.person,
            self.channel,
            self.address,
            self.seat,
            self.rule,
            self.kind,
            self.rule.urgency,
            _language(self.wishes, self.seats),
            due_at,
            pace,
            because,
        )


def _when(wishes: Wishes, wish: KindWish, at: datetime) -> tuple[datetime, Pace, tuple[str, ...]]:
    because: list[str] = []
    name, zone = wishes.time_zone, zone_of(wishes.time_zone)
    if zone is None:
        because.append(f"'{name}' is no time zone (any more): {DEFAULT_ZONE} is taken instead.")
        name, zone = DEFAULT_ZONE, _DEFAULT_ZONE
    ready = next_moment(at, wish.pace, None, zone)
    due_at = next_moment(at, wish.pace, wishes.quiet, zone)
    if wish.pace is Pace.AT_ONCE:
        because.append("The wishes on file have it go out at once.")
    else:
        because.append(
            f"The wishes on file have it wait for the {wish.pace} digest, at {_clock(ready, zone)} ({name})."
        )
    if wishes.quiet is not None and due_at != ready:
        quiet = f"{wishes.quiet.begins:%H:%M} to {wishes.quiet.ends:%H:%M}"
        because.append(f"Quiet hours are from {quiet} ({name}): it waits until {_clock(due_at, zone)}.")
    return due_at, wish.pace, tuple(because)


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%H:%M} on {local.day} {local:%B %Y}"


def _language(wishes: Wishes | None, seats: Sequence[Seat]) -> str:
    if wishes is not None and wishes.language:
        return wishes.language
    return seats[0].language if seats else "en"
