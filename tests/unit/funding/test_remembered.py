"""Answers that took long are given again for a while; what is found quickly is always found anew."""

from __future__ import annotations

import pytest

from services.funding.remembered import DEAR_S, KEPT_TIMES, Remembered


class Counting:
    """Answers that take so many seconds each, on a clock of their own."""

    def __init__(self, takes: float) -> None:
        self.now, self.found, self._takes = 0.0, 0, takes

    async def find(self) -> int:
        self.now += self._takes
        self.found += 1
        return self.found


async def test_what_is_found_quickly_is_always_found_anew() -> None:
    counting = Counting(DEAR_S / 2)
    remembered = Remembered[int](lambda: counting.now)
    assert [await remembered.get("totals", counting.find) for _ in range(3)] == [1, 2, 3]


async def test_what_took_long_is_kept_for_so_many_times_as_long() -> None:
    counting = Counting(0.2)
    remembered = Remembered[int](lambda: counting.now)
    assert [await remembered.get("totals", counting.find) for _ in range(3)] == [1, 1, 1]
    assert await remembered.get("others", counting.find) == 2
    counting.now = 0.2 + KEPT_TIMES * 0.2 + 0.01
    assert await remembered.get("totals", counting.find) == 3


async def test_a_refusal_is_not_remembered() -> None:
    remembered = Remembered[int]()

    async def refuse() -> int:
        raise PermissionError

    for _ in range(2):
        with pytest.raises(PermissionError):
            await remembered.get("totals", refuse)
