"""How far a partnership is on its way to its objective of exchanges."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from services.funding.domain.lump_sum import CENT


class Progress(NamedTuple):
    """Exchanges with a validated report, out of the objective; what is only reserved does not count."""

    done: int
    objective: int

    @property
    def percent(self) -> Decimal:
        """Two decimals, rounded down: 100 only when the objective is reached."""
        return (Decimal(100 * self.done) / self.objective).quantize(CENT, ROUND_DOWN)

    @property
    def sentence(self) -> str:
        """`23 / 80, 28.75 %`."""
        return f"{self.done} / {self.objective}, {self.percent.normalize():f} %"
