"""Work that nobody waits for: how long it rests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shared import pace
from shared.pace import Pace


class Clocks:
    """A machine without time of its own: work and rests move its clocks."""

    def __init__(self, pressure: Path) -> None:
        self.now = self.used = self.pressure_s = 0.0
        self.rests: list[float] = []
        self.others_use = self.others_wait = 0.0
        self._pressure = pressure
        self._say_pressure()

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.used

    async def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.now += seconds
        self.used += self.others_use * seconds
        self.pressure_s += self.others_wait * seconds
        self._say_pressure()

    def _say_pressure(self) -> None:
        total = int(self.pressure_s * 1_000_000)
        self._pressure.write_text(f"some avg10=0.00 avg60=0.00 avg300=0.00 total={total}\nfull total=0\n")


@pytest.fixture
def clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks(tmp_path / "cpu")
    monkeypatch.setattr(pace, "_PRESSURE", tmp_path / "cpu")
    monkeypatch.setattr(pace, "time", clocks)
    monkeypatch.setattr(asyncio, "sleep", clocks.sleep)
    return clocks


async def last_rest(clocks: Clocks, *, pieces: int = 30) -> float:
    """How long the last of so many pieces of work, a tenth of a second each, is rested from."""
    paced = Pace(idle=1.0, busy=20.0, longest_s=1.5)
    for _ in range(pieces):
        async with paced:
            clocks.now += 0.1
            clocks.used += 0.1
    return clocks.rests[-1]


async def test_work_has_half_of_the_time_while_nothing_else_is_done(clocks: Clocks) -> None:
    assert await last_rest(clocks) == pytest.approx(0.1)


async def test_it_steps_back_while_its_own_process_has_other_work(clocks: Clocks) -> None:
    clocks.others_use = 0.5
    assert await last_rest(clocks) == 1.5


async def test_it_steps_back_while_other_processes_wait_for_a_processor(clocks: Clocks) -> None:
    clocks.others_wait = 0.8
    assert await last_rest(clocks) == 1.5


async def test_no_rest_is_longer_than_the_longest_however_busy_the_machine_is(clocks: Clocks) -> None:
    clocks.others_use = clocks.others_wait = 1.0
    await last_rest(clocks)
    assert max(clocks.rests) == 1.5


async def test_it_takes_up_its_work_again_when_the_others_are_done(clocks: Clocks) -> None:
    clocks.others_wait = 1.0
    paced = Pace(idle=1.0, busy=20.0, longest_s=1.5)
    for piece in range(40):
        if piece == 20:
            clocks.others_wait = 0.0
        async with paced:
            clocks.now += 0.1
    assert clocks.rests[19] == 1.5
    assert clocks.rests[-1] == pytest.approx(0.1)


async def test_where_the_system_does_not_tell_of_waiting_only_its_own_process_counts(
    clocks: Clocks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pace, "_PRESSURE", tmp_path / "not-there")
    clocks.others_wait = 1.0
    assert await last_rest(clocks) == pytest.approx(0.1)
    clocks.others_use = 1.0
    assert await last_rest(clocks) == 1.5
