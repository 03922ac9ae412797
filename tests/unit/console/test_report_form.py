"""The form of a report on a stay."""

from __future__ import annotations

from datetime import date

from services.console.domain.calendar import Span
from services.console.domain.report_form import content, days_off, days_to_fill, fields
from shared.calendar import calendar

GOALS = ("adopt_technology", "explore_market")


class AForm(dict[str, str]):
    def text(self, name: str, default: str = "") -> str:
        return self.get(name, default)


FILLED = AForm(
    {
        "first_day": "2027-02-12",
        "last_day": "2027-02-16",
        "satisfaction": "5",
        "goal-adopt_technology": "partly",
        "how-adopt_technology": "The decorticator runs.",
        "how-explore_market": "",
        "activity-2027-02-15": "Visit of the mill",
        "activity-2027-02-12": "Welcome",
        "activity-2027-02-13": "",
        "programme-2027-02-13": "Open day",
        "results": "A joint offer",
        "cooperation": "",
        "improve": "",
    }
)


def test_what_was_filled_in_is_sent_by_days_and_goals() -> None:
    sent = content(FILLED, GOALS)
    assert sent["goals"] == [
        {"goal": "adopt_technology", "reached": "partly", "how": "The decorticator runs."}
    ]
    assert [entry["day"] for entry in sent["activities"]] == ["2027-02-12", "2027-02-15"]
    assert sent["weekend_days"] == [{"day": "2027-02-13", "programme": "Open day"}]
    assert sent["satisfaction"] == 5
    assert content(AForm(), GOALS)["first_day"] is None


def test_a_saved_report_fills_the_form_as_it_was() -> None:
    filled = fields(content(FILLED, GOALS))
    assert {name: value for name, value in filled.items() if value} == {
        name: value for name, value in FILLED.items() if value
    }


def test_several_entries_of_a_day_are_one_field() -> None:
    saved = content(FILLED, GOALS)
    saved["activities"].append({"day": "2027-02-15", "what": "Dinner"})
    assert fields(saved)["activity-2027-02-15"] == "Visit of the mill\nDinner"


def test_there_is_a_field_for_every_day_of_the_stay_and_for_what_was_said_of_others() -> None:
    planned = Span(date(2027, 2, 8), date(2027, 2, 9))
    assert days_to_fill({}, planned) == [date(2027, 2, 8), date(2027, 2, 9)]
    assert days_to_fill({"first_day": "2027-02-10", "last_day": "2027-02-09"}, planned) == list(planned.days)
    found = days_to_fill({**FILLED, "last_day": "2027-02-13"}, planned)
    assert found == [date(2027, 2, 12), date(2027, 2, 13), date(2027, 2, 15)]
    assert len(days_to_fill({"first_day": "2027-01-01", "last_day": "2029-01-01"}, planned)) == 62


def test_weekends_and_holidays_of_the_host_are_days_off() -> None:
    days = list(Span(date(2027, 4, 30), date(2027, 5, 3)).days)
    assert days_off(days, calendar("IT").holiday) == [date(2027, 5, 1), date(2027, 5, 2)]
