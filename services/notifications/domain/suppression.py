"""Addresses that mails do not reach: what came back from them, and that nothing more is sent there."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import ClassVar, Final, Self

from pydantic import BaseModel

from services.notifications.domain.notification import Moment, Notification
from services.notifications.domain.replies import Bounce
from shared.aggregate import Aggregate
from shared.contracts.notifications import AddressRestored, AddressSuppressed
from shared.errors import RuleBroken

SOFT_AT_MOST: Final = 5
"""So many mails may come back from a full or unreachable mailbox …"""
SOFT_WITHIN: Final = timedelta(days=30)
"""… in this time, before no more are sent there."""


class AddressState(StrEnum):
    """Whether mails go to an address that something came back from."""

    WATCHED = "watched"
    SUPPRESSED = "suppressed"
    RESTORED = "restored"


class NotSuppressed(RuleBroken):
    """Mails are sent to this address."""

    code = "address-not-suppressed"


class CameBack(BaseModel):
    """A mail that came back, though the mailbox may be there."""

    notification_id: str
    at: Moment


class Change(BaseModel):
    """When the state changed, by whom (None: by the platform), and why."""

    state: AddressState
    at: Moment
    by: str | None
    reason: str


@lru_cache(8192)
def address_key(address: str) -> str:
    """What an address is known by here: the same in whatever case it is written, and not the address."""
    return sha256(address.lower().encode()).hexdigest()[:32]


def why_skipped(reason: str) -> str:
    """Why a mail to a suppressed address was not sent."""
    return f"Mails to this address do not arrive, so none are sent: {reason}"


def masked(address: str) -> str:
    """`anna@sme.example` → `a…@sme.example`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


class Suppression(Aggregate):
    """What is known of one address; its id is the address's key, the address itself is not kept."""

    COLLECTION: ClassVar[str] = "suppressions"

    address: str
    """As staff may see it."""
    recipient_key: str
    registration_id: str | None
    partnership: str | None
    """Whose staff can do something about it."""
    state: AddressState = AddressState.WATCHED
    reason: str
    """What the mail system said last."""
    came_back: list[CameBack] = []
    changed_at: Moment
    history: list[Change] = []

    @classmethod
    def of(cls, mail: Notification, reason: str, at: datetime) -> Self:
        """Something came back from this mail's address for the first time."""
        assert mail.address is not None
        return cls(
            id=address_key(mail.address),
            address=masked(mail.address),
            recipient_key=mail.recipient_key,
            registration_id=mail.recipient_registration,
            partnership=mail.partnership,
            reason=reason,
            changed_at=at,
        )

    @property
    def suppressed(self) -> bool:
        """Whether no mails are sent there."""
        return self.state is AddressState.SUPPRESSED

    def bounce(
        self, mail: Notification, bounce: Bounce, reason: str, at: datetime
    ) -> AddressSuppressed | None:
        """A mail came back; what is to be told when that is the end of it. Heard twice, it counts once.

        What was sent before somebody had mails sent there again says nothing any more.
        """
        restored = [change.at for change in self.history if change.state is AddressState.RESTORED]
        if self.suppressed or (restored and mail.created_at <= restored[-1]):
            return None
        if bounce is Bounce.SOFT:
            if any(known.notification_id == mail.id for known in self.came_back):
                return None
            recent = [known for known in self.came_back if at - known.at < SOFT_WITHIN]
            self.came_back = [*recent, CameBack(notification_id=mail.id, at=at)]
        self.reason, self.changed_at = reason, at
        if bounce is Bounce.SOFT and len(self.came_back) < SOFT_AT_MOST:
            self._touch()
            return None
        self._turn(AddressState.SUPPRESSED, at, None, reason)
        self._touch()
        return AddressSuppressed(**self._facts(), reason=reason)

    def restore(self, by: str, reason: str, at: datetime) -> None:
        """Somebody has mails sent there again; raises `NotSuppressed`."""
        if not self.suppressed:
            raise NotSuppressed(f"Mails are sent to {self.address}; there is nothing to take back.")
        self.came_back = []
        self.changed_at = at
        self._turn(AddressState.RESTORED, at, by, reason)
        self._record(AddressRestored(**self._facts(), by=by))

    def _turn(self, state: AddressState, at: datetime, by: str | None, reason: str) -> None:
        self.state = state
        self.history = [*self.history, Change(state=state, at=at, by=by, reason=reason)]

    def _facts(self) -> dict[str, object]:
        return {
            "suppression_id": self.id,
            "address": self.address,
            "registration_id": self.registration_id,
            "partnerships": [self.partnership] if self.partnership else [],
        }
