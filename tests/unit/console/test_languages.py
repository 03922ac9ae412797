"""How pages are written in their reader's language."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from services.console.languages import LANGUAGES, NOTHING, language_for, preferred

ENGLISH, ITALIAN = language_for("en"), language_for("it")


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("it-IT,it;q=0.9,en;q=0.8", "it"),
        ("it-CH", "it"),
        ("de-AT,it;q=0.5,en;q=0.4", "it"),
        ("en-US,it;q=0.5", "en"),
        ("it;q=0,en;q=0.1", "en"),
        ("fr, pl;q=0.8", "en"),
        ("*", "en"),
        ("", "en"),
        ("it;q=much, ;;, 😀", "en"),
    ],
)
def test_the_browser_gets_the_language_it_asks_for_first(asked: str, language: str) -> None:
    assert preferred(asked) == language


def test_another_language_falls_back_to_english() -> None:
    assert language_for("de").code == "en"
    assert [language_for(code).own_name for code in LANGUAGES] == ["English", "Italiano"]


def test_amounts_stay_exact_and_follow_the_readers_habits() -> None:
    assert ENGLISH.money("1100.00") == "€1,100.00"
    assert ITALIAN.money(Decimal("1100.00")) == "1.100,00\xa0€"
    assert ENGLISH.money("0.1") == "€0.10"
    assert ENGLISH.money(None) == NOTHING
    assert ENGLISH.number("1181.1") == "1,181.1"
    assert ENGLISH.number("658.6667", 0) == "659"
    assert ENGLISH.percent(23 / 80) == "28.75%"
    assert ITALIAN.percent("0.2875") == "28,75%"


@pytest.mark.parametrize(
    ("span", "english", "italian"),
    [
        (("2023-02-14", "2023-02-16"), "14 – 16 February 2023", "14–16 febbraio 2023"),
        ({"first_day": "2027-02-08", "last_day": "2027-03-02"}, "8 February – 2 March 2027", "8 febbraio"),
        (("2026-12-30", "2027-01-08"), "30 December 2026 – 8 January 2027", "30 dicembre 2026"),
        ((date(2027, 2, 8), date(2027, 2, 8)), "8 February 2027", "8 febbraio 2027"),
        (None, NOTHING, NOTHING),
    ],
)
def test_days_name_month_and_year_once(span: object, english: str, italian: str) -> None:
    written = ENGLISH.days(span).replace("\u2009", " ").replace("–", " – ").replace("  ", " ")
    assert " ".join(written.split()) == " ".join(english.split())
    assert "".join(italian.split()) in "".join(ITALIAN.days(span).split())


def test_a_moment_is_told_by_the_clock_of_brussels_and_says_which() -> None:
    written = ENGLISH.moment("2026-11-26T23:30:00Z")
    assert written == (
        '<time datetime="2026-11-26T23:30:00+00:00" title="Central European Standard Time">'
        "27 Nov 2026, 00:30</time>"
    )
    assert ENGLISH.day("2026-11-26T23:30:00Z") == "27 November 2026"
    assert ENGLISH.moment(None) == NOTHING
    assert ENGLISH.when(datetime(2026, 7, 1, 12, tzinfo=UTC)) == ENGLISH.moment("2026-07-01T12:00:00Z")
    assert ENGLISH.when("2026-07-01") == "1 July 2026"


def test_codes_are_spelled_out_and_unknown_ones_stay_readable() -> None:
    assert ITALIAN.country("XK") == "Kosovo"
    assert ITALIAN.language_name("el") == "greco"
    assert ITALIAN.state("needs_review") == "da esaminare"
    assert ENGLISH.state("some_new_state") == "some new state"
    assert ENGLISH.kind("sme") == "small or medium-sized company (SME)"
    assert ENGLISH.listed(["a", "b", "c"]) == "a, b and c"
