"""The scores of all pairs: at most, for blocks of visitors at once, and exactly, for the pairs asked for."""

from __future__ import annotations

from typing import Any, Protocol

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
        self.shape = (len(problem.visitors), len(problem.hosts))

    def at_most(self, first: int, last: int) -> Array:
        """A row for each of these visitors."""
        problem = self._problem
        rows = np.empty((last - first, self.shape[1]), np.int16)
        for row, visitor in enumerate(problem.visitors[first:last]):
            rows[row] = self._index.most_points(visitor, problem.weights, problem.on)
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
        if fits.pairing_constraints(visiting, hosting, visit_used=False):
            return IMPOSSIBLE
        days = fits.common_stretch(visiting, hosting, problem.on)
        if days is None:
            return IMPOSSIBLE
        return sum(fits.points(visiting, hosting, problem.weights, days, problem.on).values())
