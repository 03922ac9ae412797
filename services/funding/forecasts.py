"""Forecasts and their charts as they are asked for: computed beside the event loop, kept with their facts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, TypeVar, cast
from zlib import crc32

from services.funding.domain.assumptions import Assumptions, assumptions_on
from services.funding.domain.forecast import Forecast, OpenCase, Past, Position, forecast
from services.funding.rules_on_file import SHIPPED
from shared.on_file import entries_in

ChartFormat = Literal["svg", "png"]

_KEPT: Final = 64
T = TypeVar("T")


def assumptions_in(directory: Path = SHIPPED) -> list[Assumptions]:
    """The entries of `forecast/*.yaml`; those shipped where the directory has none. Raises `ValueError`."""
    return entries_in(directory / "forecast", Assumptions) or entries_in(SHIPPED / "forecast", Assumptions)


@dataclass(frozen=True)
class Facts:
    """All that a forecast of a partnership follows from, but the assumptions."""

    partnership: str
    name: str
    today: date
    position: Position
    cases: Sequence[OpenCase]
    past: Past
    rates: Sequence[Decimal]

    @cached_property
    def digest(self) -> str:
        """Their version: the same facts have the same."""
        return sha256(repr(self).encode()).hexdigest()

    @property
    def seed(self) -> int:
        """Always the same for a partnership: only what happens changes its answer."""
        return crc32(self.partnership.encode())


class Forecasts:
    """Computes forecasts in a thread, one at a time, and remembers the last ones by their facts."""

    def __init__(self, assumptions: Sequence[Assumptions]) -> None:
        self._assumptions = assumptions
        self._known: dict[tuple[object, ...], object] = {}
        self._one_at_a_time = asyncio.Lock()

    async def of(self, facts: Facts, *, months: int = 12) -> Forecast:
        """The forecast for so many months."""
        return await self._once(facts, (months,), lambda: self._simulate(facts, months))

    async def chart(self, facts: Facts, *, months: int, format: ChartFormat, width: int) -> bytes:
        """The forecast as a picture of that width in pixels."""
        answer = await self.of(facts, months=months)
        return await self._once(
            facts, (months, format, width), lambda: _draw(answer, facts.name, format, width)
        )

    async def _once(self, facts: Facts, asked: tuple[object, ...], compute: Callable[[], T]) -> T:
        key = (await asyncio.to_thread(lambda: facts.digest), *asked)
        async with self._one_at_a_time:
            if key in self._known:
                return cast(T, self._known[key])
            answer = await asyncio.to_thread(compute)
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = answer
            return answer

    def _simulate(self, facts: Facts, months: int) -> Forecast:
        return forecast(
            facts.position,
            facts.cases,
            facts.past,
            assumptions_on(self._assumptions, facts.today),
            facts.rates,
            today=facts.today,
            months=months,
            seed=facts.seed,
        )


def _draw(answer: Forecast, name: str, format: ChartFormat, width: int) -> bytes:
    # Loaded with the first picture: it takes a second and 40 MB, and workers draw none.
    from services.funding.charts import draw

    return draw(answer, name, format=format, width=width)
