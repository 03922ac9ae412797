"""The public sentence on a partnership's progress."""

from __future__ import annotations

import pytest

from services.funding.domain.progress import Progress
from services.funding.use_cases.read_progress import read_progress
from shared.partnerships import SHIPPED_PARTNERSHIPS, Partnerships
from tests.unit.funding.builders import transactions


async def test_the_shipped_partnership_has_come_as_far_as_published() -> None:
    hempclub = Partnerships.load(SHIPPED_PARTNERSHIPS).require("hempclub")
    progress = await transactions().read(lambda uow: read_progress(uow, hempclub))
    assert progress.sentence == "23 / 80, 28.75 %"


@pytest.mark.parametrize(
    ("done", "objective", "sentence"),
    [
        (0, 80, "0 / 80, 0 %"),
        (20, 80, "20 / 80, 25 %"),
        (1, 3, "1 / 3, 33.33 %"),
        (19_999, 20_000, "19999 / 20000, 99.99 %"),
        (80, 80, "80 / 80, 100 %"),
        (90, 80, "90 / 80, 112.5 %"),
    ],
)
def test_percentages_are_rounded_down(done: int, objective: int, sentence: str) -> None:
    assert Progress(done, objective).sentence == sentence
