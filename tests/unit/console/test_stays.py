"""The days of a stay as somebody chooses them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.console.domain.calendar import Span
from services.console.stays import OFFERED, SHOWN_MONTHS, Choice, choose, span_between

MILAN = {"country": "IT", "city": "Milan", "region": None}
TODAY = date(2027, 1, 11)


def span(first: str, last: str) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last))


SPRING = span("2027-02-10", "2027-04-30")


def choice(chosen: Span | None = None, **more: Any) -> Choice:
    given = {"yours": [SPRING], "theirs": [SPRING], "today": TODAY, **more}
    return choose(MILAN, chosen=chosen, **given)


def test_stays_both_have_time_for_are_offered_and_the_first_is_chosen() -> None:
    found = choice()
    assert found.offered[0] == (span("2027-02-15", "2027-02-19"), 5)
    assert len(found.offered) == OFFERED
    assert found.chosen == span("2027-02-15", "2027-02-19")
    assert found.possible


def test_as_many_working_days_are_offered_as_are_wished_where_there_is_time() -> None:
    assert [length for _, length in choice(wished=8).offered] == [8, 8, 8]
    short = [span("2027-02-15", "2027-02-17")]
    assert choice(yours=short, wished=8).offered == [(span("2027-02-15", "2027-02-17"), 3)]
    assert choice(theirs=[span("2028-02-10", "2028-04-30")]).offered == []


def test_what_was_proposed_before_is_no_choice_yet() -> None:
    found = choice(before=span("2027-03-01", "2027-03-05"))
    assert found.chosen is None
    assert not found.possible
    assert "before" in found.marks[date(2027, 3, 3)].kinds


@pytest.mark.parametrize(
    ("first", "last", "trouble", "possible"),
    [
        ("2027-03-01", "2027-03-05", [], True),
        ("2027-03-05", "2027-03-01", ["order"], False),
        ("2027-01-11", "2027-01-15", ["past", "yours", "theirs"], False),
        ("2027-03-05", "2027-03-08", ["short"], False),
        ("2027-03-01", "2027-04-01", ["long"], False),
        ("2027-06-07", "2027-06-11", ["yours", "theirs"], True),
    ],
)
def test_what_is_wrong_with_days_is_said(first: str, last: str, trouble: list[str], possible: bool) -> None:
    found = choice(span(first, last))
    assert found.trouble == trouble
    assert found.possible is possible


def test_public_holidays_of_the_host_are_named_and_not_counted() -> None:
    found = choice(span("2027-03-29", "2027-04-02"))  # Easter Monday
    assert found.working == 4
    assert [day for day, _ in found.holidays] == [date(2027, 3, 29)]
    assert found.holidays_known


def test_where_no_holidays_are_on_file_weekends_alone_are_left_out() -> None:
    days = span("2027-03-01", "2027-03-07")
    found = choose({"country": "ZZ"}, yours=[], theirs=[], chosen=days, today=TODAY)
    assert (found.working, found.holidays_known) == (5, False)


def test_days_far_away_do_not_make_a_calendar_without_end() -> None:
    found = choice(span("2027-03-01", "9999-12-31"))
    assert len(found.months) == SHOWN_MONTHS
    assert found.trouble == ["long", "yours", "theirs"]
    assert span_between("2027-03-01", "nonsense") is None


def test_days_of_another_exchange_are_marked_and_told() -> None:
    found = choice(span("2027-03-01", "2027-03-05"), taken=[span("2027-03-05", "2027-03-12")])
    assert found.trouble == ["taken"]
    assert found.has_taken
    assert found.possible
    assert "taken" in found.marks[date(2027, 3, 12)].kinds


def test_the_calendar_begins_where_there_is_time_and_shows_what_is_chosen() -> None:
    found = choice(span("2027-04-05", "2027-04-09"))
    assert [month.first.month for month in found.months] == [2, 3, 4]
    far = choice(span("2028-05-08", "2028-05-12"))
    assert far.months[0].first == date(2028, 5, 1)
