"""The languages of the pages: the catalogue of each, and how its readers write days, amounts and names."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.core import negotiate_locale, parse_locale
from babel.dates import format_date, format_datetime, format_time, get_timezone_name
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent
from markupsafe import Markup

from services.console import words

LOCALES: Final = Path(__file__).parent / "locales"
DOMAIN: Final = "console"
SOURCE: Final = "en"
"""What the templates are written in, and what whoever reads none of the others gets."""
WRITTEN_AS: Final = {"en": "en_GB", "it": "it_IT"}
"""The languages of the pages, and whose way of writing days and amounts each follows."""
LANGUAGES: Final = tuple(WRITTEN_AS)
CLOCK: Final = ZoneInfo("Europe/Brussels")
"""The clock that moments are told by."""
NOTHING: Final = "–"
"""Stands where there is nothing to write."""


def catalogue_file(code: str) -> Path:
    """The translations into a language."""
    return LOCALES / code / "LC_MESSAGES" / f"{DOMAIN}.po"


class Language:
    """One language of the pages. What is None is written as a dash."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.catalogue = _catalogue(code)
        self._locale = Locale.parse(WRITTEN_AS[code])

    @property
    def own_name(self) -> str:
        """`English`, `Italiano`: what its readers call it."""
        return str(Locale.parse(self.code).get_display_name(self.code)).capitalize()

    def gettext(self, sentence: str) -> str:
        """A sentence in this language; in English while it has no translation."""
        return self.catalogue.gettext(sentence)

    def money(self, amount: Decimal | str | float | None, currency: str = "EUR") -> str:
        """`€1,100.00`; `1.100,00 €` in Italian."""
        number = _number(amount)
        return NOTHING if number is None else format_currency(number, currency, locale=self._locale)

    def number(self, amount: Decimal | str | float | None, places: int | None = None) -> str:
        """`1,181.1`; with as many decimal places as it has, or at the most `places`."""
        number = _number(amount)
        if number is None:
            return NOTHING
        pattern = None if places is None else "#,##0" + ("." + "#" * places if places else "")
        return format_decimal(number, format=pattern, locale=self._locale)

    def percent(self, share: Decimal | str | float | None, places: int = 2) -> str:
        """`28.75%` of a share of 1, such as 0.2875."""
        number = _number(share)
        pattern = "#,##0" + ("." + "#" * places if places else "") + "%"
        return NOTHING if number is None else format_percent(number, format=pattern, locale=self._locale)

    def day(self, day: date | str | None, length: str = "long") -> str:
        """`14 February 2023`; `length` as Babel's: short, medium, long, full (with the day of the week)."""
        found = as_day(day)
        return NOTHING if found is None else format_date(found, length, self._locale)

    def days(self, span: object) -> str:
        """`14 to 16 February 2023`: of a pair, or of what has `first_day` and `last_day`."""
        first, last = ends_of(span)
        if first is None or last is None or first == last:
            return self.day(first or last)
        unlike = "y" if first.year != last.year else "M" if first.month != last.month else "d"
        # Unicode's data have spans of days with short months only.
        begin, end = (
            part.replace("MMM", "MMMM").replace("dd", "d")
            for part in self._locale.interval_formats["yMMMd"][unlike]
        )
        return format_date(first, begin, self._locale) + format_date(last, end, self._locale)

    def month(self, month: date) -> str:
        """`February 2023`."""
        return format_date(month, "LLLL yyyy", self._locale).capitalize()

    def weekdays(self) -> list[tuple[str, str]]:
        """Monday to Sunday, each short and in full."""
        names = self._locale.days["stand-alone"]
        return [(names["abbreviated"][number], names["wide"][number]) for number in range(7)]

    def moment(self, at: datetime | str | None, length: str = "medium") -> Markup:
        """`14 Feb 2023, 09:30` as HTML's `<time>`, by the clock of `CLOCK`."""
        found = as_moment(at)
        if found is None:
            return Markup(NOTHING)
        written = format_datetime(found, length, tzinfo=CLOCK, locale=self._locale)
        if length == "medium":
            day = format_date(found.astimezone(CLOCK), "medium", self._locale)
            written = f"{day}, {format_time(found, 'short', tzinfo=CLOCK, locale=self._locale)}"
        zone = get_timezone_name(found.astimezone(CLOCK), width="long", locale=self._locale)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            found.astimezone(UTC).isoformat(timespec="seconds"), zone, written
        )

    def when(self, at: date | datetime | str | None) -> str:
        """A moment, or a day where no more is known."""
        is_moment = isinstance(at, datetime) or (isinstance(at, str) and "T" in at)
        return self.moment(at) if is_moment else self.day(at)  # type: ignore[arg-type]

    def country(self, code: str | None) -> str:
        """The name of a country, or its code."""
        return NOTHING if not code else str(self._locale.territories.get(code, code))

    def language_name(self, code: str | None) -> str:
        """The name of a language by its ISO 639-1 code, or the code."""
        return NOTHING if not code else str(self._locale.languages.get(code, code))

    def ecosystem(self, code: str | None) -> str:
        """An industrial ecosystem by its name."""
        return self._word(words.ECOSYSTEMS, code)

    def kind(self, code: str | None) -> str:
        """A kind of organisation by its name."""
        return self._word(words.KINDS, code)

    def goal(self, code: str | None) -> str:
        """One of the four kinds of exchange by its name."""
        return self._word(words.GOALS, code)

    def role(self, code: str | None) -> str:
        """What somebody is: visitor, host, staff …"""
        return self._word(words.ROLES, code)

    def service(self, code: str | None) -> str:
        """What a service is there for."""
        return self._word(words.SERVICES, code)

    def state(self, code: str | None) -> str:
        """A state by its name."""
        found = words.STATES.get(code or "")
        return self.gettext(found.word) if found else self._word({}, code)

    def listed(self, written: list[str]) -> str:
        """`a, b and c`."""
        return format_list(written, locale=self._locale)

    def _word(self, known: Mapping[str, str], code: str | None) -> str:
        if not code:
            return NOTHING
        return self.gettext(known[code]) if code in known else words.spelled_out(code)


@cache
def language_for(code: str) -> Language:
    """The language of that code (ISO 639-1), or English where there are no pages in it."""
    return Language(code) if code in LANGUAGES else language_for(SOURCE)


def preferred(accept_language: str) -> str:
    """Of the pages' languages the one that a browser's `Accept-Language` asks for first."""
    wishes = []
    for wish in accept_language.split(","):
        name, _, quality = wish.strip().partition(";q=")
        try:
            weight = float(quality or 1)
            wishes.append((-weight, parse_locale(name, sep="-")[0]))
        except (ValueError, UnknownLocaleError):
            continue
    asked = [name for weight, name in sorted(wishes, key=lambda wish: wish[0]) if weight]
    return negotiate_locale(asked, LANGUAGES) or SOURCE


def as_day(given: object) -> date | None:
    """A day of what an API sent or code has; None for what is none."""
    if isinstance(given, datetime):
        return given.astimezone(CLOCK).date()
    if isinstance(given, date):
        return given
    if isinstance(given, str) and given:
        return as_day(datetime.fromisoformat(given)) if "T" in given else date.fromisoformat(given)
    return None


def as_moment(given: datetime | str | None) -> datetime | None:
    """A moment with its zone of what an API sent or code has; without a zone it is UTC."""
    if not given:
        return None
    found = datetime.fromisoformat(given) if isinstance(given, str) else given
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def ends_of(span: object) -> tuple[date | None, date | None]:
    """The first and last day of a pair, or of a mapping or object with `first_day` and `last_day`."""
    if span is None:
        return None, None
    if isinstance(span, Mapping):
        return as_day(span["first_day"]), as_day(span["last_day"])
    if isinstance(span, tuple | list):
        return as_day(span[0]), as_day(span[-1])
    return as_day(getattr(span, "first_day", None)), as_day(getattr(span, "last_day", None))


def _number(given: Any) -> Decimal | None:
    if given is None or given == "":
        return None
    try:
        return Decimal(str(given))
    except InvalidOperation:
        return None


def _catalogue(code: str) -> NullTranslations:
    if code == SOURCE:
        return NullTranslations()
    compiled = io.BytesIO()
    with catalogue_file(code).open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return GNUTranslations(compiled)
