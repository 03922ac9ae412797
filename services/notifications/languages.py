"""The languages of the texts: the catalogue of each, and how it writes dates, money, places and counts."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any, Final

from babel import Locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal
from jinja2 import Undefined

from shared import words
from shared.contracts.common import ERASED, Party, Place, Window
from shared.contracts.matching import PublicProfile

LOCALES: Final = Path(__file__).parent / "locales"
DOMAIN: Final = "notifications"
SOURCE: Final = "en"
"""What the templates are written in, and what whoever reads none of the others gets."""
LANGUAGES: Final = ("en", "de", "fr", "it", "ro")
"""There is a catalogue of each but the first."""


def catalogue_file(code: str) -> Path:
    """The translations into a language."""
    return LOCALES / code / "LC_MESSAGES" / f"{DOMAIN}.po"


class Language:
    """One language: what a sentence is in it, and how its readers write what a sentence holds.

    What it writes is remembered: one fact is told to several people, and the days of one stay many times.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self._locale = Locale.parse(code)
        self._catalogue = _catalogue(code)
        self.day: Callable[[date], str] = lru_cache(4096)(self._day)
        """`14 February 2023`."""
        self.eur: Callable[[Decimal], str] = lru_cache(4096)(self._eur)
        """`EUR 1,100.00`; `1.100,00 €` in German."""
        self._span: Callable[[date, date], str] = lru_cache(4096)(self._two_days)
        self._written: dict[type, Callable[[Any], str]] = {
            str: self._string,
            int: self.number,
            Decimal: self.eur,
            date: self.day,
            datetime: self.moment,
            Window: self.days,
            Place: self.place,
            Party: self._name,
            PublicProfile: self._name,
        }

    def gettext(self, sentence: str) -> str:
        """A sentence in this language; in English while it has no translation."""
        return self._catalogue.gettext(sentence)

    def counted(self, one: str, many: str, number: int, /, **facts: Any) -> str:
        """A sentence in the form that goes with the number, holding these facts."""
        # French has one form for none and for one, which does not say the number.
        sentence = self._catalogue.ngettext(one, many, number or 2)
        return sentence % {name: self.write(fact) for name, fact in facts.items()}

    def write(self, value: Any) -> str:
        """How a fact stands in a sentence: an organisation by its name, a `Window` as its days, a `Decimal`
        as an amount in EUR.

        Raises jinja2's UndefinedError for what is not there, TypeError for what cannot stand in a sentence.
        """
        return self._written.get(type(value), _plain)(value)

    def days(self, window: Window) -> str:
        """`14 to 16 February 2023`, naming month and year once where they are the same."""
        return self._span(window.first_day, window.last_day)

    def moment(self, moment: datetime) -> str:
        """`14 February 2023, 09:30`, by the clock it is told by."""
        return f"{self.day(moment.date())}, {moment:%H:%M}"

    def country(self, code: str) -> str:
        """The name of a country, or its code."""
        if self.code == SOURCE:
            return words.country(code)
        return str(self._locale.territories.get(code, code))

    def place(self, place: Place) -> str:
        """`Milan (Italy)`."""
        return f"{self._string(place.city)} ({self.country(place.country)})"

    def number(self, number: int) -> str:
        """`1,200`; `1.200` in German."""
        return str(number) if -1000 < number < 1000 else format_decimal(number, locale=self._locale)

    def _string(self, text: str) -> str:
        return self.gettext(ERASED) if text == ERASED else text

    def _name(self, organisation: Party | PublicProfile) -> str:
        return self._string(organisation.organisation)

    def _day(self, day: date) -> str:
        return words.day(day) if self.code == SOURCE else format_date(day, "long", self._locale)

    def _eur(self, amount: Decimal) -> str:
        # The documents of the platform write EUR, and in English the mails do as they do.
        return (
            words.eur(amount) if self.code == SOURCE else format_currency(amount, "EUR", locale=self._locale)
        )

    def _two_days(self, first: date, last: date) -> str:
        if first == last:
            return self.day(first)
        if self.code == SOURCE:
            return words.days(first, last)
        unlike = "y" if first.year != last.year else "M" if first.month != last.month else "d"
        # Unicode's data have spans of days with short months only.
        begin, end = (
            part.replace("MMM", "MMMM").replace("dd", "d")
            for part in self._locale.interval_formats["yMMMd"][unlike]
        )
        return format_date(first, begin, self._locale) + format_date(last, end, self._locale)


def _plain(value: Any) -> str:
    if value is None or isinstance(value, bool) or not isinstance(value, str | float | Undefined):
        raise TypeError(f"a {type(value).__name__} cannot stand in a sentence")
    return str(value)


@cache
def language_for(code: str) -> Language:
    """The language of that code (ISO 639-1), or English where there are no texts in it."""
    return Language(code) if code in LANGUAGES else language_for(SOURCE)


def _catalogue(code: str) -> NullTranslations:
    if code == SOURCE:
        return NullTranslations()
    compiled = io.BytesIO()
    with catalogue_file(code).open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return GNUTranslations(compiled)
