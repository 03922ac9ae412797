"""Which days of a stay count, and the reason given for each."""

from __future__ import annotations

from datetime import date

import pytest

from services.funding.domain.stay import AcceptedDay
from services.funding.domain.working_days import explain_days
from shared.calendar import NoCalendar, calendar
from tests.unit.funding.builders import POLICIES


def working_days(country: str, first_day: str, last_day: str, region: str | None = None) -> int:
    days = explain_days(
        date.fromisoformat(first_day), date.fromisoformat(last_day), calendar(country, region)
    )
    return sum(day.counted for day in days)


@pytest.mark.parametrize(
    ("country", "region", "first_day", "last_day", "expected"),
    [
        pytest.param("IT", None, "2023-02-14", "2023-02-16", 3, id="no holiday, no weekend"),
        pytest.param("CZ", None, "2023-07-03", "2023-07-07", 3, id="two holidays on weekdays"),
        pytest.param("DE", None, "2023-01-02", "2023-01-06", 5, id="Epiphany is no holiday of all Germany"),
        pytest.param("DE", "BY", "2023-01-02", "2023-01-06", 4, id="Epiphany in Bavaria"),
        pytest.param("DE", "DE-BY", "2023-01-02", "2023-01-06", 4, id="the region with its country"),
        pytest.param("DE", "by ", "2023-01-02", "2023-01-06", 4, id="the region in any case"),
        pytest.param("DE", "Bayern", "2023-01-02", "2023-01-06", 4, id="the region by its name"),
        pytest.param("IT", "MI", "2022-12-05", "2022-12-09", 3, id="Saint Ambrose is a holiday in Milan"),
        pytest.param("IT", None, "2022-12-05", "2022-12-09", 4, id="Italy: Immaculate Conception alone"),
        pytest.param("IT", "25", "2022-12-05", "2022-12-09", 4, id="Lombardy has no days of its own"),
        pytest.param("FR", "IDF", "2023-04-03", "2023-04-07", 5, id="Île-de-France keeps the national days"),
        pytest.param("FR", "57", "2023-04-03", "2023-04-07", 4, id="Good Friday in Moselle"),
        pytest.param("PL", None, "2023-01-02", "2023-01-06", 4, id="Epiphany in Poland"),
        pytest.param("SK", None, "2022-12-26", "2023-01-08", 8, id="over the turn of the year"),
        pytest.param("AT", None, "2022-05-01", "2022-05-01", 0, id="a holiday on a Sunday"),
        pytest.param("AT", None, "2024-02-26", "2024-03-01", 5, id="a leap day is a working day"),
        pytest.param("XK", None, "2023-02-13", "2023-02-17", 4, id="Kosovo's Independence Day"),
        pytest.param("IE", None, "2023-03-13", "2023-03-17", 4, id="Saint Patrick's Day"),
    ],
)
def test_saturdays_sundays_and_public_holidays_do_not_count(
    country: str, region: str | None, first_day: str, last_day: str, expected: int
) -> None:
    assert working_days(country, first_day, last_day, region) == expected


def test_each_day_says_why_it_counts_or_not() -> None:
    days = explain_days(
        date(2023, 4, 6),
        date(2023, 4, 11),
        calendar("AT"),
        [AcceptedDay(day=date(2023, 4, 8), reason="Fair in the host's hall")],
    )
    assert [(day.weekday, day.counted, day.why) for day in days] == [
        ("Thursday", True, "working day"),
        ("Friday", True, "working day"),
        ("Saturday", True, "weekend, accepted by staff: Fair in the host's hall"),
        ("Sunday", False, "weekend"),
        ("Monday", False, "public holiday (Easter Monday)"),
        ("Tuesday", True, "working day"),
    ]


def test_a_holiday_on_a_sunday_gives_both_reasons() -> None:
    (day,) = explain_days(date(2022, 5, 1), date(2022, 5, 1), calendar("AT"))
    assert day.why == "weekend and public holiday (Labor Day)"


def test_every_participating_country_has_a_calendar() -> None:
    for country in POLICIES.scheme.in_force_on(date(2023, 1, 1)).countries.participating:
        working_days(country, "2023-01-02", "2023-12-29")


@pytest.mark.parametrize("region", ["ZZ", "DE-ZZ", "Barvaria"])
def test_an_unknown_region_is_refused_where_regions_decide(region: str) -> None:
    with pytest.raises(NoCalendar, match="known are BB, BE"):
        calendar("DE", region)


def test_a_country_without_a_calendar_is_refused() -> None:
    with pytest.raises(NoCalendar, match="for ZZ"):
        calendar("ZZ")


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(2101, 1, 3), date.max])
def test_a_year_without_known_holidays_is_refused_not_taken_as_without_any(day: date) -> None:
    with pytest.raises(NoCalendar, match="1936 to 2100"):
        calendar("TR").holiday(day)
