"""The match of a visitor with a host: proposed, agreed by both, approved by their partnerships, or ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Final, Literal, Self
from uuid import UUID, uuid5

from services.matching.domain.deadline import Deadline
from services.matching.domain.errors import AlreadyApproved, MatchStateForbids, SameStay
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party, Window
from shared.contracts.matching import (
    MatchAgreed,
    MatchApproved,
    MatchCancelled,
    MatchCountered,
    MatchDeclined,
    MatchEndorsed,
    MatchExpired,
    MatchProposed,
    MatchRefused,
    MatchReminded,
    MatchSuggested,
    MatchWithdrawn,
    Reason,
    Side,
)
from shared.contracts.vocabulary import MatchState
from shared.errors import Forbidden

SCHEME: Final = "scheme"
"""Refuses in the name of the rules, where no partnership decided."""

OPEN: Final = frozenset({MatchState.PROPOSED, MatchState.AGREED})
LIVING: Final = OPEN | {MatchState.APPROVED}

Due = Literal["remind", "expire"]

_NAMESPACE: Final = UUID("7a1c3f0e-52a5-5d0b-8f0e-6d1f4c9a2b11")


def match_id(visitor_id: str, host_id: str, attempt: int = 1) -> str:
    """The id of the pair's match; a pair whose match ended may try again under the next number."""
    return str(uuid5(_NAMESPACE, f"{visitor_id}|{host_id}|{attempt}"))


def other_side(side: Side) -> Side:
    """The visitor's is the host, the host's the visitor."""
    return "host" if side == "visitor" else "visitor"


@dataclass(frozen=True)
class Terms:
    """On what two are brought together, whoever does it: who, when, how long one waits, and its receipt."""

    visitor: Party
    host: Party
    stay: Window
    at: datetime
    deadline: Deadline
    score: float
    reasons: list[Reason]
    weights: str


class Match(Aggregate):
    """One exchange in the making. Its receipt is the score, the reasons and the weights' rule set."""

    COLLECTION: ClassVar[str] = "matches"

    visitor: Party
    host: Party
    stay: Window
    state: MatchState
    proposed_by: Side | None
    """None while neither side has taken up what the programme suggested."""
    proposed_at: datetime
    pre_agreed: bool = False
    """The two had found each other before they registered."""
    plan_id: str | None = None
    """The plan of the programme that suggested it."""
    group_event_id: str | None = None
    """The group event it is a visit to."""
    answer_by: date | None = None
    """The last day for the word that is open; None in what was stored before there was one."""
    remind_on: date | None = None
    """When to remind of it; None once that is done, or where there is no time for it."""
    approvals: list[str] = []
    """Partnerships that approved, in the order they did."""
    score: float
    reasons: list[Reason]
    weights: str
    """The rule set that scored it."""
    ended_because: str | None = None

    @classmethod
    def propose(cls, id: str, terms: Terms, *, by: Side, pre_agreed: bool = False) -> Self:
        """One side asks the other."""
        match = cls._of(id, terms, state=MatchState.PROPOSED, proposed_by=by, pre_agreed=pre_agreed)
        match._record(MatchProposed(**match._facts(), proposed_by=by, answer_by=match.answer_by))
        return match

    @classmethod
    def suggest(cls, id: str, terms: Terms, *, plan_id: str) -> Self:
        """The programme asks both sides; whoever says yes first is its proposer from then on."""
        match = cls._of(id, terms, state=MatchState.PROPOSED, proposed_by=None, plan_id=plan_id)
        match._record(
            MatchSuggested(
                **match._facts(),
                plan_id=plan_id,
                score=terms.score,
                reasons=terms.reasons,
                answer_by=terms.deadline.answer_by,
            )
        )
        return match

    @classmethod
    def at_gathering(cls, id: str, terms: Terms, *, group_event_id: str) -> Self:
        """A visitor took a place at the host's group event: both said yes, and the partnerships decide."""
        match = cls._of(
            id, terms, state=MatchState.AGREED, proposed_by="visitor", group_event_id=group_event_id
        )
        match._record(MatchAgreed(**match._facts()))
        return match

    @classmethod
    def _of(cls, id: str, terms: Terms, **how: Any) -> Self:
        match = cls(
            id=id,
            visitor=terms.visitor,
            host=terms.host,
            stay=terms.stay,
            proposed_at=terms.at,
            score=terms.score,
            reasons=terms.reasons,
            weights=terms.weights,
            **how,
        )
        match._await(terms.deadline)
        return match

    # ── who has a say ────────────────────────────────────────────────────────────────────────

    def party(self, side: Side) -> Party:
        """The party on that side."""
        return self.visitor if side == "visitor" else self.host

    def side_of(self, registration_id: str) -> Side:
        """The side on which one of its two registrations is."""
        return "visitor" if self.visitor.registration_id == registration_id else "host"

    @property
    def asked(self) -> list[Side]:
        """Who answers: the side that did not propose, or both where the programme suggested the match."""
        sides: list[Side] = ["visitor", "host"]
        return [side for side in sides if side != self.proposed_by]

    @property
    def partnerships(self) -> list[str]:
        """The partnerships that decide: the visitor's, and the host's where it is another one."""
        return list(
            dict.fromkeys(p for p in (self.visitor.partnership, self.host.partnership) if p is not None)
        )

    @property
    def awaits(self) -> list[str]:
        """Whose word is open: the registrations that were asked, or the partnerships still to decide."""
        if self.state is MatchState.PROPOSED:
            return [self.party(side).registration_id for side in self.asked]
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
        if side not in self.asked:
            proposer, other = self.party(side), self.party(other_side(side))
            raise Forbidden(
                f"{proposer.organisation} proposed this match; {other.organisation} answers. "
                "To take the proposal back, withdraw it."
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

    def accept(self, side: Side, deadline: Deadline) -> None:
        """A side that was asked says yes; the first of two proposes with that what was suggested.

        `deadline` is for the word that is open then.
        """
        self.require_says(side, "accepted")
        self._await(deadline)
        if self.proposed_by is None:
            self.proposed_by = side
            self._record(MatchProposed(**self._facts(), proposed_by=side, answer_by=self.answer_by))
        else:
            self.state = MatchState.AGREED
            self._record(MatchAgreed(**self._facts()))

    def counter(self, side: Side, stay: Window, reason: str, deadline: Deadline) -> None:
        """A side that was asked says: yes, on other days; now the other side answers."""
        self.require_says(side, "answered with other days")
        if stay == self.stay:
            raise SameStay("These are the days of the proposal. To agree to them, accept it.")
        former, self.stay = self.stay, stay
        self.proposed_by = side
        self._await(deadline)
        self._record(
            MatchCountered(
                **self._facts(),
                countered_by=side,
                former_stay=former,
                reason=reason,
                answer_by=deadline.answer_by,
            )
        )

    def withdraw(self, side: Side, reason: str) -> None:
        """Who proposed takes it back before there is an answer."""
        self._require("withdrawn", MatchState.PROPOSED)
        if side != self.proposed_by:
            raise Forbidden(
                f"{self.party(side).organisation} did not propose this match; it declines what it was asked."
            )
        self.state = MatchState.WITHDRAWN
        self.ended_because = reason or None
        self._record(MatchWithdrawn(**self._facts(), withdrawn_by=side, reason=reason))

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

    def due(self, today: date) -> Due | None:
        """What time has made due; nothing expires whose reminder was due and is not out."""
        if self.state not in OPEN:
            return None
        if self.answer_by is None or (self.remind_on is not None and today >= self.remind_on):
            return "remind"
        over = self.state is MatchState.PROPOSED and today > self.answer_by
        return "expire" if over else None

    def remind(self, deadline: Deadline) -> None:
        """Those whose word is open hear once more of it."""
        self._require("reminded of", *OPEN)
        self._await(deadline)
        self._record(
            MatchReminded(**self._facts(), state=self.state, awaits=self.awaits, answer_by=deadline.answer_by)
        )

    def expire(self) -> None:
        """Nobody answered the proposal in time."""
        self._require("expired", MatchState.PROPOSED)
        unanswered = self.asked
        self.state = MatchState.EXPIRED
        self.ended_because = f"Nobody answered by {self.answer_by}."
        self._record(MatchExpired(**self._facts(), unanswered_by=unanswered))

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

    def _await(self, deadline: Deadline) -> None:
        self.answer_by, self.remind_on = deadline

    def _require(self, action: str, *states: MatchState) -> None:
        if self.state not in states:
            raise MatchStateForbids(
                f"The match is {self.state}; only one that is {' or '.join(sorted(states))} can be {action}."
            )

    def _facts(self) -> dict[str, Any]:
        return {
            "match_id": self.id,
            "visitor": self.visitor,
            "host": self.host,
            "stay": self.stay,
            "group_event_id": self.group_event_id,
        }
