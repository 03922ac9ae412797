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
from services.matching.domain.errors import PartnersDoNotFit
from services.matching.domain.fit import Prospect
from services.matching.domain.match import SCHEME, Match
from services.matching.domain.stay import require_sensible, span_of
from services.matching.domain.visit_claim import VisitClaim
from services.matching.domain.weights import Weights
from shared.contracts.common import Window
from shared.contracts.matching import Side
from shared.contracts.vocabulary import MatchState
from shared.errors import RuleBroken


@dataclass
class Case:
    """A match, its visitor and host, and the claims on the visitor's one visit."""

    match: Match
    visitor: Candidate
    host: Candidate
    claims: list[VisitClaim]

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
            require_sensible(stay)
            for claim in claims:
                claim.require_free_for(match_id)
            if failed := fits.pairing_constraints(visitor_facts, host_facts, visit_used=False):
                raise PartnersDoNotFit(" ".join(failed))
            visiting.require_room_for_proposal()
            hosting.require_place(stay)
        except RuleBroken as rule:
            if not pre_agreed:
                raise
            broken = rule
        reasons = fits.reasons(visitor_facts, host_facts, weights, span_of(stay))
        match = Match.propose(
            match_id,
            visitor=visitor_facts.party,
            host=host_facts.party,
            stay=stay,
            by=by,
            at=at,
            score=fits.score(reasons),
            reasons=reasons,
            weights=weights.rule_set,
            pre_agreed=pre_agreed,
        )
        visiting.engage(match_id, "visitor", stay, partner=hosting.id)
        hosting.engage(match_id, "host", stay, partner=visiting.id)
        case = cls(match, visiting, hosting, claims)
        if broken is not None:
            case.refuse(SCHEME, broken.detail)
        return case

    def accept(self, side: Side) -> None:
        """The asked side says yes; the host must have a place on every day."""
        self.match.require_says(side, "accepted")
        self.visitor.require_in_pool()
        self.host.require_place(self.match.stay)
        self._refresh()
        self.match.accept(side)

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
        self._release()

    def end_for_leaver(self, side: Side, reason: str, today: date) -> None:
        """One side left the pool for good: end the match, unless the approved stay has begun."""
        match = self.match
        if match.state is MatchState.PROPOSED and side == match.asked:
            self.decline(side, reason)
        elif match.is_living and not (match.state is MatchState.APPROVED and match.stay.first_day <= today):
            self.cancel(reason)

    def _refresh(self) -> None:
        visitor, _ = self.visitor.require_in_pool()
        host, _ = self.host.require_in_pool()
        self.match.refresh(visitor, host)

    def _release(self) -> None:
        self.visitor.release(self.match.id)
        self.host.release(self.match.id)
