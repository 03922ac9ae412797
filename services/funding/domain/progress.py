"""How far a partnership is on its way to its objective of exchanges."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import ClassVar, NamedTuple, Self

from services.funding.domain.lump_sum import CENT
from shared.aggregate import Aggregate


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


class Tally(Aggregate):
    """How many exchanges of a partnership came to their end on this platform; its id is the partnership's.

    Kept in the transaction that stores the grant, so that reading it costs the same however many there are.
    """

    COLLECTION: ClassVar[str] = "tallies"

    done: int = 0

    @classmethod
    def begin(cls, partnership: str) -> Self:
        """Nothing yet."""
        return cls(id=partnership)

    def add(self, change: int) -> None:
        """So many more, or fewer."""
        self.done += change
        assert self.done >= 0, f"{self.id} has undone more exchanges than it did"
        self._touch()
