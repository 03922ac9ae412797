"""How each language writes days, money, places and counts, and what happens where a text is missing in it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from services.notifications.languages import LANGUAGES, language_for
from shared.contracts.common import ERASED, Place, Window
from shared.contracts.vocabulary import COUNTRIES

HARD_SPACE, NARROW_SPACE, THIN_SPACE = "\xa0", "\u202f", "\u2009"


def spaced(text: str) -> str:
    """With plain spaces only: Unicode's data part numbers and currencies by several others."""
    for space in (HARD_SPACE, NARROW_SPACE, THIN_SPACE):
        text = text.replace(space, " ")
    return text


@pytest.mark.parametrize(
    ("code", "one", "few", "two_months", "two_years"),
    [
        (
            "en",
            "14 February 2023",
            "14 to 16 February 2023",
            "27 February to 3 March 2023",
            "27 December 2022 to 3 January 2023",
        ),
        (
            "de",
            "14. Februar 2023",
            "14.–16. Februar 2023",
            "27. Februar – 3. März 2023",
            "27. Dezember 2022 – 3. Januar 2023",
        ),
        (
            "fr",
            "14 février 2023",
            "14–16 février 2023",
            "27 février – 3 mars 2023",
            "27 décembre 2022 – 3 janvier 2023",
        ),
        (
            "it",
            "14 febbraio 2023",
            "14–16 febbraio 2023",
            "27 febbraio – 3 marzo 2023",
            "27 dicembre 2022 – 3 gennaio 2023",
        ),
        (
            "ro",
            "14 februarie 2023",
            "14–16 februarie 2023",
            "27 februarie – 3 martie 2023",
            "27 decembrie 2022 – 3 ianuarie 2023",
        ),
    ],
)
def test_days_are_written_as_people_write_them(
    code: str, one: str, few: str, two_months: str, two_years: str
) -> None:
    reader = language_for(code)
    spans = [
        (date(2023, 2, 14), date(2023, 2, 14), one),
        (date(2023, 2, 14), date(2023, 2, 16), few),
        (date(2023, 2, 27), date(2023, 3, 3), two_months),
        (date(2022, 12, 27), date(2023, 1, 3), two_years),
    ]
    assert reader.write(date(2023, 2, 14)) == one
    for first, last, written in spans:
        assert spaced(reader.write(Window(first_day=first, last_day=last))) == written


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("en", "EUR 1,100.00"),
        ("de", "1.100,00 €"),
        ("fr", "1 100,00 €"),
        ("it", "1.100,00 €"),
        ("ro", "1.100,00 EUR"),
    ],
)
def test_amounts_have_two_decimals_and_the_marks_of_the_language(code: str, written: str) -> None:
    assert spaced(language_for(code).write(Decimal("1100"))) == written


def test_places_name_their_country_in_the_language() -> None:
    milan = Place(country="IT", city="Milano")
    assert [language_for(code).write(milan) for code in LANGUAGES] == [
        "Milano (Italy)",
        "Milano (Italien)",
        "Milano (Italie)",
        "Milano (Italia)",
        "Milano (Italia)",
    ]


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_country_of_the_vocabulary_has_a_name(code: str) -> None:
    assert [country for country in COUNTRIES if language_for(code).country(country) == country] == []


def test_large_counts_are_grouped() -> None:
    assert [spaced(language_for(code).write(12_345)) for code in ("en", "de", "fr")] == [
        "12,345",
        "12.345",
        "12 345",
    ]
    assert language_for("de").write(7) == "7"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("en", {0: "0 lump sums", 1: "one lump sum", 5: "5 lump sums", 20: "20 lump sums"}),
        ("fr", {0: "0 montants", 1: "un montant", 5: "5 montants", 20: "20 montants"}),
        ("ro", {0: "0 sume", 1: "o sumă", 5: "5 sume", 20: "20 de sume"}),
    ],
)
def test_a_number_has_the_form_that_goes_with_it(code: str, said: dict[int, str]) -> None:
    reader = language_for(code)
    one = "To be released by a second officer: %(total)s, one lump sum"
    many = "To be released by a second officer: %(total)s, %(count)s lump sums"
    for number, words in said.items():
        sentence = reader.counted(one, many, number, total=Decimal("1"), count=number, num=number)
        assert words in sentence, sentence


def test_a_language_without_texts_is_served_in_english() -> None:
    for code in ("el", "zz", "", "EN"):
        assert language_for(code) is language_for("en")


def test_a_sentence_without_translation_stays_english() -> None:
    assert language_for("de").gettext("Nobody has written this.") == "Nobody has written this."
    assert language_for("en").write(ERASED) == ERASED
