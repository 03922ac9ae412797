"""What staff fill in about stays, plans and group events, as the APIs take it."""

from __future__ import annotations

from datetime import date

from starlette.datastructures import FormData

from services.console.domain.judging import (
    day_marks,
    evidence_return,
    not_working,
    settlement,
    validation,
)
from services.console.domain.planning import Arc, arcs, cap_rows, compared, plan_order
from services.console.domain.programme import as_filled_in, documents, programme
from services.console.forms import SentForm


def form(*fields: tuple[str, str]) -> SentForm:
    return SentForm(FormData(list(fields)))


# ── about a stay ─────────────────────────────────────────────────────────────────────────────


def test_only_days_that_are_ticked_are_accepted_each_with_its_reason() -> None:
    sent = form(
        ("edition", "3"),
        ("accept", "2023-02-18"),
        ("reason-2023-02-18", "Open day"),
        ("reason-2023-02-19", "not ticked"),
    )
    assert validation(sent) == {
        "edition": 3,
        "accepted_days": [{"day": "2023-02-18", "reason": "Open day"}],
    }


def test_an_edition_that_is_no_number_is_left_for_the_api_to_refuse() -> None:
    assert validation(form(("edition", "newest")))["edition"] == "newest"


def test_evidence_is_returned_with_a_reason_for_each_ticked_file() -> None:
    sent = form(("files", "f1"), ("because-f1", "Not readable"), ("because-f2", "left over"), ("reason", ""))
    assert evidence_return(sent) == {"files": [{"id": "f1", "reason": "Not readable"}], "reason": None}


def test_a_settlement_has_only_what_was_filled_in() -> None:
    sent = form(
        ("reason", "The host wrote where its workshop is."),
        ("host_city", "Halle"),
        ("host_lat", "51,482"),
        ("host_lon", "11.979"),
        ("visitor_country", "PT"),
        ("take_back", "2023-02-18"),
    )
    assert settlement(sent) == {
        "reason": "The host wrote where its workshop is.",
        "host_place": {"city": "Halle", "lat": 51.482, "lon": 11.979},
        "host_region": None,
        "agreed_amount": None,
        "accepted_days": [],
        "no_longer_accepted": ["2023-02-18"],
        "confirmed_countries": [],
    }, "a country alone is no place"


def test_days_of_a_stay_are_marked_by_why_they_count_or_not() -> None:
    days = [
        {"day": "2023-07-05", "counted": False, "why": "public holiday (Saints Cyril and Methodius)"},
        {"day": "2023-07-07", "counted": True, "why": "working day"},
        {"day": "2023-07-08", "counted": True, "why": "weekend, accepted by staff: Open day"},
        {"day": "2023-07-09", "counted": False, "why": "weekend"},
    ]
    marks = day_marks(days)
    assert [marks[date.fromisoformat(str(day["day"]))].kinds for day in days] == [
        ("holiday",),
        ("chosen",),
        ("chosen",),
        ("weekend",),
    ]
    assert [day["day"] for day in not_working(days)] == ["2023-07-05", "2023-07-08", "2023-07-09"]


# ── about a plan ─────────────────────────────────────────────────────────────────────────────


def test_a_plan_is_asked_for_with_the_limits_that_are_filled_in() -> None:
    sent = form(
        ("cap-0-on", "host_country"),
        ("cap-0-of", "IT"),
        ("cap-0-at-most", "3"),
        ("cap-1-on", "ecosystem"),
        ("keep_margin", "2.5"),
        ("budgeted", "budget-hempclub"),
        ("budget-hempclub", "20000.00"),
        ("budget-other", "1.00"),
        ("dry_run", "true"),
    )
    assert plan_order(sent) == {
        "caps": [
            {"on": "host_country", "of": "IT", "at_most": 3},
            {"on": "ecosystem", "of": "", "at_most": ""},
        ],
        "keep_margin": 2.5,
        "budgets": {"hempclub": "20000.00"},
        "dry_run": True,
    }, "a limit that is half filled in is for the API to refuse, a budget that is not ticked does not count"


def test_what_is_wrong_with_a_limit_is_said_in_its_row() -> None:
    sent = form(("cap-0-on", ""), ("cap-1-on", "ecosystem"), ("cap-2-at-most", "3"))
    assert cap_rows(sent) == [1, 2]


def test_exchanges_are_counted_from_country_to_country() -> None:
    def pair(visitor: str, host: str) -> dict[str, dict[str, str]]:
        return {"visitor": {"country": visitor}, "host": {"country": host}}

    found = arcs([pair("PT", "IT"), pair("IT", "PT"), pair("PT", "IT")])
    assert found == [Arc("PT", "IT", 2), Arc("IT", "PT", 1)]


def test_figures_of_two_plans_stand_side_by_side() -> None:
    def figures(exchanges: int, **unmatched: int) -> dict[str, object]:
        return {
            **dict.fromkeys(("total_score", "kept", "broken", "visitors", "hosts"), 10),
            "exchanges": exchanges,
            "unmatched": unmatched,
        }

    rows = {row.name: row for row in compared(figures(7, cap=1), figures(5, budget=3))}
    assert (rows["exchanges"].first, rows["exchanges"].second, rows["exchanges"].change) == (7, 5, -2)
    assert (rows["cap"].change, rows["budget"].change) == (-1, 3)


# ── about a group event ──────────────────────────────────────────────────────────────────────


def test_rows_of_an_agenda_in_which_nothing_is_written_are_left_out() -> None:
    sent = form(
        ("title", "Bioeconomy Business Exchange"),
        ("first_day", "2023-02-14"),
        ("last_day", "2023-02-16"),
        ("sign_up_until", "2023-02-03"),
        ("places", "20"),
        ("agenda-0-day", "2023-02-14"),
        ("agenda-0-title", "Welcome"),
        ("agenda-0-responsible", "Host"),
        ("agenda-0-begins", ""),
        ("agenda-1-title", ""),
        ("agenda-5-day", "2023-02-15"),
    )
    assert programme(sent) == {
        "title": "Bioeconomy Business Exchange",
        "first_day": "2023-02-14",
        "last_day": "2023-02-16",
        "sign_up_until": "2023-02-03",
        "places": 20,
        "local_places": None,
        "approves_at_once": False,
        "agenda": [
            {"day": "2023-02-14", "title": "Welcome", "responsible": "Host"},
            {"day": "2023-02-15"},
        ],
    }


def test_a_group_event_is_shown_in_its_form_as_it_is() -> None:
    item = {"day": "2023-02-14", "begins": None, "ends": None, "title": "Welcome", "responsible": "Host"}
    filled = as_filled_in(
        {
            "title": "Exchange",
            "days": {"first_day": "2023-02-14", "last_day": "2023-02-16"},
            "sign_up_until": "2023-02-03",
            "places": 20,
            "local_places": None,
            "approves_at_once": True,
            "agenda": [item],
        }
    )
    assert filled["first_day"] == "2023-02-14"
    assert filled["agenda"] == [{**item, "begins": "", "ends": ""}]


def test_commitments_are_signed_as_they_were_read() -> None:
    assert documents(form(("documents", "m1:abc"), ("documents", "m2:def"))) == [
        {"match_id": "m1", "sha256": "abc"},
        {"match_id": "m2", "sha256": "def"},
    ]
