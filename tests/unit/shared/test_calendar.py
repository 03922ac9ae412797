"""Calendars: what the library says, what is corrected in it with a source, and whose holiday a day is."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from shared.calendar import CORRECTIONS, Correction, Corrections, calendar, corrected
from shared.on_file import entry_in

JUNE_1, JUNE_2 = date(2023, 6, 1), date(2023, 6, 2)


def a_correction(**changes: object) -> Correction:
    given = {
        "country": "IT",
        "day": JUNE_1,
        "holiday": "Day of Mourning",
        "source": "A decree",
        **changes,
    }
    return Correction.model_validate(given)


@pytest.mark.parametrize(
    ("correction", "region", "holidays"),
    [
        (a_correction(), None, {JUNE_1: "Day of Mourning", JUNE_2: "Republic Day"}),
        (a_correction(), "MI", {JUNE_1: "Day of Mourning", JUNE_2: "Republic Day"}),
        (a_correction(region="MI"), "MI", {JUNE_1: "Day of Mourning", JUNE_2: "Republic Day"}),
        (a_correction(region="MI"), "RM", {JUNE_2: "Republic Day"}),
        (a_correction(region="MI"), None, {JUNE_2: "Republic Day"}),
        (a_correction(day=JUNE_2, holiday=None), None, {}),
        (a_correction(day=JUNE_2, holiday="Republic Day, moved"), None, {JUNE_2: "Republic Day, moved"}),
        (a_correction(day=date(2024, 6, 1)), None, {JUNE_2: "Republic Day"}),
        (a_correction(country="FR"), None, {JUNE_2: "Republic Day"}),
    ],
)
def test_a_correction_adds_a_day_or_takes_one_off_where_and_when_it_says(
    correction: Correction, region: str | None, holidays: dict[date, str]
) -> None:
    assert corrected({JUNE_2: "Republic Day"}, "IT", region, 2023, [correction]) == holidays


def test_the_shipped_corrections_can_be_read_and_so_can_their_example(tmp_path: Path) -> None:
    assert isinstance(entry_in(CORRECTIONS, Corrections).corrections, list)
    lines = CORRECTIONS.read_text(encoding="utf-8").splitlines()
    example = [line.removeprefix("#") for line in lines if line.startswith("#   ")]
    path = tmp_path / "holidays.yaml"
    path.write_text("\n".join(["corrections:", *example]), encoding="utf-8")
    [correction] = entry_in(path, Corrections).corrections
    assert (correction.country, correction.region, correction.day) == ("DE", "BE", date(2020, 5, 8))


def test_a_correction_without_a_source_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "holidays.yaml"
    path.write_text("corrections: [{country: IT, day: 2023-06-01, holiday: Mourning}]", encoding="utf-8")
    with pytest.raises(ValueError, match="source"):
        entry_in(path, Corrections)


def test_a_holiday_is_the_region_s_or_the_whole_country_s() -> None:
    bavaria = calendar("DE", "DE-BY")
    assert bavaria.region_name == "Bayern"
    assert bavaria.is_regional(date(2023, 1, 6))
    assert not bavaria.is_regional(date(2023, 10, 3))
    assert not bavaria.is_regional(date(2023, 1, 9))


@pytest.mark.parametrize(
    ("country", "day", "regions"),
    [
        ("DE", date(2023, 3, 8), ["Berlin", "Mecklenburg-Vorpommern"]),
        ("DE", date(2023, 10, 3), []),
        ("DE", date(2023, 10, 4), []),
        ("IT", date(2022, 12, 7), []),
        ("AT", date(2023, 3, 8), []),
    ],
)
def test_the_regions_that_keep_a_day_are_named_and_italy_s_patron_saints_are_not(
    country: str, day: date, regions: list[str]
) -> None:
    assert calendar(country).where_regional(day) == regions
