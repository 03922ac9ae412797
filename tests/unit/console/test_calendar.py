"""The calendar on which days are chosen and explained."""

from __future__ import annotations

from datetime import date

import pytest

from services.console.domain.calendar import (
    Span,
    first_stay,
    in_common,
    last_allowed_day,
    marks,
    month_of,
    months,
    stay_from,
    working_days,
)
from shared.calendar import calendar


def span(first: str, last: str) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last))


def test_a_month_has_whole_weeks_from_monday_on() -> None:
    february = month_of(date(2027, 2, 17))
    assert february.first == date(2027, 2, 1)
    assert [len(week) for week in february.weeks] == [7] * 4  # it begins on a Monday
    may = month_of(date(2027, 5, 1))
    assert may.weeks[0] == (None,) * 5 + (date(2027, 5, 1), date(2027, 5, 2))
    assert may.weeks[-1] == (date(2027, 5, 31),) + (None,) * 6


def test_months_go_over_the_end_of_a_year_and_have_a_limit() -> None:
    shown = months(span("2026-12-31", "2027-02-01"))
    assert [month.first for month in shown] == [date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1)]
    assert len(months(span("2026-01-31", "2029-01-01"), most=6)) == 6


@pytest.mark.parametrize(
    ("first", "last", "country", "count"),
    [
        ("2023-02-14", "2023-02-16", "IT", 3),
        ("2023-07-03", "2023-07-07", "CZ", 3),  # 5 and 6 July are holidays
        ("2027-02-13", "2027-02-14", "IT", 0),  # a weekend
    ],
)
def test_holidays_of_the_host_are_no_working_days(first: str, last: str, country: str, count: int) -> None:
    assert working_days(span(first, last), calendar(country).holiday) == count


@pytest.mark.parametrize(
    ("first", "last"),
    [("2023-02-14", "2023-03-13"), ("2027-01-31", "2027-02-27"), ("2027-12-10", "2028-01-09")],
)
def test_the_longest_stay_is_a_month_minus_one_day(first: str, last: str) -> None:
    assert last_allowed_day(date.fromisoformat(first)) == date.fromisoformat(last)


def test_days_in_common_are_those_both_have_time() -> None:
    ours = [span("2027-01-10", "2027-02-10"), span("2027-05-01", "2027-05-31")]
    theirs = [span("2027-02-01", "2027-05-05")]
    assert in_common(ours, theirs) == [span("2027-02-01", "2027-02-10"), span("2027-05-01", "2027-05-05")]
    assert in_common(ours, []) == []


def test_a_stay_begins_on_a_working_day_and_steps_over_holidays() -> None:
    assert stay_from(date(2027, 2, 13), 5) == span("2027-02-15", "2027-02-19")
    assert stay_from(date(2023, 7, 3), 4, calendar("CZ").holiday) == span("2023-07-03", "2023-07-10")
    assert stay_from(date(2027, 2, 1), 40) is None


def test_the_first_stay_is_in_one_week_where_there_is_one() -> None:
    window = [span("2027-02-10", "2027-02-28")]  # from a Wednesday on
    assert first_stay(window, 5, not_before=date(2027, 1, 1)) == span("2027-02-15", "2027-02-19")
    assert first_stay(window, 3, not_before=date(2027, 2, 18)) == span("2027-02-22", "2027-02-24")


def test_the_first_stay_takes_a_weekend_in_where_there_is_no_other() -> None:
    window = [span("2027-02-11", "2027-02-17")]
    assert first_stay(window, 5, not_before=date(2027, 1, 1)) == span("2027-02-11", "2027-02-17")
    assert first_stay(window, 10, not_before=date(2027, 1, 1)) is None


def test_a_day_says_who_has_time_and_what_was_proposed() -> None:
    shown = marks(
        span("2027-05-01", "2027-05-04").days,
        holiday=calendar("IT").holiday,
        yours=[span("2027-05-01", "2027-05-03")],
        theirs=[span("2027-05-03", "2027-05-10")],
        chosen=span("2027-05-04", "2027-05-06"),
        before=span("2027-05-03", "2027-05-04"),
    )
    assert shown[date(2027, 5, 1)].kinds == ("weekend", "holiday", "yours")
    assert shown[date(2027, 5, 1)].note
    assert shown[date(2027, 5, 3)].kinds == ("working", "both", "before")
    assert shown[date(2027, 5, 4)].kinds == ("working", "theirs", "chosen", "before")
