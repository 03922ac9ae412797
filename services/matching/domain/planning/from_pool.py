"""From the pool as it is stored to the problem of a plan, and from the plan to a line for each visitor."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from services.matching.domain import fit as fits
from services.matching.domain import words
from services.matching.domain.fit import Prospect
from services.matching.domain.match import Match
from services.matching.domain.planning.explain import Explainer, Gain
from services.matching.domain.planning.job import Asked, BrokenProposal, Named, NextBest, PlanLine
from services.matching.domain.planning.plan import Plan
from services.matching.domain.planning.problem import PlanProblem, Proposal
from services.matching.domain.pool import claim_keys
from services.matching.domain.stay import SHORTEST_STAY, Span, latest_last_day, span_of
from services.matching.domain.weights import Weights
from shared.contracts.common import Window
from shared.contracts.vocabulary import MatchState


@dataclass(frozen=True)
class PoolSnapshot:
    """The pool at one moment."""

    prospects: Sequence[Prospect]
    used: Collection[str]
    """Keys of visits that are used."""
    open_matches: Sequence[Match]
    """Proposed or agreed ones, in the order they were proposed."""
    said_no: Collection[tuple[str, str]] = ()
    """Visitors and hosts that had a match which ended with a no."""


SAID_NO: Final = frozenset({MatchState.DECLINED, MatchState.REFUSED, MatchState.WITHDRAWN})
"""States of a match the programme does not suggest again; it may be made again by the two themselves."""


def is_taken_up(match: Match) -> bool:
    """Whether a side said yes to what the programme suggested, or both to each other: no plan undoes that."""
    return match.state is MatchState.AGREED or (
        match.state is MatchState.PROPOSED and match.plan_id is not None and match.proposed_by is not None
    )


def is_mere_suggestion(match: Match) -> bool:
    """Whether the programme suggested it and neither side has said a word yet."""
    return match.state is MatchState.PROPOSED and match.plan_id is not None and match.proposed_by is None


def speaks_for_a_place(match: Match) -> bool:
    """Whether the host's place is as good as given, though it is taken only with the approval."""
    return is_taken_up(match) or is_mere_suggestion(match)


def problem_of(asked: Asked, pool: PoolSnapshot, *, weights: Weights, on: date) -> PlanProblem:
    """The problem of those visitors with all hosts; raises `CapsContradict`.

    Visitors of other partnerships take no part: what they have been suggested or have agreed to holds
    a place of its host. Who has a place at a group event takes none either, and holds none but that.
    """
    scope = set(asked.partnerships)
    at_gatherings = {m.visitor.registration_id for m in pool.open_matches if m.group_event_id is not None}
    going = {
        p.id: p
        for p in pool.prospects
        if p.visits and p.party.partnership in scope and p.id not in at_gatherings
    }
    spoken_for: dict[str, list[Span]] = {}
    proposals: list[Proposal] = []
    promised: set[str] = set()
    for match in (match for match in pool.open_matches if match.group_event_id is None):
        visitor, host = match.visitor.registration_id, match.host.registration_id
        if visitor in going:
            firm = is_taken_up(match) and promised.isdisjoint(keys := claim_keys(going[visitor]))
            if firm:
                promised.update(keys)
            proposals.append(Proposal(visitor, host, firm=firm))
        elif speaks_for_a_place(match):
            spoken_for.setdefault(host, []).append(span_of(match.stay))
    members = (
        replace(p, visits=p.id in going, stays=(*p.stays, *spoken_for.get(p.id, ()))) for p in pool.prospects
    )
    return PlanProblem.of(
        members,
        weights=weights,
        on=on,
        used=pool.used,
        proposals=proposals,
        keep=asked.keep,
        caps=asked.limits(),
        budgets=asked.cents(),
        lump_sums=asked.estimates(),
        apart=set(pool.said_no).difference((p.visitor, p.host) for p in proposals),
    )


def lines_of(problem: PlanProblem, plan: Plan, plan_id: str, attempt: int) -> Iterator[PlanLine]:
    """What the plan says of each visitor of the problem, those with a host first."""
    explainer = Explainer(problem, plan)
    everybody = {p.id: _named(p) for p in (*problem.visitors, *problem.hosts)}
    exchanges = {exchange.visitor: exchange for exchange in plan.exchanges}
    unmatched = {one.visitor: one.why for one in plan.unmatched}
    broken: dict[str, list[BrokenProposal]] = {}
    for one in plan.broken:
        proposal = BrokenProposal(host=everybody[one.host], sentence=one.sentence)
        broken.setdefault(one.visitor, []).append(proposal)
    for number, id in enumerate((*exchanges, *unmatched)):
        told = explainer.visitor(id)
        visitor, host = everybody[id], everybody[told.host] if told.host is not None else None
        exchange = exchanges.get(id)
        next_best = [
            NextBest(
                host=everybody[other.host],
                score=other.score / 100,
                is_full=other.is_full,
                to_change=other.sentence,
            )
            for other in told.next_best
        ]
        refused = broken.get(id, [])
        two = [visitor, *([host] if host else [])]
        named = [*two, *(one.host for one in next_best), *(one.host for one in refused)]
        yield PlanLine(
            id=f"{plan_id}:{attempt}:{number:07}",
            version=1,
            plan_id=plan_id,
            attempt=attempt,
            partnerships=list(dict.fromkeys(one.partnership for one in two if one.partnership)),
            visitor=visitor,
            host=host,
            score=exchange.score / 100 if exchange else None,
            reasons=list(told.reasons),
            proposed=exchange is not None and exchange.proposed,
            firm=exchange is not None and exchange.firm,
            why_not=unmatched.get(id),
            why=told.sentence,
            next_best=next_best,
            one_more_place=_gain(explainer.one_more_place(host.registration_id)) if host else "",
            broken=refused,
            mentions=list(dict.fromkeys(one.registration_id for one in named)),
        )


def _gain(gain: Gain | None) -> str:
    if gain is None:
        return "What one more place here would add is not known: caps, budgets or shared visits may bind."
    if gain.exchanges > 0:
        return (
            f"With one more place here the plan would have {words.counted(gain.exchanges, 'exchange')} more."
        )
    if gain.value > 0:
        return f"With one more place here the plan would gain {gain.value / 100:g} points."
    return "One more place here would not make the plan better."


def _named(prospect: Prospect) -> Named:
    party = prospect.party
    return Named(
        registration_id=prospect.id,
        organisation=party.organisation,
        country=party.place.country,
        partnership=party.partnership,
    )


def days_to_suggest(
    visitor: Prospect, host: Prospect, weights: Weights, today: date, *, answer_days: int
) -> Window | None:
    """The days to ask the two about, None when there are none: as many as wished, rather later than in haste.

    Where both are free later, the stay begins after the time for the two answers.
    """
    for earliest in (today + timedelta(days=2 * answer_days + 1), today + timedelta(days=1)):
        stretch = fits.common_stretch(visitor, host, earliest)
        if stretch is not None:
            wished = max(SHORTEST_STAY, fits.wished_days(weights, visitor.wished_days, host.wished_days))
            return _stay_in(stretch, host, wished)
    return None


def _stay_in(stretch: Span, host: Prospect, wished: int) -> Window | None:
    """The first days of the stretch that hold so many working days, or as many as there are in a month."""
    first, end = stretch
    while host.working.count(first, first) == 0:
        first += 1
    end = min(end, latest_last_day(date.fromordinal(first)).toordinal())
    days = [day for day in range(first, end + 1) if host.working.count(day, day)][:wished]
    if len(days) < SHORTEST_STAY:
        return None
    return Window(first_day=date.fromordinal(first), last_day=date.fromordinal(days[-1]))


def with_stays(host: Prospect, stays: Iterable[Window]) -> Prospect:
    """The host with these stays, and no others."""
    return replace(host, stays=tuple(span_of(stay) for stay in stays))
