"""A match with all it touches: both candidates and the visitor's claims, changed together or not at all.

Each step checks every rule before it changes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from services.matching.domain import fit as fits
from services.matching.domain.candidate import Candidate
from services.matching.domain.commitment import Commitment
from services.matching.domain.deadline import AnswerPolicy
from services.matching.domain.errors import PartnersDoNotFit
from services.matching.domain.fit import Prospect
from services.matching.domain.gathering import Gathering
from services.matching.domain.match import SCHEME, Match, Terms
from services.matching.domain.stay import require_sensible, span_of
from services.matching.domain.visit_claim import VisitClaim
from services.matching.domain.weights import Weights
from services.matching.domain.working_days import working_days_at
from shared.contracts.common import Window
from shared.contracts.matching import Side
from shared.contracts.vocabulary import MatchState
from shared.errors import RuleBroken


@dataclass
class Case:
    """A match, its visitor and host, the claims on the visitor's one visit, and the commitment, if any."""

    match: Match
    visitor: Candidate
    host: Candidate
    claims: list[VisitClaim]
    commitment: Commitment | None = None
    gathering: Gathering | None = None
    """The group event it is a visit to, where it is one."""

    @classmethod
    def propose(
        cls,
        match_id: str,
        *,
        visitor: tuple[Candidate, Prospect],
        host: tuple[Candidate, Prospect],
        claims: list[VisitClaim],
        stay: Window,
        by: Side,
        at: datetime,
        weights: Weights,
        answers: AnswerPolicy,
        pre_agreed: bool = False,
    ) -> Self:
        """One side asks the other; raises the `RuleBroken` that forbids it, and makes nothing then.

        The days are the proposer's to choose: the other side's yes or no says more about them than
        the availability either gave. A pre-agreed match that a rule forbids is made and refused at
        once instead, so that both hear why.
        """
        (visiting, visitor_facts), (hosting, host_facts) = visitor, host
        broken: RuleBroken | None = None
        try:
            require_possible(match_id, visitor_facts, host_facts, claims, stay)
            visiting.require_room_for_proposal()
            hosting.require_place(stay)
        except RuleBroken as rule:
            if not pre_agreed:
                raise
            broken = rule
        terms = _terms(visitor_facts, host_facts, stay, at, weights, answers)
        match = Match.propose(match_id, terms, by=by, pre_agreed=pre_agreed)
        visiting.engage(match_id, "visitor", stay, partner=hosting.id)
        hosting.engage(match_id, "host", stay, partner=visiting.id)
        case = cls(match, visiting, hosting, claims)
        if broken is not None:
            case.refuse(SCHEME, broken.detail)
        return case

    @classmethod
    def suggest(
        cls,
        match_id: str,
        *,
        visitor: tuple[Candidate, Prospect],
        host: tuple[Candidate, Prospect],
        claims: list[VisitClaim],
        stay: Window,
        plan_id: str,
        at: datetime,
        weights: Weights,
        answers: AnswerPolicy,
    ) -> Self:
        """The programme asks both sides; raises the `RuleBroken` that forbids it, and makes nothing then.

        It is none of the visitor's open proposals, however many it has, until a side takes it up.
        """
        (visiting, visitor_facts), (hosting, host_facts) = visitor, host
        require_possible(match_id, visitor_facts, host_facts, claims, stay)
        hosting.require_place(stay)
        terms = _terms(visitor_facts, host_facts, stay, at, weights, answers)
        match = Match.suggest(match_id, terms, plan_id=plan_id)
        visiting.engage(match_id, "visitor", stay, partner=hosting.id, suggested=True)
        hosting.engage(match_id, "host", stay, partner=visiting.id, suggested=True)
        return cls(match, visiting, hosting, claims)

    @classmethod
    def at_gathering(
        cls,
        match_id: str,
        *,
        gathering: Gathering,
        visitor: tuple[Candidate, Prospect],
        host: tuple[Candidate, Prospect],
        claims: list[VisitClaim],
        at: datetime,
        weights: Weights,
        answers: AnswerPolicy,
    ) -> Self:
        """A visitor that has a place at a group event: the event is the host's yes, so both have agreed.

        Its days are the stay, and its places count instead of the host's own. Raises the `RuleBroken`
        that forbids it, and makes nothing then.
        """
        (visiting, visitor_facts), (hosting, host_facts) = visitor, host
        stay = gathering.days
        require_possible(match_id, visitor_facts, host_facts, claims, stay)
        terms = _terms(visitor_facts, host_facts, stay, at, weights, answers)
        match = Match.at_gathering(match_id, terms, group_event_id=gathering.id)
        visiting.engage(match_id, "visitor", stay, partner=hosting.id, group_event_id=gathering.id)
        hosting.engage(match_id, "host", stay, partner=visiting.id, group_event_id=gathering.id)
        return cls(match, visiting, hosting, claims, gathering=gathering)

    def accept(self, side: Side, answers: AnswerPolicy, on: date) -> None:
        """A side that was asked says yes; the host must have a place on every day."""
        self.match.require_says(side, "accepted")
        self._require_room(self.match.stay)
        self._refresh()
        takes_up = self.match.proposed_by is None
        self.match.accept(side, answers.asked(on, self.match.stay.first_day))
        if takes_up:
            self._go_on()

    def counter(self, side: Side, stay: Window, reason: str, answers: AnswerPolicy, on: date) -> None:
        """A side that was asked names other days, to which what a proposal's days must be applies."""
        self.match.require_says(side, "answered with other days")
        require_sensible(stay, working_days_at(self.match.host.place))
        self._require_room(stay)
        for claim in self.claims:
            claim.require_free_for(self.match.id)
        self._refresh()
        self.match.counter(side, stay, reason, answers.asked(on, stay.first_day))
        self._go_on()

    def withdraw(self, side: Side, reason: str) -> None:
        """Who proposed takes it back."""
        self.match.withdraw(side, reason)
        self._release()

    def come_due(self, answers: AnswerPolicy, today: date) -> None:
        """Remind of the open word, or let the proposal expire, if that is due now."""
        match = self.match
        match match.due(today):
            case "remind":
                match.remind(answers.reminded(today, match.stay.first_day, match.answer_by))
            case "expire":
                match.expire()
                self._release()

    def decline(self, side: Side, reason: str) -> None:
        """The asked side says no."""
        self.match.decline(side, reason)
        self._release()

    def approve(self, partnership: str, rivals: Sequence[Case]) -> None:
        """A partnership says yes; with the last word the visit is claimed and the host's place taken.

        `rivals` are the visitor's other open matches, which end with that: there is one visit.
        """
        match = self.match
        match.require_awaits(partnership)
        self.visitor.require_in_pool()
        self.host.require_in_pool()
        for claim in self.claims:
            claim.require_free_for(match.id)
        if self.gathering is None:
            self.host.require_place(match.stay, besides=match.id)
        self._refresh()
        match.approve(partnership)
        if match.state is MatchState.APPROVED:
            for claim in self.claims:
                claim.take(match.id)
            self.visitor.confirm(match.id)
            self.host.confirm(match.id)
            for rival in rivals:
                rival.cancel(f"{match.visitor.organisation} has its one visit of the scheme elsewhere.")

    def approve_or_refuse(self, partnership: str, rivals: Sequence[Case]) -> None:
        """Approve by a partnership's own rule, without a person: what a rule forbids is refused."""
        try:
            self.approve(partnership, rivals)
        except RuleBroken as broken:
            self.refuse(SCHEME, broken.detail)

    def refuse(self, by: str, reason: str) -> None:
        """A partnership, or the scheme, says no."""
        self.match.refuse(by, reason)
        self._release()

    def cancel(self, reason: str) -> None:
        """End it before the stay; an approved one gives the visit right and the host's place back."""
        self.match.cancel(reason)
        for claim in self.claims:
            claim.give_back(self.match.id)
        if self.commitment is not None:
            self.commitment.void(reason)
        self._release()

    def end_for_leaver(self, side: Side, reason: str, today: date) -> None:
        """One side left the pool for good: end the match, unless the approved stay has begun."""
        match = self.match
        if match.state is MatchState.PROPOSED and side in match.asked:
            self.decline(side, reason)
        elif match.is_living and not (match.state is MatchState.APPROVED and match.stay.first_day <= today):
            self.cancel(reason)

    def _require_room(self, stay: Window) -> None:
        self.visitor.require_in_pool()
        if self.match.proposed_by is None:
            self.visitor.require_room_for_proposal()
        self.host.require_place(stay)

    def _go_on(self) -> None:
        self.visitor.go_on(self.match.id, self.match.stay)
        self.host.go_on(self.match.id, self.match.stay)

    def _refresh(self) -> None:
        visitor, _ = self.visitor.require_in_pool()
        host, _ = self.host.require_in_pool()
        self.match.refresh(visitor, host)

    def _release(self) -> None:
        self.visitor.release(self.match.id)
        self.host.release(self.match.id)
        if self.gathering and self.gathering.lose(self.match.id, self.match.ended_because or ""):
            self.visitor.stay_away(self.gathering.id)


def require_possible(
    match_id: str, visitor: Prospect, host: Prospect, claims: Sequence[VisitClaim], stay: Window
) -> None:
    """Raises the `RuleBroken` that keeps these two from this stay, whatever places there are."""
    require_sensible(stay, host.working)
    for claim in claims:
        claim.require_free_for(match_id)
    if failed := fits.pairing_constraints(visitor, host, visit_used=False):
        raise PartnersDoNotFit(" ".join(failed))


def _terms(
    visitor: Prospect, host: Prospect, stay: Window, at: datetime, weights: Weights, answers: AnswerPolicy
) -> Terms:
    reasons = fits.reasons(visitor, host, weights, span_of(stay), at.date())
    return Terms(
        visitor=visitor.party,
        host=host.party,
        stay=stay,
        at=at,
        deadline=answers.asked(at.date(), stay.first_day),
        score=fits.score(reasons),
        reasons=reasons,
        weights=weights.rule_set,
    )
