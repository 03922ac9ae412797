"""Messages between organisations that do not know each other's address."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Final, Self

from services.matching.domain.errors import TooManyMessages
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party
from shared.contracts.matching import MessageSent, PublicProfile

MOST_A_DAY: Final = 20
"""Messages of one registration within 24 hours."""

_A_DAY: Final = timedelta(hours=24)


class Message(Aggregate):
    """What one registration wrote to another; both are told apart by id, so that no address is here."""

    COLLECTION: ClassVar[str] = "messages"

    sender_id: str
    receiver_id: str
    text: str
    sent_at: datetime

    @classmethod
    def send(cls, id: str, *, sender: Party, receiver: Party, text: str, at: datetime) -> Self:
        """One organisation writes to the other."""
        message = cls(
            id=id,
            sender_id=sender.registration_id,
            receiver_id=receiver.registration_id,
            text=text,
            sent_at=at,
        )
        message._record(
            MessageSent(message_id=id, party=receiver, sender=PublicProfile.of(sender), text=text)
        )
        return message

    def names(self, registration_id: str) -> bool:
        """Whether the registration wrote or got it."""
        return registration_id in (self.sender_id, self.receiver_id)

    def erase(self) -> None:
        """Let go of the words; that there was a message stays."""
        self.text = ERASED
        self._touch()


class Postbag(Aggregate):
    """When a registration wrote lately; its id is the registration's."""

    COLLECTION: ClassVar[str] = "postbags"

    lately: list[datetime] = []

    def note(self, at: datetime) -> None:
        """One more message; raises `TooManyMessages` when there were too many within 24 hours."""
        lately = [moment for moment in self.lately if moment > at - _A_DAY]
        if len(lately) >= MOST_A_DAY:
            again = min(lately) + _A_DAY
            raise TooManyMessages(
                f"You have written {len(lately)} messages within 24 hours, which are the most. The next one "
                f"can be sent from {again:%Y-%m-%d %H:%M} UTC on."
            )
        self.lately = [*lately, at]
        self._touch()
