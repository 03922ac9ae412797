"""What limits a plan besides places: caps, budgets, and visits shared by some registrations only.

Each limit says how much of it a pair takes, for blocks of all pairs at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.domain.fit import Prospect, cosine_of_distance
from services.matching.domain.planning.flow import Classes
from services.matching.domain.planning.plan import WhyNot
from services.matching.domain.planning.problem import (
    Cap,
    CapOn,
    PlanProblem,
    ecosystem_bit,
    half,
    stays_briefly,
)

Array = NDArray[Any]


@dataclass(frozen=True)
class Limit:
    """At most so much; a pair takes 1 where its visitor and its host both count, or what it costs."""

    why: WhyNot
    sentence: str
    at_most: int
    visitors: Array
    """Which visitors count, as a mask."""
    hosts: Array
    """Which hosts count."""
    costs: Costs | None = None

    def taken(self, visitors: Array, hosts: Array) -> Array:
        """How much of it each pair takes; positions that broadcast against each other."""
        counts = self.visitors[visitors] & self.hosts[hosts]
        return counts * (self.costs.of(visitors, hosts) if self.costs else np.int64(1))

    def charge(self, weights: Array, visitors: Array, price: float) -> None:
        """Take off what each pair of these visitors, a row of `weights` each, takes at this price."""
        if price <= 0:
            return
        rows, hosts = np.flatnonzero(self.visitors[visitors]), np.flatnonzero(self.hosts)
        costs = self.costs.of(visitors[rows][:, None], hosts) if self.costs else np.int64(1)
        weights[np.ix_(rows, hosts)] -= np.floor(costs * price).astype(np.int64)


@dataclass(frozen=True)
class Costs:
    """What exchanges are estimated to cost, in cents."""

    full: Array
    half: Array
    brief: Array
    visitor_points: Array
    host_points: Array
    near: float
    """Points whose inner product is larger are near each other."""

    @classmethod
    def of_problem(cls, problem: PlanProblem) -> Costs:
        """The costs of all pairs of the problem."""
        rates = [problem.lump_sums.rate(host.party.place.country) for host in problem.hosts]
        return cls(
            full=np.array(rates, np.int64),
            half=np.array([half(rate) for rate in rates], np.int64),
            brief=np.array([stays_briefly(visitor) for visitor in problem.visitors], np.bool_),
            visitor_points=_points(problem.visitors),
            host_points=_points(problem.hosts),
            near=cosine_of_distance(problem.weights.full_lump_sum_km),
        )

    def of(self, visitors: Array, hosts: Array) -> Array:
        """Cents of each pair."""
        one, other = self.visitor_points, self.host_points
        # Added up in the order of the scalar rule, so that both say the same at 200 km.
        cosine = one[0, visitors] * other[0, hosts]
        cosine = cosine + one[1, visitors] * other[1, hosts]
        cosine = cosine + one[2, visitors] * other[2, hosts]
        halved: Array = np.where(
            self.brief[visitors] | (cosine > self.near), self.half[hosts], self.full[hosts]
        )
        return halved


def _points(prospects: tuple[Prospect, ...]) -> Array:
    nowhere = (np.nan, np.nan, np.nan)
    return np.array([prospect.point or nowhere for prospect in prospects], np.float64).reshape(-1, 3).T


def classes_of_groups(limits: Sequence[Limit], groups: Array) -> tuple[Classes, set[int]]:
    """Those of the limits that only count groups and do not overlap, as classes; and which they are."""
    count = int(groups.max(initial=-1)) + 1

    def members(limit: Limit) -> Array | None:
        found = np.zeros(count, np.bool_)
        found[groups[limit.visitors]] = True
        # All of a group count, or none.
        alike = np.array_equal(found[groups], limit.visitors)
        return found if alike and limit.costs is None and limit.hosts.all() else None

    return _classes(limits, members, count)


def classes_of_hosts(limits: Sequence[Limit], count: int) -> tuple[Classes, set[int]]:
    """Those of the limits that only count hosts and do not overlap, as classes; and which they are."""

    def members(limit: Limit) -> Array | None:
        return limit.hosts if limit.costs is None and limit.visitors.all() else None

    return _classes(limits, members, count)


def _classes(
    limits: Sequence[Limit], members: Callable[[Limit], Array | None], count: int
) -> tuple[Classes, set[int]]:
    of, at_most, which = np.full(count, -1), list[int](), set[int]()
    for number, limit in enumerate(limits):
        found = members(limit)
        if found is not None and (of[found] < 0).all():
            of[found] = len(at_most)
            at_most.append(limit.at_most)
            which.add(number)
    return Classes(of, np.array(at_most, np.int64)), which


def limits_of(problem: PlanProblem, firm: list[tuple[int, int]]) -> list[Limit]:
    """The caps and budgets of the problem, with what the firm pairs leave of them."""
    limits = [_of_cap(problem, cap) for cap in problem.caps]
    everyone = np.ones(len(problem.hosts), np.bool_)
    costs = Costs.of_problem(problem) if problem.budgets else None
    for partnership, cents in problem.budgets.items():
        paid = np.array([visitor.party.partnership == partnership for visitor in problem.visitors], np.bool_)
        sentence = f"The {cents / 100:,.2f} EUR of {partnership} do not pay for another exchange."
        limits.append(Limit(WhyNot.BUDGET, sentence, cents, paid, everyone, costs))
    if not firm:
        return limits
    visitors, hosts = (np.array(side) for side in zip(*firm, strict=True))
    return [
        Limit(
            limit.why,
            limit.sentence,
            limit.at_most - int(limit.taken(visitors, hosts).sum()),
            limit.visitors,
            limit.hosts,
            limit.costs,
        )
        for limit in limits
    ]


def _of_cap(problem: PlanProblem, cap: Cap) -> Limit:
    visitors = np.ones(len(problem.visitors), np.bool_)
    hosts = np.ones(len(problem.hosts), np.bool_)
    match cap.on:
        case CapOn.HOST_COUNTRY:
            hosts = np.array([host.party.place.country == cap.of for host in problem.hosts], np.bool_)
        case CapOn.VISITOR_COUNTRY:
            visitors = np.array([v.party.place.country == cap.of for v in problem.visitors], np.bool_)
        case CapOn.PARTNERSHIP:
            visitors = np.array([v.party.partnership == cap.of for v in problem.visitors], np.bool_)
        case CapOn.ECOSYSTEM:
            bit = ecosystem_bit(cap.of)
            visitors = np.array([bool(v.ecosystems & bit) for v in problem.visitors], np.bool_)
            hosts = np.array([bool(host.ecosystems & bit) for host in problem.hosts], np.bool_)
    return Limit(WhyNot.CAP, f"There should be {cap}, and there are.", cap.at_most, visitors, hosts)
