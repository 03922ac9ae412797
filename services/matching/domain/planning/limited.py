"""The plan within caps and budgets: no flow any more, so that it is bounded and searched.

What a pair takes of each limit gets a price. For any prices the best flow, with what the limits are
worth, bounds what any plan within the limits can reach; the search lowers that bound by cutting planes.
The flows it meets on its way are repaired until they keep within the limits, and the best of them is the
plan. A pool with few possible pairs goes to a solver of integer programs whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp
from ortools.sat.python import cp_model

from services.matching.domain.planning.flow import best_flow, least_prices
from services.matching.domain.planning.limits import Limit, classes_of_groups, classes_of_hosts
from services.matching.domain.planning.optimum import Optimum, Pairs, Pool
from services.matching.domain.planning.plan import WhyNot
from services.matching.domain.planning.scores import IMPOSSIBLE

Array = NDArray[Any]
Step = Callable[[str, float, int], None]
Close = Callable[[float, float], bool]
"""Whether a bound is as good as one so much lower."""

_FEW: Final = 4_000
"""Possible pairs that are solved whole."""

_EFFORT: Final = 30.0
"""The solver's own measure of work, about seconds; unlike those the same on every machine."""

_FINE: Final = 16
"""Prices are fractions; weights are made so many times as fine before they are rounded."""

_CLOSE: Final = 5e-5
"""The search for prices ends when it can lower its bound by no larger share."""

_CUTS: Final = 30
"""Prices tried for the pairs at hand."""

_ROUNDS: Final = 12
"""How often pairs that could lower the bound are added, some of each visitor."""

_ADDED: Final = 20

_PARTED: Final = 5
"""Pairs for each visitor of which parts may be chosen on the way: those nearest to their prices."""

_OF_ONE: Final = 1_000_000
"""What an exchange then counts, in hundredths."""

_OUTWEIGHS: Final = 8
"""Exchanges count so many times as much as no scores outweigh: what is between two numbers of them is told
from what the scores add."""


@dataclass(frozen=True)
class Limited:
    """A choice of pairs within the limits, and what no other can exceed."""

    pairs: Pairs
    used: Array
    most: int
    """No choice within the limits has more pairs."""
    best_value: int
    """No choice of as many pairs is worth more."""


def keeps_within(pairs: Pairs, used: Array, limits: Sequence[Limit]) -> bool:
    """Whether the choice takes no more of any limit than there is."""
    return all(
        int(limit.taken(pairs.visitors[used], pairs.hosts[used]).sum()) <= limit.at_most for limit in limits
    )


def limited(
    pool: Pool, limits: Sequence[Limit], first: Optimum, step: Step, enough: Callable[[], bool]
) -> Limited:
    """As many pairs as possible within the limits, then the highest value, with proven bounds.

    `first` is the optimum without the limits. Once `enough` says so, it is the best found by then.
    """
    few = _all_pairs(pool)
    if few is not None:
        used, most, best_value = _solved(pool, few, limits)
        return Limited(few, used, most, best_value)
    search = _Search(pool, limits, first, step, enough)
    most = min(int(first.used.sum()), search.bound_count())
    search.fill_up()
    while True:
        count = int(search.best.sum())
        best_value = search.bound_value(count)
        # On its way it may have met a choice of more pairs: what those can be worth is a question of its own.
        if int(search.best.sum()) == count:
            return Limited(search.pairs, search.best, most, best_value)


def _all_pairs(pool: Pool) -> Pairs | None:
    """All possible pairs with exact scores, None when they are many."""
    visitors, hosts, scores = ([np.zeros(0, np.int64)] for _ in range(3))
    total = 0
    for start, block in pool.table.blocks():
        rows, columns = np.nonzero(block != IMPOSSIBLE)
        total += len(rows)
        if total > _FEW:
            return None
        visitors.append(rows + start)
        hosts.append(columns)
        scores.append(block[rows, columns])
    pairs = Pairs.of(pool, *(np.concatenate(part) for part in (visitors, hosts, scores)))
    pairs.make_exact(pool, np.arange(len(pairs)))
    return pairs.possible()


def _solved(pool: Pool, pairs: Pairs, limits: Sequence[Limit]) -> tuple[Array, int, int]:
    """The best choice among these pairs the solver finds, and its bounds on count and value."""
    model = cp_model.CpModel()
    chosen = [model.new_bool_var("") for _ in range(len(pairs))]
    for places, owners in ((None, pool.groups[pairs.visitors]), (pool.places, pairs.hosts)):
        order = np.argsort(owners, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1):
            if len(members):
                most = 1 if places is None else int(places[owners[members[0]]])
                model.add(cp_model.LinearExpr.sum([chosen[k] for k in members]) <= most)
    for limit in limits:
        taken = limit.taken(pairs.visitors, pairs.hosts)
        some = np.flatnonzero(taken)
        model.add(_sum([chosen[k] for k in some], taken[some]) <= limit.at_most)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = _EFFORT
    count = cp_model.LinearExpr.sum(chosen)
    used = np.zeros(len(pairs), np.bool_)
    bounds: list[int] = []
    for objective in (count, _sum(chosen, pairs.scores)):
        model.clear_hints()  # type: ignore[no-untyped-call]
        for variable, value in zip(chosen, used.tolist(), strict=True):
            model.add_hint(variable, value)
        model.maximize(objective)
        status = solver.solve(model)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            used = np.array([solver.boolean_value(variable) for variable in chosen], np.bool_)
        bounds.append(int(np.floor(solver.best_objective_bound + 1e-6)))
        model.add(count == int(used.sum()))
    return used, bounds[0], bounds[1]


def _sum(variables: list[cp_model.IntVar], weights: Array) -> cp_model.LinearExprT:
    return cp_model.LinearExpr.weighted_sum(variables, weights.tolist())


class _Search:
    """Bounds and choices for a pool with many possible pairs.

    `enough` is asked now and then; once it says so, the bound and the choice at hand have to do.
    """

    def __init__(
        self, pool: Pool, limits: Sequence[Limit], first: Optimum, step: Step, enough: Callable[[], bool]
    ) -> None:
        known = first.pairs.exact
        self.pairs = first.pairs.only(known)
        self.best = np.zeros(len(self.pairs), np.bool_)
        """The best choice within the limits so far."""
        self._pool = pool
        self._step = step
        self._enough = enough
        self._limits = [limit for limit in limits if limit.why is not WhyNot.SAME_ORGANISATION]
        """Those that get a price; what is proven without the others holds with them."""
        self._shared: dict[int, list[int]] = {}
        """The visits a visitor shares with some but not all of a group, by number: kept to by repairing."""
        shared = [limit for limit in limits if limit.why is WhyNot.SAME_ORGANISATION]
        for number, limit in enumerate(shared):
            for visitor in np.flatnonzero(limit.visitors).tolist():
                self._shared.setdefault(visitor, []).append(number)
        self._going, of_groups = classes_of_groups(self._limits, pool.groups)
        self._receiving, of_hosts = classes_of_hosts(self._limits, len(pool.places))
        self._others = [number for number in range(len(self._limits)) if number not in of_groups | of_hosts]
        """The limits no flow can keep to by itself."""
        self._prices = np.zeros(len(self._limits) + 1)
        """Those of the limits, and of a pair more, in the last bound on scores: the next one is near."""
        self._choices: list[tuple[float, float, Array]] = []
        """Choices met, within the limits or not: how many pairs, their scores, and what they take."""
        self._offer(first.used[known], self.pairs.scores)

    def bound_count(self) -> int:
        """No choice within the limits has more pairs."""
        one = _OUTWEIGHS * self._pool.one_exchange

        def same_count(bound: float, lower: float) -> bool:
            return bound // one <= lower // one

        return self._bound(one, None, same_count) // one

    def bound_value(self, count: int) -> int:
        """No choice of so many pairs within the limits is worth more."""

        def close(bound: float, lower: float) -> bool:
            return bound - lower <= _CLOSE * abs(bound)

        return self._bound(0, count, close)

    def fill_up(self) -> None:
        """Let who is left out go wherever there is room, among all pairs."""
        pool, pairs = self._pool, self.pairs
        free = pool.places > np.bincount(pairs.hosts[self.best], minlength=len(pool.places))
        going = np.zeros(pool.group_count, np.bool_)
        going[pool.groups[pairs.visitors[self.best]]] = True
        visitors, hosts, scores = ([np.zeros(0, np.int64)] for _ in range(3))
        for first, block in pool.table.blocks():
            for row in np.flatnonzero(~going[pool.groups[first : first + len(block)]]):
                room = np.flatnonzero(free & (block[row] != IMPOSSIBLE))
                room = room[np.argsort(-block[row, room].astype(np.int32), kind="stable")[:_ADDED]]
                visitors.append(np.full(len(room), first + row))
                hosts.append(room)
                scores.append(block[row, room])
        self._add(Pairs.of(pool, *(np.concatenate(part) for part in (visitors, hosts, scores))))
        self._offer(self.best, self.pairs.scores)

    def _bound(self, one: int, at_least: int | None, close: Close) -> int:
        """The lowest bound found on the scores of the pairs of a choice, with `one` for each of them.

        Of those that have `at_least` so many pairs, where that is said.
        """
        lowest: int | None = None
        prices = self._prices if at_least is not None else np.zeros(len(self._limits) + 1)
        for _ in range(_ROUNDS):
            prices, used, lower = self._cut(one, at_least, prices, close)
            bound, more = self._over_all_pairs(one, at_least, prices, used)
            if at_least is not None:
                self._prices = prices
            lowest = bound if lowest is None else min(lowest, bound)
            if not len(more) or close(lowest, lower) or self._enough():
                break
            self._add(more)
        assert lowest is not None
        return lowest

    def _cut(self, one: int, at_least: int | None, prices: Array, close: Close) -> tuple[Array, Array, float]:
        """The prices with the lowest bound for the pairs at hand, the flow at them, and what none is below.

        A price for each limit, and at last one for a pair more, which is 0 where nobody asks for so many.
        Any choice there is says how low a bound can be: not below what it is worth at the same prices.
        """
        pool, pairs = self._pool, self.pairs
        groups = pool.groups[pairs.visitors]
        taken = self._taken(pairs)
        left = self._left(at_least)
        # In parts of the highest price and of the whole sum, lest the solver meet numbers too far apart.
        dearest = 10.0 * (one or _OF_ONE)
        highest = dearest / np.maximum(1, taken.max(axis=1, initial=1))
        highest = np.append(highest, dearest if at_least is not None else 0.0)
        unit = float((one + 10_000) * max(1, pool.group_count))
        master = pywraplp.Solver.CreateSolver("GLOP")
        bound = master.NumVar(-master.infinity(), master.infinity(), "")
        variables = [master.NumVar(0.0, 1.0, "") for _ in highest]
        master.Minimize(bound)

        def cut(choice: tuple[float, float, Array]) -> None:
            count, score, takes = choice
            slope = (left - np.append(takes, -count)) * highest / unit
            terms = sum(float(s) * v for s, v in zip(slope, variables, strict=True))
            master.Add(bound - terms >= (score + one * count) / unit)

        for choice in self._choices:
            cut(choice)
        lowest, lower = np.inf, -np.inf
        best_prices, best_used = prices, np.zeros(len(pairs), np.bool_)
        for tried in range(_CUTS):
            weights = self._weights(pairs.scores, one, prices, taken)
            used = best_flow(groups, pairs.hosts, weights, pool.places, pool.group_count, most_first=False)
            self._step("pricing the limits", 0.3 + 0.6 * tried / _CUTS, int(self.best.sum()))
            value = float(weights[used].sum()) / _FINE + float(prices @ left)
            if value < lowest:
                lowest, best_prices, best_used = value, prices, used
            self._remember(used)
            cut(self._choices[-1])
            if master.Solve() != pywraplp.Solver.OPTIMAL:
                break
            lower = bound.solution_value() * unit
            if close(lowest, lower) or self._enough():
                break
            # Halfway to what the cuts suggest: at their corners they know little.
            suggested = highest * [variable.solution_value() for variable in variables]
            prices = (best_prices + suggested) / 2
        return best_prices, best_used, lower

    def _over_all_pairs(
        self, one: int, at_least: int | None, prices: Array, used: Array
    ) -> tuple[int, Pairs]:
        """The bound these prices prove, and pairs that could lower it; `used` is the flow at them."""
        pool, pairs = self._pool, self.pairs
        groups = pool.groups[pairs.visitors]
        weights = self._weights(pairs.scores, one, prices, self._taken(pairs))
        group_price, host_price = least_prices(
            groups, pairs.hosts, weights, used, pool.places, pool.group_count
        )
        self._offer_near(weights - group_price[groups] - host_price[pairs.hosts])
        excess_of = np.zeros(pool.group_count, np.int64)
        visitors, hosts, scores = ([np.zeros(0, np.int64)] for _ in range(3))
        added = min(_ADDED, pool.table.shape[1])
        for first, block in pool.table.blocks():
            numbers = np.arange(first, first + len(block))
            excess = self._weights(block, one, prices)
            for limit, price in zip(self._limits, prices, strict=False):
                limit.charge(excess, numbers, price * _FINE)
            excess -= group_price[pool.groups[numbers], None]
            excess -= host_price
            excess[block == IMPOSSIBLE] = 0
            highest = excess.max(axis=1, initial=0)
            np.maximum.at(excess_of, pool.groups[numbers], highest)
            promising = np.flatnonzero(highest > 0)
            found = excess[promising]
            columns = np.argpartition(found, found.shape[1] - added, axis=1)[:, found.shape[1] - added :]
            rows, places = np.nonzero(np.take_along_axis(found, columns, 1) > 0)
            visitors.append(numbers[promising[rows]])
            hosts.append(columns[rows, places])
            scores.append(block[promising[rows], hosts[-1]])
        proven = int(group_price.sum() + excess_of.sum() + host_price @ pool.places)
        bound = proven / _FINE + float(prices @ self._left(at_least))
        more = Pairs.of(pool, *(np.concatenate(part) for part in (visitors, hosts, scores)))
        return int(np.floor(bound + 1e-6)), more

    def _weights(self, scores: Array, one: int, prices: Array, taken: Array | None = None) -> Array:
        """What pairs are worth at these prices, never less: with what they take, where that is said."""
        weights: Array = scores * np.int64(_FINE)
        weights += _FINE * one + int(np.ceil(_FINE * prices[-1]))
        if taken is not None:
            for row, price in zip(taken, prices, strict=False):
                if price > 0:
                    weights -= np.floor(row * (price * _FINE)).astype(np.int64)
        return weights

    def _taken(self, pairs: Pairs) -> Array:
        """What each pair takes of each limit."""
        taken = np.zeros((len(self._limits), len(pairs)), np.int64)
        for number, limit in enumerate(self._limits):
            taken[number] = limit.taken(pairs.visitors, pairs.hosts)
        return taken

    def _left(self, at_least: int | None) -> Array:
        """How much there is of each limit; and how many pairs there may be too few, as a negative number."""
        return np.array([*(limit.at_most for limit in self._limits), -(at_least or 0)], np.float64)

    def _add(self, more: Pairs) -> None:
        best = self.pairs.only(self.best)
        pairs = self.pairs.and_also(self._pool, more)
        pairs.make_exact(self._pool, np.flatnonzero(~pairs.exact))
        self.pairs = pairs.possible()
        self.best = self.pairs.are_among(self._pool, best)

    def _offer(self, used: Array, weights: Array) -> None:
        """Make a choice keep within the limits, those of most weight first; take it if none was better."""
        repaired = self._repaired(self._moved(self._repaired(used, weights)), weights)
        self._remember(repaired)
        if self._rank(repaired) > self._rank(self.best):
            self.best = repaired

    def _offer_near(self, excess: Array) -> None:
        """Offer what the pairs nearest to their prices can be at best within the limits, if parts count.

        Few limits leave few parts: the rest is a choice already.
        """
        pool = self._pool
        near = np.argsort(-excess, kind="stable")[: _PARTED * pool.group_count]
        pairs = self.pairs.only(near)
        program = pywraplp.Solver.CreateSolver("GLOP")
        shares = [program.NumVar(0.0, 1.0, "") for _ in near]

        def at_most(some: Array, takes: Array, most: float) -> None:
            row = program.RowConstraint(-program.infinity(), most, "")
            for position, take in zip(some.tolist(), takes.tolist(), strict=True):
                row.SetCoefficient(shares[position], float(take))

        groups = pool.groups[pairs.visitors]
        for places, owners in ((None, groups), (pool.places, pairs.hosts)):
            order = np.argsort(owners, kind="stable")
            for members in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1):
                if len(members):
                    most = 1 if places is None else places[owners[members[0]]]
                    at_most(members, np.ones(len(members)), float(most))
        for limit, taken in zip(self._limits, self._taken(pairs), strict=True):
            some = np.flatnonzero(taken)
            at_most(some, taken[some], float(limit.at_most))
        objective = program.Objective()
        objective.SetMaximization()
        for share, score in zip(shares, pairs.scores.tolist(), strict=True):
            objective.SetCoefficient(share, float(score + _OF_ONE))
        if program.Solve() != pywraplp.Solver.OPTIMAL:
            return
        parts = np.zeros(len(self.pairs))
        parts[near] = [share.solution_value() for share in shares]
        self._remember(parts)
        self._offer(parts > 1e-6, np.rint(parts * 1_000_000).astype(np.int64))

    def _moved(self, kept: Array) -> Array:
        """The best flow in which nobody takes more of any limit than here, save of those flows keep to."""
        pool, pairs = self._pool, self.pairs
        taken = self._taken(pairs)[self._others]
        by_visitor = np.zeros((len(taken), len(pool.groups)), np.int64)
        by_visitor[:, pairs.visitors[kept]] = taken[:, kept]
        allowed = np.flatnonzero((taken <= by_visitor[:, pairs.visitors]).all(axis=0))
        if self._shared:
            sharing = np.isin(pairs.visitors[allowed], list(self._shared))
            allowed = allowed[kept[allowed] | ~sharing]
        moved = np.zeros(len(pairs), np.bool_)
        moved[allowed] = best_flow(
            pool.groups[pairs.visitors[allowed]],
            pairs.hosts[allowed],
            pairs.scores[allowed],
            pool.places,
            pool.group_count,
            most_first=True,
            group_classes=self._going,
            host_classes=self._receiving,
        )
        return moved

    def _remember(self, used: Array) -> None:
        """Note what a choice is worth and takes; parts of choices will do, too."""
        some = np.flatnonzero(used)
        parts, pairs = used[some].astype(np.float64), self.pairs.only(some)
        self._choices.append((parts.sum(), float(pairs.scores @ parts), self._taken(pairs) @ parts))

    def _rank(self, used: Array) -> tuple[int, int]:
        return int(used.sum()), int(self.pairs.scores[used].sum())

    def _repaired(self, used: Array, weights: Array) -> Array:
        """The best of the choice as far as the limits go, then whatever else still fits in."""
        pool, pairs = self._pool, self.pairs
        taken = np.ascontiguousarray(self._taken(pairs).T)
        visited: set[int] = set()
        left = np.array([limit.at_most for limit in self._limits], np.int64)
        places, gone = pool.places.copy(), np.zeros(pool.group_count, np.bool_)
        groups, hosts = pool.groups[pairs.visitors], pairs.hosts
        kept = np.zeros(len(pairs), np.bool_)
        for candidates in (used, ~used):
            fits_in = candidates & ~gone[groups] & (places[hosts] > 0) & (taken <= left).all(axis=1)
            these = np.flatnonzero(fits_in)
            for k in these[np.argsort(-weights[these], kind="stable")]:
                shared = self._shared.get(int(pairs.visitors[k]), [])
                if (
                    not gone[groups[k]]
                    and places[hosts[k]]
                    and (taken[k] <= left).all()
                    and visited.isdisjoint(shared)
                ):
                    visited.update(shared)
                    left -= taken[k]
                    gone[groups[k]] = True
                    places[hosts[k]] -= 1
                    kept[k] = True
        return kept
