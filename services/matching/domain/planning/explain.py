"""Why somebody has this partner in a plan, what the next best were, and what would have to change.

What is said about one more place is exact, by the prices of a plan that no limit binds: a host's is what
one more place there adds to the optimum, a visitor's what its visit adds. Where a limit could bind the
plan with that place, nothing is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.matching.domain import fit as fits
from services.matching.domain.fit import Prospect
from services.matching.domain.planning.plan import Exchange, Plan
from services.matching.domain.planning.problem import PlanProblem
from services.matching.domain.planning.scores import IMPOSSIBLE, PoolScores
from services.matching.domain.pool import claim_keys
from shared.contracts.matching import Reason

SHOWN: Final = 3
"""The next best hosts of a visitor that are told."""

_ASKED_FOR: Final = 32
"""Hosts among which the next best mostly are."""


class OneMorePlace(StrEnum):
    """What one more place at a host would mean for a visitor."""

    FOR_THIS_VISITOR = "for_this_visitor"
    """A best plan would then send it there."""
    FOR_ANOTHER = "for_another"
    """It would go to somebody else, with whom the plan gains more."""
    CHANGES_NOTHING = "changes_nothing"
    """No plan would be better with this visitor there."""
    UNKNOWN = "unknown"
    """Limits bind, or could then: what one more place would do is not known without a plan with it."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What something adds to the best plan: exchanges, and then hundredths of points, which may be fewer."""

    exchanges: int
    value: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """A host a visitor did not get."""

    host: str
    score: int
    taken_by: tuple[str, ...]
    """The visitors the plan sends there."""
    is_full: bool
    one_more_place: OneMorePlace
    gain: Gain | None
    """What the plan would gain by one more place there."""
    points_short: int | None
    """By at least so many hundredths the visitor would have to fit better there to get one of the places
    there are; None where it is not known, or an exchange would be lost."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a visitor has this host, or none."""

    visitor: str
    host: str | None
    score: int | None
    reasons: tuple[Reason, ...]
    """For this host, strongest first."""
    better: int
    """Possible hosts with a higher score than the one it has; 0 without one."""
    next_best: tuple[Alternative, ...]
    """The other hosts with the highest scores, highest first."""
    sentence: str


class Explainer:
    """Explains a plan, given the problem it was made for."""

    def __init__(self, problem: PlanProblem, plan: Plan) -> None:
        self._problem = problem
        self._plan = plan
        self._scores = PoolScores(problem)
        self._visitors = {prospect.id: number for number, prospect in enumerate(problem.visitors)}
        self._hosts = {prospect.id: number for number, prospect in enumerate(problem.hosts)}
        self._exchange_of = {exchange.visitor: exchange for exchange in plan.exchanges}
        self._guests: dict[str, list[str]] = {}
        for exchange in plan.exchanges:
            self._guests.setdefault(exchange.host, []).append(exchange.visitor)
        self._unmatched = {unmatched.visitor: unmatched for unmatched in plan.unmatched}
        self._proposed = {(proposal.visitor, proposal.host) for proposal in problem.proposals}
        firm = [exchange for exchange in plan.exchanges if exchange.firm]
        self._agreed = Counter(exchange.host for exchange in firm)
        self._visits_agreed = {
            key for exchange in firm for key in claim_keys(problem.visitors[self._visitors[exchange.visitor]])
        }

    def visitor(self, id: str) -> Explanation:
        """Why this visitor has its host, or none. Raises `KeyError` for one the plan does not know."""
        number = self._visitors[id]
        exchange = self._exchange_of.get(id)
        ranked = self._ranked(number, (exchange.score if exchange else None))
        better = sum(score > exchange.score for score, _ in ranked) if exchange else 0
        others = [(score, host) for score, host in ranked if not exchange or host != exchange.host]
        return Explanation(
            visitor=id,
            host=exchange.host if exchange else None,
            score=exchange.score if exchange else None,
            reasons=self._reasons(exchange) if exchange else (),
            better=better,
            next_best=tuple(self._alternative(id, exchange, *other) for other in others[:SHOWN]),
            sentence=self._why(exchange, better) if exchange else self._unmatched[id].sentence,
        )

    def one_more_place(self, host: str) -> Gain | None:
        """What the plan would gain by one more place at this host; None where limits bind, or could then."""
        prices = self._plan.prices
        if self._agreed[host] > self._problem.places(self._host(host)):
            return Gain(0, 0)
        if prices is None or host in prices.unsure_places:
            return None
        price = prices.places.get(host, 0)
        # To the nearest: with one exchange more, the scores may add up to less than before.
        exchanges = (price + prices.exchange // 2) // prices.exchange
        return Gain(exchanges, price - exchanges * prices.exchange)

    def _ranked(self, visitor: int, own_score: int | None) -> list[tuple[int, str]]:
        """The hosts that fit better than its own, and as many more as are shown, best first."""
        bounds = self._scores.at_most(visitor, visitor + 1)[0]
        found: list[tuple[int, int]] = []
        best: list[int] = []  # a heap of the highest scores, one more than are shown
        for host in _highest_first(bounds):
            bound = int(bounds[host])
            all_better_found = own_score is None or bound <= own_score
            if bound == IMPOSSIBLE or (all_better_found and len(best) > SHOWN and bound < best[0]):
                break
            if (score := self._scores.of(visitor, host)) != IMPOSSIBLE:
                found.append((score, host))
                heappush(best, score)
                if len(best) > SHOWN + 1:
                    heappop(best)
        found.sort(key=lambda entry: (-entry[0], entry[1]))
        return [(score, self._problem.hosts[host].id) for score, host in found]

    def _alternative(self, visitor: str, own: Exchange | None, score: int, host: str) -> Alternative:
        guests = tuple(self._guests.get(host, ()))
        is_full = len(guests) >= self._problem.places(self._host(host))
        gain = self.one_more_place(host)
        one_more, short = self._one_more(visitor, host, score)
        return Alternative(
            host=host,
            score=score,
            taken_by=guests,
            is_full=is_full,
            one_more_place=one_more,
            gain=gain,
            points_short=short,
            sentence=self._what_would_change(host, is_full, one_more, short),
        )

    def _one_more(self, visitor: str, host: str, score: int) -> tuple[OneMorePlace, int | None]:
        prices = self._plan.prices
        places = self._problem.places(self._host(host))
        visits = claim_keys(self._problem.visitors[self._visitors[visitor]])
        if not self._visits_agreed.isdisjoint(visits) or self._agreed[host] > places:
            return OneMorePlace.CHANGES_NOTHING, None
        if prices is None:
            return OneMorePlace.UNKNOWN, None
        kept = self._plan.keep if (visitor, host) in self._proposed else 0
        added = prices.exchange + score + kept - prices.visitors.get(visitor, 0)
        price = prices.places.get(host, 0)
        can_be_had = self._agreed[host] < places and price - added < prices.exchange // 2
        short = price - added if can_be_had else None
        if added <= 0:
            return OneMorePlace.CHANGES_NOTHING, short
        if visitor in prices.unsure_visitors or host in prices.unsure_places:
            return OneMorePlace.UNKNOWN, short
        return (OneMorePlace.FOR_THIS_VISITOR if added == price else OneMorePlace.FOR_ANOTHER), short

    def _what_would_change(self, host: str, is_full: bool, one_more: OneMorePlace, short: int | None) -> str:
        name = self._host(host).party.organisation
        if not is_full:
            return f"{name} has a free place, but the plan as a whole is as good or better this way."
        more = {
            OneMorePlace.FOR_THIS_VISITOR: f"If {name} had one more place, this visitor could have it.",
            OneMorePlace.FOR_ANOTHER: f"One more place at {name} would go to somebody else first.",
            OneMorePlace.CHANGES_NOTHING: f"One more place at {name} would not make a better plan with this "
            "visitor there.",
            OneMorePlace.UNKNOWN: f"All places at {name} are given to others.",
        }[one_more]
        if short:
            more += (
                f" To get one of the places there are, it would have to fit {short / 100:.2f} points better."
            )
        return more

    def _why(self, exchange: Exchange, better: int) -> str:
        name = self._host(exchange.host).party.organisation
        if exchange.firm:
            return f"{name} and this visitor had agreed already."
        kept = " It had been proposed already." if exchange.proposed else ""
        if not better:
            return f"No host in the pool fits better than {name}.{kept}"
        hosts = "1 host fits" if better == 1 else f"{better} hosts fit"
        return (
            f"{name} is the host with which the plan as a whole is best; {hosts} this visitor better.{kept}"
        )

    def _reasons(self, exchange: Exchange) -> tuple[Reason, ...]:
        problem = self._problem
        visitor = problem.visitors[self._visitors[exchange.visitor]]
        host = self._host(exchange.host)
        days = fits.common_stretch(visitor, host, problem.on)
        return tuple(fits.reasons(visitor, host, problem.weights, days, problem.on)) if days else ()

    def _host(self, id: str) -> Prospect:
        return self._problem.hosts[self._hosts[id]]


def _highest_first(bounds: NDArray[Any]) -> Iterator[int]:
    """The positions by their bounds, of equal ones the first first; mostly few of them are asked for."""
    bar = (
        np.partition(bounds, -_ASKED_FOR)[-_ASKED_FOR] if len(bounds) > _ASKED_FOR else bounds.min(initial=0)
    )
    for some in (bounds >= bar, bounds < bar):
        positions = np.flatnonzero(some)
        yield from positions[np.argsort(-bounds[positions].astype(np.int32), kind="stable")].tolist()
