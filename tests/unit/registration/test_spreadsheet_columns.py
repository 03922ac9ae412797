"""What a row of a spreadsheet says: every column, however it is written, and what is said of a wrong one."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.registration.spreadsheets.cells import Cell, Faulty, Unreadable
from services.registration.spreadsheets.columns import (
    COLUMNS,
    READ_ONLY,
    REPORTED,
    Layout,
    Said,
    is_explanation,
    row_of,
)
from shared.contracts.registration import Submission
from tests.builders import a_submission
from tests.unit.registration.spreadsheets import a_row

A_DAY, A_LATER_DAY, AN_HOUR = map(datetime.fromisoformat, ("2027-01-11", "2027-01-29", "2027-01-11 09:30"))
ID = "01a20f00-0000-7000-8000-000000000001"


def understood(**cells: Any) -> Said:
    row = a_row(**cells)
    return Layout(list(row)).understand(list(row.values()))


def said(**cells: Any) -> dict[str, Any]:
    """The submission in which a row with these cells results."""
    row = understood(**cells)
    assert row.submission is not None, row.faults
    return row.submission.model_dump(mode="json")


def test_a_row_says_what_the_api_would_be_sent() -> None:
    sent = a_submission()
    assert understood().submission == Submission.model_validate(sent)


def everything() -> dict[str, Any]:
    """A submission in which every field differs from its default."""
    full = a_submission(
        availability=[
            {"first_day": "2027-01-11", "last_day": "2027-01-29"},
            {"first_day": "2027-03-01", "last_day": "2027-03-12"},
        ],
        preferences={"countries": ["IT", "XK"], "working_days": 5},
        host_places=3,
        roles=["visitor", "host"],
        pre_agreed=[
            {"reference": "REG;2|x\\y", "first_day": "2027-01-11", "last_day": "2027-01-15"},
            {"reference": "id:7", "first_day": "2027-01-11", "last_day": "2027-01-15"},
            {"registration_id": ID, "first_day": "2027-03-01", "last_day": "2027-03-05"},
        ],
    )
    full["organisation"] |= {
        "also_registered_in": ["ES", "GR"],
        "postcode": "1000-001",
        "street": "Rua da Amostra 1",
        "region": "11",
        "lat": 38.7223,
        "lon": -9.1393,
        "vat": "PT501964843",
        "euid": "PTRNPC.501964843",
        "website": "https://tagus-fibre.example",
        "memberships": [
            {"name": "Sample; Cluster | of \\ Lisbon", "kind": "cluster", "on_eccp": True},
            {"name": "Sample Network", "kind": "business_network", "on_eccp": False},
        ],
    }
    full["participant"] |= {
        "language": "pt",
        "based_in": "ES",
        "third_country_national": True,
        "residence_days": 200,
        "residence_permit": True,
        "business_in_scheme": True,
    }
    return full


def test_every_field_of_a_submission_has_a_column_and_comes_back_from_it() -> None:
    submission = Submission.model_validate(everything())
    row = {"key": "R1", **row_of(submission)}
    assert "" not in row.values()
    assert None not in row.values()
    assert Layout(list(row)).understand(list(row.values())).submission == submission


SAYS: list[tuple[str, dict[str, Cell], str, Any]] = [
    ("a number for a PIC", {"pic": 900000001.0}, "organisation.pic", "900000001"),
    ("its text with a fraction", {"pic": "900000001.0"}, "organisation.pic", "900000001"),
    ("a number for a postcode", {"postcode": 1067.0}, "organisation.postcode", "1067"),
    ("a postcode's own point", {"postcode": "1.0a"}, "organisation.postcode", "1.0a"),
    ("a number for a street", {"street": 7}, "organisation.street", "7"),
    ("a capitalised word", {"kind": " Tech Centre "}, "organisation.kind", "tech_centre"),
    ("hyphens", {"kind": "fab-lab"}, "organisation.kind", "fab_lab"),
    ("the EU's code", {"country": "el"}, "organisation.country", "GR"),
    ("commas between codes", {"languages": "en, pt;fr"}, "languages", ["en", "pt", "fr"]),
    ("commas between words", {"goals": "explore market, adopt_technology"}, "goals",
     ["explore_market", "adopt_technology"]),
    ("commas within topics", {"offers": "hemp, dyed; spinning"}, "offers", ["hemp, dyed", "spinning"]),
    ("a semicolon within a topic", {"offers": "hemp\\; dyed; spinning"}, "offers",
     ["hemp; dyed", "spinning"]),
    ("an empty part of a list", {"offers": "; spinning;; "}, "offers", ["spinning"]),
    ("yes", {"third_country_national": "Yes"}, "participant.third_country_national", True),
    ("true", {"residence_permit": True}, "participant.residence_permit", True),
    ("1", {"residence_permit": 1.0}, "participant.residence_permit", True),
    ("0", {"residence_permit": "0"}, "participant.residence_permit", False),
    ("a whole number with a fraction", {"host_places": "3.0"}, "host_places", 3),
    ("a decimal comma", {"lat": "38,7", "lon": "-9,1"}, "organisation.lat", 38.7),
    ("blanks about a date", {"availability": " 2027-01-11 / 2027-01-29 ;"}, "availability",
     [{"first_day": "2027-01-11", "last_day": "2027-01-29"}]),
    ("a membership with its name alone", {"memberships": "Sample Cluster"}, "organisation.memberships",
     [{"name": "Sample Cluster", "kind": "cluster", "on_eccp": False}]),
    ("a membership in full", {"memberships": "A | Business Network; B | ECCP"}, "organisation.memberships",
     [{"name": "A", "kind": "business_network", "on_eccp": False},
      {"name": "B", "kind": "cluster", "on_eccp": True}]),
    ("a partner by key", {"pre_agreed": "REG-2 | 2027-01-11/2027-01-15"}, "pre_agreed",
     [{"registration_id": None, "reference": "REG-2",
       "first_day": "2027-01-11", "last_day": "2027-01-15"}]),
    ("white space", {"motivation": " \n ", "street": " "}, "motivation", ""),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "field", "value"), [row[1:] for row in SAYS], ids=[row[0] for row in SAYS])
def test_a_cell_is_taken_for_what_it_can_only_mean(cells: dict[str, Cell], field: str, value: Any) -> None:
    found: Any = said(**cells)
    for name in field.split("."):
        found = found[name]
    assert found == value


@pytest.mark.parametrize(
    "days", [(A_DAY, A_LATER_DAY), ("2027-01-11", "2027-01-29"), (A_DAY, " 2027-01-29 ")]
)
def test_one_time_can_be_given_as_two_dates_instead(days: tuple[Cell, Cell]) -> None:
    row = a_row(available_from=days[0], available_to=days[1])
    del row["availability"]
    found = Layout(list(row)).understand(list(row.values()))
    assert found.submission is not None, found.faults
    [window] = found.submission.availability
    assert (str(window.first_day), str(window.last_day)) == ("2027-01-11", "2027-01-29")


WRONG: list[tuple[str, dict[str, Cell], str, str]] = [
    ("an empty field that is needed", {"city": "  "}, "city", "is empty"),
    ("an empty list that is needed", {"roles": None}, "roles", "Write one of: visitor, host"),
    ("an unknown word", {"kind": "company"}, "kind", "'sme'"),
    ("an unknown word in a list", {"goals": "explore_market; fun"}, "goals", "no. 2"),
    ("a country by name", {"country": "Portugal"}, "country", "two-letter ISO 3166 code"),
    ("a shortened number", {"pic": "9E+08"}, "pic", "shortened it to 9E+08"),
    ("a shortened number of a comma", {"vat": "5,01965E+11"}, "vat", "shortened"),
    ("a number too long to be kept", {"vat": 5019648435019648.0}, "vat", "more than 15 digits"),
    ("a text that became a date", {"street": A_DAY}, "street", "made a date of it (2027-01-11)"),
    ("a number that became a date", {"host_places": A_DAY}, "host_places", "made a date"),
    ("true for a text", {"city": True}, "city", "TRUE or FALSE"),
    ("true for a number", {"host_places": True}, "host_places", "TRUE or FALSE"),
    ("neither yes nor no", {"residence_permit": "oui"}, "residence_permit", "neither yes nor no"),
    ("a fraction of a day", {"residence_days": "200.5"}, "residence_days", "whole number"),
    ("a date with its day first", {"availability": "11.01.2027/29.01.2027"}, "availability",
     "2027-01-11/2027-03-31"),
    ("a number for a date", {"availability": 46033.0}, "availability", "not two days"),
    ("digits that Pydantic takes for seconds", {"availability": "20270111/20270129"}, "availability",
     "not two days"),
    ("days reversed", {"availability": "2027-01-29/2027-01-11"}, "availability", "before first_day"),
    ("a day that does not exist", {"availability": "2027-02-01/2027-02-30"}, "availability", "no. 1"),
    ("a date with a time", {"availability": None, "available_from": AN_HOUR, "available_to": A_DAY},
     "available_from", "09:30"),
    ("a number for a first day", {"availability": None, "available_from": 46033.0, "available_to": A_DAY},
     "available_from", "is a number"),
    ("a first day alone", {"availability": None, "available_from": A_DAY}, "available_from",
     "together with available_to"),
    ("both ways to say when", {"available_from": A_DAY, "available_to": A_DAY}, "available_from",
     "or give availability alone"),
    ("half of a place", {"lat": 38.7}, "", "give both lat and lon"),
    ("an unknown kind of membership", {"memberships": "A | guild"}, "memberships", "'guild'"),
    ("a partner without days", {"pre_agreed": "REG-2"}, "pre_agreed", "days of the stay"),
    ("a cell with an error", {"city": Faulty("#N/A", "holds the error #N/A")}, "city", "holds the error"),
    ("a text too long", {"motivation": "x" * 4001}, "motivation", "4000"),
    ("no key", {"key": " "}, "key", "is empty"),
    ("a key too long", {"key": "x" * 201}, "key", "at most 200"),
    ("a mail address without a domain", {"email": "office"}, "email", "mail address"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "column", "says"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_what_cannot_be_right_is_said_with_the_column(cells: dict[str, Cell], column: str, says: str) -> None:
    row = understood(**cells)
    assert row.submission is None
    [fault] = row.faults
    assert fault.startswith(f"{column}: " if column else "")
    assert says in fault


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = understood(key=A_DAY, city="", kind="x", lat="91", lon="x", residence_permit="x").faults
    assert [fault.partition(":")[0] for fault in wrong] == [
        *("key", "residence_permit", "kind", "city", "lat", "lon")
    ]


def test_an_entirely_empty_participant_is_one_fault_about_its_mail_address() -> None:
    row = {name: a_row()[name] for name in ("key", "organisation", "kind", "country", "city", "email")}
    row |= {name: a_row()[name] for name in ("roles", "goals", "ecosystems", "availability")} | {"email": ""}
    [fault] = Layout(list(row)).understand(list(row.values())).faults
    assert fault.startswith("email: is empty.")


# ── headers ──────────────────────────────────────────────────────────────────────────────────

NEEDED = [column.name for column in COLUMNS if column.required]


def test_names_of_columns_are_known_in_any_spelling() -> None:
    spelt = [name.replace("_", " ").title() + " " for name in NEEDED]
    row = a_row()
    cells = [row[name] for name in NEEDED]
    assert Layout(spelt).understand(cells).submission is not None
    assert (
        Layout([name.upper().replace("_", "-") for name in NEEDED]).understand(cells).submission is not None
    )


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (["R1", "Fibra Verde", "sme"], ["names of the columns", "Start from the template"]),
        ([*NEEDED, "Mobile phone"], ["'Mobile phone' is not known"]),
        ([*NEEDED, "E-Mail"], ["did you mean 'email'"]),
        ([*NEEDED, "City", "roles"], ["'City' is there twice", "'roles' is there twice"]),
        (NEEDED[:-3], [f"missing and needed: {', '.join(NEEDED[-3:])}"]),
    ],
)
def test_a_header_that_is_wrong_is_refused_with_all_that_is_wrong(header: list[str], says: list[str]) -> None:
    with pytest.raises(Unreadable) as refused:
        Layout(header)
    for words in says:
        assert words in str(refused.value)


def test_the_columns_of_an_export_and_of_an_error_report_are_passed_over() -> None:
    row = {**dict.fromkeys(REPORTED, "x"), **a_row(), **dict.fromkeys(READ_ONLY, "x")}
    assert Layout(list(row)).understand(list(row.values())).submission is not None


@pytest.mark.parametrize(("header", "beyond"), [([""], ["here"]), ([], ["here"]), ([""], ["", "", "here"])])
def test_what_stands_outside_the_columns_is_never_passed_over(header: list[str], beyond: list[str]) -> None:
    row = a_row()
    found = Layout([*row, *header]).understand([*row.values(), *beyond])
    assert found.submission is None
    assert "has no name, but here it holds 'here'" in found.faults[0]


def test_a_row_may_end_before_its_columns_do() -> None:
    row = a_row()
    filled = max(index for index, cell in enumerate(row.values()) if cell not in (None, ""))
    assert Layout(list(row)).understand(list(row.values())[: filled + 1]).submission is not None


def test_the_row_of_the_template_that_explains_is_known() -> None:
    assert is_explanation([column.explanation for column in COLUMNS])
    assert not is_explanation(list(a_row().values()))


def test_every_column_is_explained_in_one_line() -> None:
    for column in COLUMNS:
        assert len(column.explanation) > 8, column.name
        assert "\n" not in column.explanation


def test_the_page_about_spreadsheets_lists_these_columns_and_which_are_needed() -> None:
    page = (Path(__file__).parents[3] / "docs" / "importing.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\*\*)?`(\w+)`(?:\*\*)? \| \S", page, re.MULTILINE)
    assert [(name, bool(bold)) for bold, name in listed] == [
        (column.name, column.required) for column in COLUMNS
    ]
    for name in READ_ONLY:
        assert f"`{name}`" in page
