"""The invitation: an organisation in the pool asks a partner it has found, registered or not, by a link."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Self

from services.matching.domain.errors import InvitationOver, InvitationUsed
from shared.aggregate import Aggregate
from shared.contracts.common import Party, Window
from shared.contracts.matching import InvitationAccepted, InvitationSent, InvitationWithdrawn
from shared.contracts.vocabulary import Role


class InvitationState(StrEnum):
    """Where an invitation stands; its link works while it is open and its last day is not over."""

    OPEN = "open"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


def fingerprint(token: str) -> str:
    """What is kept of a link's token: enough to know it again, and no use to whoever reads it."""
    return hashlib.sha256(token.encode()).hexdigest()


class Invitation(Aggregate):
    """One link, for one use. The address it was sent to is kept while it is open, and no longer."""

    COLLECTION: ClassVar[str] = "invitations"

    inviter_id: str
    """The registration that invites."""
    token_hash: str
    email: str
    role: Role
    """What the invited organisation would be."""
    stay: Window
    message: str = ""
    sent_at: datetime
    expires_on: date
    """The last day the link works."""
    state: InvitationState = InvitationState.OPEN
    accepted_by: str | None = None
    """The registration it was accepted for."""

    @classmethod
    def send(
        cls,
        id: str,
        *,
        inviter: Party,
        token: str,
        sealed: str,
        email: str,
        role: Role,
        stay: Window,
        message: str,
        at: datetime,
        expires_on: date,
    ) -> Self:
        """Invite; `sealed` holds the token and the address, for the service that writes the mail."""
        invitation = cls(
            id=id,
            inviter_id=inviter.registration_id,
            token_hash=fingerprint(token),
            email=email,
            role=role,
            stay=stay,
            message=message,
            sent_at=at,
            expires_on=expires_on,
        )
        invitation._record(
            InvitationSent(
                **invitation._facts(inviter), message=message, expires_on=expires_on, sealed=sealed
            )
        )
        return invitation

    def require_open(self, today: date) -> None:
        """Raises `InvitationUsed` or `InvitationOver` with a sentence for whoever follows the link."""
        if self.state is InvitationState.ACCEPTED:
            raise InvitationUsed("This invitation has been accepted already; its link works once.")
        if self.state is InvitationState.WITHDRAWN:
            raise InvitationOver("This invitation was withdrawn. Ask whoever sent it for a new one.")
        if self.is_over(today):
            raise InvitationOver(
                f"This invitation could be accepted until {self.expires_on}. "
                "Ask whoever sent it for a new one."
            )

    def is_over(self, today: date) -> bool:
        """Whether its last day has passed."""
        return self.state is InvitationState.EXPIRED or today > self.expires_on

    def accept(self, registration_id: str, inviter: Party, today: date) -> None:
        """An organisation takes it up for its registration."""
        self.require_open(today)
        self.state = InvitationState.ACCEPTED
        self.accepted_by = registration_id
        self._forget()
        self._record(InvitationAccepted(**self._facts(inviter), accepted_by=registration_id))

    def withdraw(self, inviter: Party, today: date) -> None:
        """Who invited takes it back."""
        self.require_open(today)
        self.state = InvitationState.WITHDRAWN
        self._forget()
        self._record(InvitationWithdrawn(**self._facts(inviter)))

    def expire(self, today: date) -> None:
        """Let go of the address once the last day is over; that its link is dead follows from that day."""
        if self.state is InvitationState.OPEN and self.is_over(today):
            self.state = InvitationState.EXPIRED
            self._forget()
            self._touch()

    def _forget(self) -> None:
        self.email = ""
        self.message = ""

    def _facts(self, inviter: Party) -> dict[str, object]:
        return {"invitation_id": self.id, "party": inviter, "invited_as": self.role, "stay": self.stay}
