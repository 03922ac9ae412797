"""The match of a visitor with a host: proposed, agreed by both, approved by their partnerships, or ended."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final, Self
from uuid import UUID, uuid5

from services.matching.domain.errors import AlreadyApproved, MatchStateForbids
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party, Window
from shared.contracts.matching import (
    MatchAgreed,
    MatchApproved,
    MatchCancelled,
    MatchDeclined,
    MatchEndorsed,
    MatchProposed,
    MatchRefused,
    Reason,
    Side,
)
from shared.contracts.vocabulary import MatchState
from shared.errors import Forbidden

SCHEME: Final = "scheme"
"""Refuses in the name of the rules, where no partnership decided."""

OPEN: Final = frozenset({MatchState.PROPOSED, MatchState.AGREED})
LIVING: Final = OPEN | {MatchState.APPROVED}

_NAMESPACE: Final = UUID("7a1c3f0e-52a5-5d0b-8f0e-6d1f4c9a2b11")


def match_id(visitor_id: str, host_id: str, attempt: int = 1) -> str:
    """The id of the pair's match; a pair whose match ended may try again under the next number."""
    return str(uuid5(_NAMESPACE, f"{visitor_id}|{host_id}|{attempt}"))


class Match(Aggregate):
    """One exchange in the making. Its receipt is the score, the reasons and the weights' rule set."""

    COLLECTION: ClassVar[str] = "matches"

    visitor: Party
    host: Party
    stay: Window
    state: MatchState
    proposed_by: Side
    proposed_at: datetime
    pre_agreed: bool = False
    """The two had found each other before they registered."""
    approvals: list[str] = []
    """Partnerships that approved, in the order they did."""
    score: float
    reasons: list[Reason]
    weights: str
    """The rule set that scored it."""
    ended_because: str | None = None

    @classmethod
    def propose(
        cls,
        id: str,
        *,
        visitor: Party,
        host: Party,
        stay: Window,
        by: Side,
        at: datetime,
        score: float,
        reasons: list[Reason],
        weights: str,
        pre_agreed: bool = False,
    ) -> Self:
        """One side asks the other."""
        match = cls(
            id=id,
            visitor=visitor,
            host=host,
            stay=stay,
            state=MatchState.PROPOSED,
            proposed_by=by,
            proposed_at=at,
            pre_agreed=pre_agreed,
            score=score,
            reasons=reasons,
            weights=weights,
        )
        match._record(
            MatchProposed(match_id=id, visitor=visitor, host=host, stay=stay, proposed_by=by),
        )
        return match

    # ── who has a say ────────────────────────────────────────────────────────────────────────

    def party(self, side: Side) -> Party:
        """The party on that side."""
        return self.visitor if side == "visitor" else self.host

    def side_of(self, registration_id: str) -> Side:
        """The side on which one of its two registrations is."""
        return "visitor" if self.visitor.registration_id == registration_id else "host"

    @property
    def asked(self) -> Side:
        """The side that did not propose, and answers."""
        return "host" if self.proposed_by == "visitor" else "visitor"

    @property
    def partnerships(self) -> list[str]:
        """The partnerships that decide: the visitor's, and the host's where it is another one."""
        return list(
            dict.fromkeys(p for p in (self.visitor.partnership, self.host.partnership) if p is not None)
        )

    @property
    def awaits(self) -> list[str]:
        """Whose word is open: the registration that was asked, or the partnerships still to decide."""
        if self.state is MatchState.PROPOSED:
            return [self.party(self.asked).registration_id]
        if self.state is MatchState.AGREED:
            return [p for p in self.partnerships if p not in self.approvals]
        return []

    @property
    def is_living(self) -> bool:
        """Whether the match has not ended."""
        return self.state in LIVING

    def require_says(self, side: Side, action: str) -> None:
        """Raises `MatchStateForbids` unless it is proposed, `Forbidden` unless this side was asked."""
        self._require(action, MatchState.PROPOSED)
        if side != self.asked:
            raise Forbidden(
                f"{self.party(side).organisation} proposed this match; {self.party(self.asked).organisation} "
                f"answers. To take the proposal back, cancel it."
            )

    def require_awaits(self, partnership: str, action: str = "approved") -> None:
        """Raises unless both organisations agreed and this partnership's word is still open."""
        self._require(action, MatchState.AGREED)
        if partnership not in self.partnerships:
            raise Forbidden(f"{partnership} manages neither side of this match.")
        if partnership in self.approvals:
            raise AlreadyApproved(f"{partnership} has approved this match already.")

    def is_last_word(self, partnership: str) -> bool:
        """Whether nothing is open once this partnership has approved."""
        return self.awaits == [partnership]

    # ── transitions ──────────────────────────────────────────────────────────────────────────

    def accept(self, side: Side) -> None:
        """The side that was asked says yes."""
        self.require_says(side, "accepted")
        self.state = MatchState.AGREED
        self._record(MatchAgreed(**self._facts()))

    def decline(self, side: Side, reason: str = "") -> None:
        """The side that was asked says no."""
        self.require_says(side, "declined")
        self.state = MatchState.DECLINED
        self.ended_because = reason or None
        self._record(MatchDeclined(**self._facts(), declined_by=side, reason=reason))

    def approve(self, partnership: str) -> None:
        """A partnership says yes; the last of two, or the only one, makes it count."""
        self.require_awaits(partnership)
        last = self.is_last_word(partnership)
        self.approvals = [*self.approvals, partnership]
        if last:
            self.state = MatchState.APPROVED
            self._record(MatchApproved(**self._facts(), score=self.score, reasons=self.reasons))
        else:
            self._record(MatchEndorsed(**self._facts(), endorsed_by=partnership))

    def refuse(self, by: str, reason: str) -> None:
        """A partnership says no, or, as `scheme`, a rule does."""
        self._require("refused", *OPEN)
        if by != SCHEME and by not in self.partnerships:
            raise Forbidden(f"{by} manages neither side of this match.")
        self.state = MatchState.REFUSED
        self.ended_because = reason
        self._record(MatchRefused(**self._facts(), refused_by=by, reason=reason))

    def cancel(self, reason: str) -> None:
        """The match ends before the stay."""
        self._require("cancelled", *LIVING)
        was_approved = self.state is MatchState.APPROVED
        self.state = MatchState.CANCELLED
        self.ended_because = reason
        self._record(MatchCancelled(**self._facts(), reason=reason, was_approved=was_approved))

    def erase(self, registration_id: str) -> None:
        """Let go of one side's personal data; who met whom by its id, when and how well they fit stays.

        The words of the reasons name topics of both, and those of its end may name anybody.
        """
        if self.visitor.registration_id == registration_id:
            self.visitor = self.visitor.erased()
        if self.host.registration_id == registration_id:
            self.host = self.host.erased()
        self.reasons = [reason.model_copy(update={"sentence": ERASED}) for reason in self.reasons]
        if self.ended_because is not None:
            self.ended_because = ERASED
        self._touch()

    def names(self, registration_id: str) -> bool:
        """Whether the registration is one of the two."""
        return registration_id in (self.visitor.registration_id, self.host.registration_id)

    def refresh(self, visitor: Party, host: Party) -> None:
        """Go on with what the two registrations say now."""
        self.visitor = visitor
        self.host = host

    def _require(self, action: str, *states: MatchState) -> None:
        if self.state not in states:
            raise MatchStateForbids(
                f"The match is {self.state}; only one that is {' or '.join(sorted(states))} can be {action}."
            )

    def _facts(self) -> dict[str, object]:
        return {"match_id": self.id, "visitor": self.visitor, "host": self.host, "stay": self.stay}
