"""The scores of all pairs: at most, for blocks of visitors at once, and exactly, for the pairs asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from services.matching.domain import fit as fits
from services.matching.domain.planning.problem import PlanProblem
from services.matching.domain.pool import Pool

Array = NDArray[Any]

IMPOSSIBLE = -1
"""In place of a score where no stay is possible."""


class Scores(Protocol):
    """Hundredths of points by visitor and host, both as positions; `IMPOSSIBLE` where there is no stay."""

    shape: tuple[int, int]

    def at_most(self, first: int, last: int) -> Array:
        """For visitors `first` up to `last`, a row of int16 each: never below the exact score."""
        ...

    def exact(self, visitors: Array, hosts: Array) -> Array:
        """For each pair its score, as int64."""
        ...


class PoolScores:
    """Scores by the rules of `fit`, bounded by the pool's index."""

    def __init__(self, problem: PlanProblem) -> None:
        self._problem = problem
        self._index = Pool(max(1, len(problem.hosts)))
        for host in problem.hosts:
            self._index.put(host)
        hosts = {host.id: number for number, host in enumerate(problem.hosts)}
        self._apart: dict[str, list[int]] = {}
        for visitor, other in problem.apart:
            if other in hosts:
                self._apart.setdefault(visitor, []).append(hosts[other])
        self.shape = (len(problem.visitors), len(problem.hosts))

    def at_most(self, first: int, last: int) -> Array:
        """A row for each of these visitors."""
        problem = self._problem
        rows = np.empty((last - first, self.shape[1]), np.int16)
        if not self.shape[1]:
            return rows
        for row, visitor in enumerate(problem.visitors[first:last]):
            rows[row] = self._index.most_points(visitor, problem.weights, problem.on)
            rows[row, self._apart.get(visitor.id, [])] = IMPOSSIBLE
        return rows

    def exact(self, visitors: Array, hosts: Array) -> Array:
        """The scores of these pairs, one by one."""
        return np.fromiter(
            (self.of(visitor, host) for visitor, host in zip(visitors.tolist(), hosts.tolist(), strict=True)),
            np.int64,
            len(visitors),
        )

    def of(self, visitor: int, host: int) -> int:
        """The score of one pair."""
        problem = self._problem
        visiting, hosting = problem.visitors[visitor], problem.hosts[host]
        if host in self._apart.get(visiting.id, ()):
            return IMPOSSIBLE
        if fits.pairing_constraints(visiting, hosting, visit_used=False):
            return IMPOSSIBLE
        days = fits.common_stretch(visiting, hosting, problem.on)
        if days is None:
            return IMPOSSIBLE
        return sum(fits.points(visiting, hosting, problem.weights, days, problem.on).values())


_MOST_HELD: Final = 300_000_000
"""Scores kept in memory, two bytes each; of a larger pool they are computed whenever they are looked at."""

_BLOCK_CELLS: Final = 4_000_000


class ScoreTable:
    """The scores of all pairs as far as they are known: exact ones take the place of what was a bound."""

    def __init__(self, scores: Scores, step: Callable[[float], None] = lambda _: None) -> None:
        self.shape = scores.shape
        self._scores = scores
        self._held: Array | None = None
        self._known = np.zeros(0, np.int64)
        self._known_scores = np.zeros(0, np.int16)
        n, m = self.shape
        if n * m <= _MOST_HELD:
            held = np.empty((n, m), np.int16)
            for first, last in self._blocks():
                step(first / n)
                held[first:last] = scores.at_most(first, last)
            self._held = held

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """The rows in blocks, each with the number of its first one."""
        for first, last in self._blocks():
            yield first, self.rows(first, last)

    def rows(self, first: int, last: int) -> Array:
        """The rows of these visitors; not to be changed."""
        if self._held is not None:
            return self._held[first:last]
        rows = self._scores.at_most(first, last)
        low, high = np.searchsorted(self._known, (first * self.shape[1], last * self.shape[1]))
        rows.ravel()[self._known[low:high] - first * self.shape[1]] = self._known_scores[low:high]
        return rows

    def exact(self, visitors: Array, hosts: Array) -> Array:
        """The exact scores of these pairs, remembered."""
        found = self._scores.exact(visitors, hosts)
        if self._held is not None:
            self._held[visitors, hosts] = found
        else:
            keys = np.concatenate([self._known, visitors * self.shape[1] + hosts])
            scores = np.concatenate([self._known_scores, found.astype(np.int16)])
            self._known, first = np.unique(keys, return_index=True)
            self._known_scores = scores[first]
        return found

    def _blocks(self) -> Iterator[tuple[int, int]]:
        n, m = self.shape
        size = max(1, _BLOCK_CELLS // max(1, m))
        return ((first, min(n, first + size)) for first in range(0, n, size))
