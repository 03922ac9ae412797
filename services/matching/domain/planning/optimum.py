"""The optimum over all pairs, found on few of them.

A start of promising pairs is solved as a flow. Its prices then say of every pair whether it could make
the plan better; those that could are added, until there is none: the plan is then the best over all
pairs. Where scores are bounds, pairs the plan or its proof rests upon are made exact first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.matching.domain.planning.flow import best_flow, least_prices
from services.matching.domain.planning.scores import IMPOSSIBLE, ScoreTable
from services.matching.domain.planning.waiting import longest_waiting_first

Array = NDArray[Any]

_START_OF_VISITOR: Final = 15
_START_OF_HOST: Final = 10
"""Each one's best partners, with which the search starts."""

_ADDED: Final = 10
"""Pairs a visitor gets at the most in one round."""

_NEAR: Final = 100
"""Pairs this close to being part of an optimum, in hundredths, are made exact at once."""

_APART: Final = 64
"""Equal scores are told apart by a random number below this, lest all start with the same few hosts."""


@dataclass
class Pool:
    """The numbers of a problem: who shares a visit, how many places there are, what a pair is worth."""

    table: ScoreTable
    groups: Array
    """The group of each visitor; one of a group goes."""
    places: Array
    extra: dict[tuple[int, int], int]
    """What a pair counts beyond its score: proposals to be kept."""

    @property
    def group_count(self) -> int:
        """How many groups there are."""
        return int(self.groups.max()) + 1 if len(self.groups) else 0

    @property
    def one_exchange(self) -> int:
        """So much that no scores together outweigh half of it, nor those of a plan with one more place.

        What a price says of exchanges, and what of scores, can then be told apart.
        """
        most = 10_001 + max(self.extra.values(), default=0)
        return 2 * most * (1 + min(self.group_count, int(self.places.sum())))


@dataclass
class Pairs:
    """Pairs under consideration, in the order of visitor and host."""

    visitors: Array
    hosts: Array
    scores: Array
    """Hundredths, with what a pair counts beyond its score."""
    exact: Array
    """Whether the score is known, or a bound."""

    def __len__(self) -> int:
        return len(self.visitors)

    def only(self, mask: Array) -> Pairs:
        """Those of the mask."""
        return Pairs(self.visitors[mask], self.hosts[mask], self.scores[mask], self.exact[mask])

    def with_more(self, pool: Pool, visitors: Array, hosts: Array) -> Pairs:
        """These and those, each once."""
        m = pool.table.shape[1]
        known = self.visitors * m + self.hosts
        new = np.setdiff1d(visitors * m + hosts, known)
        scores = np.concatenate([self.scores, _scores_of(pool, new // m, new % m)])
        exact = np.concatenate([self.exact, np.zeros(len(new), np.bool_)])
        keys = np.concatenate([known, new])
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        return Pairs(keys // m, keys % m, scores[order], exact[order]).possible()

    def are_among(self, pool: Pool, visitors: Array, hosts: Array) -> Array:
        """Which of these are among those, as a mask."""
        m = pool.table.shape[1]
        return np.isin(self.visitors * m + self.hosts, visitors * m + hosts)

    def possible(self) -> Pairs:
        """Without those found to be impossible."""
        return self.only(self.scores != IMPOSSIBLE)

    def make_exact(self, pool: Pool, which: Array) -> bool:
        """Make these scores exact; says whether any was lower than its bound. Impossible ones get -1."""
        visitors, hosts = self.visitors[which], self.hosts[which]
        found = _with_extra(pool, visitors, hosts, pool.table.exact(visitors, hosts))
        lowered = bool((found != self.scores[which]).any())
        self.scores[which] = found
        self.exact[which] = True
        return lowered


def _scores_of(pool: Pool, visitors: Array, hosts: Array) -> Array:
    found = np.empty(len(visitors), np.int64)
    # In the order of visitors, so that each block is looked at once.
    order = np.argsort(visitors, kind="stable")
    ordered = visitors[order]
    for first, block in pool.table.blocks():
        low, high = np.searchsorted(ordered, (first, first + len(block)))
        chosen = order[low:high]
        found[chosen] = block[visitors[chosen] - first, hosts[chosen]]
    return _with_extra(pool, visitors, hosts, found)


def _with_extra(pool: Pool, visitors: Array, hosts: Array, scores: Array) -> Array:
    if pool.extra:
        m = pool.table.shape[1]
        keys = visitors * m + hosts
        for (visitor, host), extra in pool.extra.items():
            scores[(keys == visitor * m + host) & (scores != IMPOSSIBLE)] += extra
    return scores


@dataclass
class Optimum:
    """An optimal choice of pairs, and the prices that prove it over all of them."""

    pairs: Pairs
    used: Array
    group_price: Array
    host_price: Array
    """In the same measure as weights: a pair's score and `Pool.one_exchange`."""


def optimum(pool: Pool, step: Callable[[str, float, int], None]) -> Optimum:
    """As many pairs as possible, then the highest score, over all pairs; then who has waited longest.

    The last is decided among the pairs the search has come to look at, which are all in a small pool.

    `step` is told what is done, how far it is, and how many exchanges there are.
    """
    one = pool.one_exchange
    step("looking for a start", 0.3, 0)
    pairs = start(pool)
    rounds = 0
    while True:
        rounds += 1
        pairs = pairs.possible()
        groups = pool.groups[pairs.visitors]
        used = best_flow(groups, pairs.hosts, pairs.scores, pool.places, pool.group_count, most_first=True)
        weights = pairs.scores + one
        group_price, host_price = least_prices(
            groups, pairs.hosts, weights, used, pool.places, pool.group_count
        )
        step("improving", 1 - 0.7 / (1 + rounds), int(used.sum()))
        near = weights >= group_price[groups] + host_price[pairs.hosts] - _NEAR
        unsure = np.flatnonzero(near & ~pairs.exact)
        if len(unsure) and pairs.make_exact(pool, unsure):
            continue
        visitors, hosts = better_pairs(pool, group_price, host_price)
        step("proving", 1 - 0.5 / (1 + rounds), int(used.sum()))
        if not len(visitors):
            prices = group_price[groups] + host_price[pairs.hosts]
            tight = pairs.exact & (weights == prices)
            used = longest_waiting_first(groups, pairs.hosts, tight, used, group_price)
            return Optimum(pairs, used, group_price, host_price)
        pairs = pairs.with_more(pool, visitors, hosts)
        pairs.make_exact(pool, np.flatnonzero(pairs.are_among(pool, visitors, hosts)))


def start(pool: Pool) -> Pairs:
    """The best partners of each visitor and of each host, and the proposals to be kept."""
    n, m = pool.table.shape
    random = np.random.default_rng(n * m)
    of_visitor, of_host = min(_START_OF_VISITOR, m), min(_START_OF_HOST, n)
    found: list[Array] = [np.array([i * m + j for i, j in pool.extra], np.int64)]
    best = np.full((m, 0), -1, np.int32)
    best_visitors = np.zeros((m, 0), np.int64)
    for first, block in pool.table.blocks():
        ranks = block.astype(np.int32) * _APART
        ranks += random.integers(0, _APART, block.shape, dtype=np.int32)
        chosen = _highest(ranks, of_visitor)
        found.append(_keys(chosen, ranks, m, first))
        # The hosts' best so far, and those of this block.
        chosen = _highest(np.ascontiguousarray(ranks.T), of_host)
        best = np.hstack([best, np.take_along_axis(ranks.T, chosen, 1)])
        best_visitors = np.hstack([best_visitors, chosen + first])
        kept = _highest(best, of_host)
        best = np.take_along_axis(best, kept, 1)
        best_visitors = np.take_along_axis(best_visitors, kept, 1)
    hosts, places = np.nonzero(best >= 0)
    found.append(best_visitors[hosts, places] * m + hosts)
    keys = np.unique(np.concatenate(found))
    none = np.zeros(0, np.int64)
    return Pairs(none, none, none, none.astype(np.bool_)).with_more(pool, keys // m, keys % m)


def _highest(ranks: Array, count: int) -> Array:
    """The columns of the highest in each row."""
    if count >= ranks.shape[1]:
        return np.broadcast_to(np.arange(ranks.shape[1]), ranks.shape)
    return np.argpartition(ranks, ranks.shape[1] - count, axis=1)[:, ranks.shape[1] - count :]


def _keys(chosen: Array, ranks: Array, m: int, first: int) -> Array:
    rows = np.broadcast_to(np.arange(len(chosen))[:, None], chosen.shape)
    possible = np.take_along_axis(ranks, chosen, 1) >= 0
    keys: Array = (rows[possible] + first) * m + chosen[possible]
    return keys


def better_pairs(pool: Pool, group_price: Array, host_price: Array) -> tuple[Array, Array]:
    """Pairs that weigh more than their prices, the most promising of each visitor; none proves the optimum.

    What a pair counts beyond its score is left out: those pairs are under consideration from the start.
    """
    m = pool.table.shape[1]
    # No price, nor what a pair exceeds its prices by, is much larger than an exchange.
    whole = np.int32 if pool.one_exchange < 2_000_000_000 else np.int64
    prices = host_price.astype(whole)
    bar = (pool.one_exchange - group_price[pool.groups]).astype(whole)
    visitors, hosts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for first, block in pool.table.blocks():
        excess = block - prices
        excess += bar[first : first + len(block), None]
        excess[block < 0] = 0
        promising = np.flatnonzero(excess.max(axis=1, initial=0) > 0)
        if len(promising):
            found = excess[promising]
            chosen = _highest(found, min(_ADDED, m))
            rows, places = np.nonzero(np.take_along_axis(found, chosen, 1) > 0)
            visitors.append(promising[rows] + first)
            hosts.append(chosen[rows, places])
    return np.concatenate(visitors), np.concatenate(hosts)
