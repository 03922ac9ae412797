"""The plan within caps and budgets: no flow any more, so that it is bounded and searched.

What a pair takes of each limit gets a price. For any prices the best flow, with what the limits are
worth, bounds what any plan within the limits can reach; the search lowers that bound by cutting planes.
The flows it meets on its way are repaired until they keep within the limits, and the best of them is the
plan. A pool with few possible pairs goes to a solver of integer programs whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp
from ortools.sat.python import cp_model

from services.matching.domain.planning.flow import best_flow, least_prices
from services.matching.domain.planning.limits import Limit
from services.matching.domain.planning.optimum import Optimum, Pairs, Pool
from services.matching.domain.planning.plan import WhyNot
from services.matching.domain.planning.scores import IMPOSSIBLE

Array = NDArray[Any]
Step = Callable[[str, float, int], None]

_FEW: Final = 4_000
"""Possible pairs that are solved whole."""

_EFFORT: Final = 30.0
"""The solver's own measure of work, about seconds; unlike those the same on every machine."""

_FINE: Final = 16
"""Prices are fractions; weights are made so many times as fine before they are rounded."""

_CLOSE: Final = 5e-5
"""The search for prices ends when it can lower its bound by no larger share."""

_CUTS: Final = 20
"""Prices tried for the pairs at hand."""

_ROUNDS: Final = 8
"""How often pairs that could lower the bound are added, some of each visitor."""

_ADDED: Final = 10
_ONE: Final = 1_000
"""What an exchange weighs where they are only counted."""


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


def limited(pool: Pool, limits: Sequence[Limit], first: Optimum, step: Step) -> Limited:
    """As many pairs as possible within the limits, then the highest value, with proven bounds.

    `first` is the optimum without the limits.
    """
    few = _all_pairs(pool)
    if few is not None:
        used, most, best_value = _solved(pool, few, limits)
        return Limited(few, used, most, best_value)
    search = _Search(pool, limits, first.pairs.only(first.pairs.exact), step)
    most = min(int(first.used.sum()), search.bound_count())
    best_value = search.bound_value(most)
    search.fill_up()
    if (count := int(search.best.sum())) < most:
        # Fewer than the bound: what those can be worth is a question of its own.
        best_value = search.bound_value(count)
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


class _Row(Protocol):
    """At most so much in all, of what each pair takes."""

    @property
    def at_most(self) -> int: ...

    def taken(self, visitors: Array, hosts: Array) -> Array: ...


@dataclass(frozen=True)
class _AtLeast:
    """So many pairs or more."""

    count: int

    @property
    def at_most(self) -> int:
        return -self.count

    def taken(self, visitors: Array, hosts: Array) -> Array:
        return np.full(np.broadcast_shapes(visitors.shape, hosts.shape), -1, np.int64)


class _Search:
    """Bounds and choices for a pool with many possible pairs."""

    def __init__(self, pool: Pool, limits: Sequence[Limit], pairs: Pairs, step: Step) -> None:
        self.pairs = pairs
        self.best = np.zeros(len(pairs), np.bool_)
        """The best choice within the limits so far."""
        self._pool = pool
        self._step = step
        self._limits = [limit for limit in limits if limit.why is not WhyNot.SAME_ORGANISATION]
        """Those that get a price; what is proven without the others holds with them."""
        self._shared: dict[int, list[int]] = {}
        """The visits a visitor shares with some but not all of a group, by number: kept to by repairing."""
        shared = [limit for limit in limits if limit.why is WhyNot.SAME_ORGANISATION]
        for number, limit in enumerate(shared):
            for visitor in np.flatnonzero(limit.visitors).tolist():
                self._shared.setdefault(visitor, []).append(number)

    def bound_count(self) -> int:
        """No choice within the limits has more pairs."""
        bound = self._bound(
            self._limits,
            lambda scores: np.full(scores.shape, _ONE, np.int64),
            lambda: _ONE * float(self.best.sum()),
        )
        return bound // _ONE

    def bound_value(self, count: int) -> int:
        """No choice of so many pairs within the limits is worth more."""
        rows: list[_Row] = [*self._limits, _AtLeast(count)]

        def reached() -> float:
            found, value = self._rank(self.best)
            return _FINE * float(value) if found >= count else -np.inf

        return self._bound(rows, lambda scores: scores * np.int64(_FINE), reached) // _FINE

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
        self._offer(self.best)

    def _bound(
        self, rows: Sequence[_Row], worth: Callable[[Array], Array], reached: Callable[[], float]
    ) -> int:
        """The lowest bound found on the sum of what the pairs of a choice are worth.

        `reached` is what the best choice so far is worth: no bound can be lower.
        """
        lowest: int | None = None
        prices = np.zeros(len(rows))
        for _ in range(_ROUNDS):
            prices = self._cut(rows, worth, prices, reached)
            bound, more = self._over_all_pairs(rows, worth, prices)
            lowest = bound if lowest is None else min(lowest, bound)
            if not len(more) or lowest - reached() <= _CLOSE * abs(lowest):
                break
            self._add(more)
        assert lowest is not None
        return lowest

    def _cut(
        self,
        rows: Sequence[_Row],
        worth: Callable[[Array], Array],
        start: Array,
        reached: Callable[[], float],
    ) -> Array:
        """The prices of the rows with the lowest bound, for the pairs at hand."""
        pool, pairs = self._pool, self.pairs
        groups = pool.groups[pairs.visitors]
        taken = np.zeros((len(rows), len(pairs)), np.int64)
        for number, row in enumerate(rows):
            taken[number] = row.taken(pairs.visitors, pairs.hosts)
        at_most = np.array([row.at_most for row in rows], np.float64)
        worths = worth(pairs.scores)
        highest = 10.0 * float(worths.max(initial=1)) / np.maximum(1, np.abs(taken).max(axis=1, initial=1))
        master = pywraplp.Solver.CreateSolver("GLOP")
        bound = master.NumVar(-master.infinity(), master.infinity(), "")
        variables = [master.NumVar(0.0, float(top), "") for top in highest]
        master.Minimize(bound)
        prices: Array = np.minimum(start, highest)
        best_prices = prices
        lowest = np.inf
        for cut in range(_CUTS):
            weights = worths - np.floor(prices[:, None] * taken).astype(np.int64).sum(axis=0)
            used = best_flow(groups, pairs.hosts, weights, pool.places, pool.group_count, most_first=False)
            self._offer(used)
            self._step("pricing the limits", 0.3 + 0.6 * cut / _CUTS, int(self.best.sum()))
            slope = at_most - taken[:, used].sum(axis=1)
            value = float(weights[used].sum()) + float(prices @ at_most)
            if value < lowest:
                lowest, best_prices = value, prices
            master.Add(
                bound - sum(float(s) * v for s, v in zip(slope, variables, strict=True))
                >= value - float(slope @ prices)
            )
            if master.Solve() != pywraplp.Solver.OPTIMAL:
                break
            if lowest - max(bound.solution_value(), reached()) <= _CLOSE * abs(lowest):
                break
            # Halfway to what the cuts suggest: at their corners they know little.
            suggested = np.array([variable.solution_value() for variable in variables])
            prices = (best_prices + suggested) / 2
        return best_prices

    def _over_all_pairs(
        self, rows: Sequence[_Row], worth: Callable[[Array], Array], prices: Array
    ) -> tuple[int, Pairs]:
        """The bound these prices prove, and pairs that could lower it."""
        pool, pairs = self._pool, self.pairs
        groups = pool.groups[pairs.visitors]

        def weigh(scores: Array, visitors: Array, hosts: Array) -> Array:
            weights = worth(scores)
            for row, price in zip(rows, prices, strict=True):
                if price > 0:
                    weights = weights - np.floor(price * row.taken(visitors, hosts)).astype(np.int64)
            return weights

        weights = weigh(pairs.scores, pairs.visitors, pairs.hosts)
        used = best_flow(groups, pairs.hosts, weights, pool.places, pool.group_count, most_first=False)
        group_price, host_price = least_prices(
            groups, pairs.hosts, weights, used, pool.places, pool.group_count
        )
        excess_of = np.zeros(pool.group_count, np.int64)
        visitors, hosts, scores = ([np.zeros(0, np.int64)] for _ in range(3))
        all_hosts = np.arange(pool.table.shape[1])
        for first, block in pool.table.blocks():
            numbers = np.arange(first, first + len(block))
            excess = weigh(block, numbers[:, None], all_hosts[None, :])
            excess -= group_price[pool.groups[numbers], None] + host_price[None, :]
            excess[block == IMPOSSIBLE] = 0
            highest = excess.max(axis=1, initial=0)
            np.maximum.at(excess_of, pool.groups[numbers], highest)
            for row in np.flatnonzero(highest > 0):
                columns = np.flatnonzero(excess[row] > 0)
                columns = columns[np.argsort(-excess[row, columns], kind="stable")[:_ADDED]]
                visitors.append(np.full(len(columns), first + row))
                hosts.append(columns)
                scores.append(block[row, columns])
        proven = int(group_price.sum() + excess_of.sum() + host_price @ pool.places)
        worth_of_rows = sum(price * row.at_most for row, price in zip(rows, prices, strict=True))
        more = Pairs.of(pool, *(np.concatenate(part) for part in (visitors, hosts, scores)))
        return proven + int(np.ceil(worth_of_rows)), more

    def _add(self, more: Pairs) -> None:
        best = self.pairs.only(self.best)
        pairs = self.pairs.and_also(self._pool, more)
        pairs.make_exact(self._pool, np.flatnonzero(~pairs.exact))
        self.pairs = pairs.possible()
        self.best = self.pairs.are_among(self._pool, best)

    def _offer(self, used: Array) -> None:
        """Make a choice keep within the limits, and remember it if none was better."""
        repaired = self._repaired(used)
        if self._rank(repaired) > self._rank(self.best):
            self.best = repaired

    def _rank(self, used: Array) -> tuple[int, int]:
        return int(used.sum()), int(self.pairs.scores[used].sum())

    def _repaired(self, used: Array) -> Array:
        """The best of the choice as far as the limits go, then whatever else still fits in."""
        pool, pairs = self._pool, self.pairs
        taken = np.zeros((len(pairs), len(self._limits)), np.int64)
        for number, limit in enumerate(self._limits):
            taken[:, number] = limit.taken(pairs.visitors, pairs.hosts)
        visited: set[int] = set()
        left = np.array([limit.at_most for limit in self._limits], np.int64)
        places, gone = pool.places.copy(), np.zeros(pool.group_count, np.bool_)
        groups, hosts = pool.groups[pairs.visitors], pairs.hosts
        kept = np.zeros(len(pairs), np.bool_)
        for candidates in (used, ~used):
            fits_in = candidates & ~gone[groups] & (places[hosts] > 0) & (taken <= left).all(axis=1)
            these = np.flatnonzero(fits_in)
            for k in these[np.argsort(-pairs.scores[these], kind="stable")]:
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
