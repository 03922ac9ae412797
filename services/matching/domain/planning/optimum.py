"""The optimum over all pairs, found on few of them.

Each visitor's and each host's best partners are listed, and the most promising of the list solved as a
flow. Its prices then say of every pair of the list whether it could make the plan better; those that
could are added, until there is none. Then all pairs are looked at: where some could still make the plan
better, the list gets the most promising of those visitors, and it goes on; where none could, the plan is
the best over all pairs. Where scores are bounds, pairs the plan or its proof rests upon are made exact
first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
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

_LISTED: Final = 64
"""A visitor's most promising partners, which are looked at in each round; all are where the list ends."""

_ADDED: Final = 10
"""Pairs a visitor gets at the most in one round."""

_NEAR: Final = 300
"""Pairs this close to being part of an optimum, in hundredths, are made exact at once."""

_ROUNDS_TO_SET_ASIDE: Final = 5
"""So often those that are not so close are set aside; for ever, two could take turns without an end."""

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
    """What a pair counts beyond its score: proposals to be kept. Not to be changed."""

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

    @cached_property
    def kept(self) -> tuple[Array, Array]:
        """The pairs that count more than their score, as sorted numbers, and how much more."""
        m = self.table.shape[1]
        by_number = sorted((visitor * m + host, more) for (visitor, host), more in self.extra.items())
        numbers, extra = np.array(by_number, np.int64).reshape(-1, 2).T
        return numbers, extra


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

    @classmethod
    def of(cls, pool: Pool, visitors: Array, hosts: Array, scores: Array) -> Pairs:
        """Pairs, each once, with the scores the table has for them."""
        keys, first = np.unique(visitors * pool.table.shape[1] + hosts, return_index=True)
        visitors, hosts = np.divmod(keys, pool.table.shape[1])
        scores = _with_extra(pool, visitors, hosts, scores[first].astype(np.int64))
        return cls(visitors, hosts, scores, np.zeros(len(keys), np.bool_)).possible()

    def only(self, mask: Array) -> Pairs:
        """Those of the mask."""
        return Pairs(self.visitors[mask], self.hosts[mask], self.scores[mask], self.exact[mask])

    def and_also(self, pool: Pool, others: Pairs) -> Pairs:
        """These and those, each once; what is known of one that is here already stays."""
        keys = np.concatenate([self.keys(pool), others.keys(pool)])
        _, chosen = np.unique(keys, return_index=True)
        both = Pairs(
            np.concatenate([self.visitors, others.visitors]),
            np.concatenate([self.hosts, others.hosts]),
            np.concatenate([self.scores, others.scores]),
            np.concatenate([self.exact, others.exact]),
        )
        return both.only(chosen)

    def keys(self, pool: Pool) -> Array:
        """A number for each, the same in whatever company."""
        keys: Array = self.visitors * pool.table.shape[1] + self.hosts
        return keys

    def are_among(self, pool: Pool, others: Pairs) -> Array:
        """Which of these are among those, as a mask."""
        return np.isin(self.keys(pool), others.keys(pool))

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


def _with_extra(pool: Pool, visitors: Array, hosts: Array, scores: Array) -> Array:
    numbers, extra = pool.kept
    if len(numbers):
        keys = visitors * pool.table.shape[1] + hosts
        at = np.minimum(np.searchsorted(numbers, keys), len(numbers) - 1)
        scores = scores + extra[at] * ((numbers[at] == keys) & (scores != IMPOSSIBLE))
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

    The last is decided among the pairs the search has come to list, which are all in a small pool.

    `step` is told what is done, how far it is, and how many exchanges there are.
    """
    one = pool.one_exchange
    step("looking for a start", 0.3, 0)
    pairs, chosen = start(pool)
    rounds = 0
    while True:
        rounds += 1
        at = np.flatnonzero(chosen)
        groups, hosts, scores = pool.groups[pairs.visitors[at]], pairs.hosts[at], pairs.scores[at]
        used = best_flow(groups, hosts, scores, pool.places, pool.group_count, most_first=True)
        group_price, host_price = least_prices(
            groups, hosts, scores + one, used, pool.places, pool.group_count
        )
        step("improving", 1 - 0.7 / (1 + rounds / 3), int(used.sum()))
        excess = _excess(pool, pairs, group_price, host_price)
        unsure = np.flatnonzero(chosen & ~pairs.exact & (excess >= -_NEAR))
        lowered = pairs.make_exact(pool, unsure)
        chosen &= pairs.scores != IMPOSSIBLE
        if rounds <= _ROUNDS_TO_SET_ASIDE:
            chosen &= excess >= -_NEAR
        better = _most_promising(pairs, excess, ~chosen)
        if not len(better) and not lowered:
            step("proving", 1 - 0.5 / (1 + rounds / 3), int(used.sum()))
            more = better_pairs(pool, group_price, host_price)
            if not len(more):
                tight = np.flatnonzero(excess == 0)
                pairs.make_exact(pool, tight[~pairs.exact[tight]])
                pairs, used = _known(pairs, at[used])
                groups = pool.groups[pairs.visitors]
                tight = _excess(pool, pairs, group_price, host_price) == 0
                used = longest_waiting_first(groups, pairs.hosts, tight, used, group_price)
                return Optimum(pairs, used, group_price, host_price)
            before = pairs.only(chosen)
            pairs = pairs.and_also(pool, more)
            chosen = pairs.are_among(pool, before)
            better = _most_promising(pairs, _excess(pool, pairs, group_price, host_price), ~chosen)
        pairs.make_exact(pool, better[~pairs.exact[better]])
        chosen[better] = pairs.scores[better] != IMPOSSIBLE


def _excess(pool: Pool, pairs: Pairs, group_price: Array, host_price: Array) -> Array:
    """By how much each pair weighs more than its prices; far less where it is impossible."""
    excess: Array = pairs.scores + pool.one_exchange
    excess -= group_price[pool.groups[pairs.visitors]]
    excess -= host_price[pairs.hosts]
    excess[pairs.scores == IMPOSSIBLE] = -pool.one_exchange
    return excess


def _most_promising(pairs: Pairs, excess: Array, others: Array) -> Array:
    """Of those others that weigh more than their prices the positions of some of each visitor."""
    found = np.flatnonzero(others & (excess > 0))
    found = found[np.lexsort((-excess[found], pairs.visitors[found]))]
    visitors = pairs.visitors[found]
    rank = np.arange(len(found)) - np.searchsorted(visitors, visitors)
    chosen: Array = found[rank < _ADDED]
    return chosen


def _known(pairs: Pairs, used: Array) -> tuple[Pairs, Array]:
    """Those whose scores are known, and which of them are used, as a mask."""
    taken = np.zeros(len(pairs), np.bool_)
    taken[used] = True
    known = pairs.exact & (pairs.scores != IMPOSSIBLE)
    return pairs.only(known), taken[known]


def start(pool: Pool) -> tuple[Pairs, Array]:
    """A list of the best partners of each visitor and of each host, and the proposals to be kept; and a
    mask of those to begin with."""
    n, m = pool.table.shape
    random = np.random.default_rng(n * m)
    of_visitor, of_host, listed = min(_START_OF_VISITOR, m), min(_START_OF_HOST, n), min(_LISTED, m)
    kept, _ = pool.kept
    keys: list[Array] = [np.zeros(0, np.int64)]
    scores: list[Array] = [np.zeros(0, np.int64)]
    begin: list[Array] = [kept]
    best = np.full((m, 0), -1, np.int32)
    best_visitors = np.zeros((m, 0), np.int64)
    for first, block in pool.table.blocks():
        ranks = block.astype(np.int32) * _APART
        ranks += random.integers(0, _APART, block.shape, dtype=np.int32)
        low, high = np.searchsorted(kept, (first * m, (first + len(block)) * m))
        keys.append(kept[low:high])
        scores.append(block.ravel()[kept[low:high] - first * m])
        columns = _highest(ranks, listed)
        found = np.take_along_axis(ranks, columns, 1)
        rows, places = np.nonzero(found >= 0)
        keys.append((rows + first) * m + columns[rows, places])
        scores.append(found[rows, places] // _APART)
        chosen = _highest(found, of_visitor)
        rows, places = np.nonzero(np.take_along_axis(found, chosen, 1) >= 0)
        begin.append((rows + first) * m + columns[rows, chosen[rows, places]])
        # The hosts' best so far, and those of this block.
        turned = np.ascontiguousarray(ranks.T)
        chosen = _highest(turned, of_host)
        best = np.hstack([best, np.take_along_axis(turned, chosen, 1)])
        best_visitors = np.hstack([best_visitors, chosen + first])
        chosen = _highest(best, of_host)
        best = np.take_along_axis(best, chosen, 1)
        best_visitors = np.take_along_axis(best_visitors, chosen, 1)
    hosts, places = np.nonzero(best >= 0)
    keys.append(best_visitors[hosts, places] * m + hosts)
    scores.append(best[hosts, places] // _APART)
    begin.append(keys[-1])
    visitors, hosts = np.divmod(np.concatenate(keys), m)
    pairs = Pairs.of(pool, visitors, hosts, np.concatenate(scores))
    return pairs, np.isin(pairs.keys(pool), np.concatenate(begin))


def _highest(ranks: Array, count: int) -> Array:
    """The columns of the highest in each row."""
    if count >= ranks.shape[1]:
        return np.broadcast_to(np.arange(ranks.shape[1]), ranks.shape)
    return np.argpartition(ranks, ranks.shape[1] - count, axis=1)[:, ranks.shape[1] - count :]


def better_pairs(pool: Pool, group_price: Array, host_price: Array) -> Pairs:
    """The most promising pairs of each visitor that has one that weighs more than its prices.

    When there is none, that proves the optimum. What a pair counts beyond its score is left out: those
    pairs are listed from the start.
    """
    m = pool.table.shape[1]
    # No price, nor what a pair exceeds its prices by, is larger than one exchange and a half.
    whole = np.int32 if pool.one_exchange < 1_400_000_000 else np.int64
    prices = host_price.astype(whole)
    bar = (pool.one_exchange - group_price[pool.groups]).astype(whole)
    visitors, hosts, scores = ([np.zeros(0, np.int64)] for _ in range(3))
    for first, block in pool.table.blocks():
        excess = block - prices
        excess += bar[first : first + len(block), None]
        excess[block < 0] = np.iinfo(whole).min
        promising = np.flatnonzero(excess.max(axis=1, initial=0) > 0)
        columns = _highest(excess[promising], min(_LISTED, m))
        found = block[promising[:, None], columns]
        rows, places = np.nonzero(found >= 0)
        visitors.append(promising[rows] + first)
        hosts.append(columns[rows, places])
        scores.append(found[rows, places])
    return Pairs.of(pool, *(np.concatenate(part) for part in (visitors, hosts, scores)))
