"""Public holidays of the countries and their regions: what a working day is decided by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import holidays

from shared.contracts.envelope import StrictContract
from shared.contracts.vocabulary import COUNTRIES, Country, Line
from shared.errors import RuleBroken
from shared.on_file import entry_in

#: Where nearly every region has public holidays of its own (compared in the holidays library, 2023
#: and 2024), so that a region without a calendar leaves days open. Elsewhere such a region keeps the
#: national holidays: in France all but Alsace-Moselle and overseas, in Italy the regions, which have
#: none beside those of their provinces.
_REGION_DECIDES: Final = frozenset({"BA", "DE", "ES", "PT"})


CORRECTIONS: Final = Path(__file__).parent / "data" / "holidays.yaml"
"""What the holidays library does not know, or has wrong."""

#: Whose subdivisions differ in the patron saint of their chief town alone, so that nearly every day of a
#: year is a holiday in one of them.
_OF_TOWNS: Final = frozenset({"IT"})


class NoCalendar(RuleBroken):
    """Public holidays of the country, region or year are not known."""

    code = "no-holiday-calendar"


class Correction(StrictContract):
    """A day that is a public holiday, or is none although the library says so.

    Of the whole country with all its regions, or of one region (ISO 3166-2 without the country).
    """

    country: Country
    region: str | None = None
    day: date
    holiday: Line | None
    """Its English name; null takes the day off the calendar."""
    source: Line
    """The decree or law it comes from."""


class Corrections(StrictContract):
    """All of them, in one file, so that every service counts the same days."""

    corrections: list[Correction]


class Calendar(NamedTuple):
    """The public holidays of a country, or of one of its regions."""

    country: str
    region: str | None
    """The region whose holidays are included; None where only national ones are."""
    first_year: int
    last_year: int

    def holiday(self, day: date) -> str | None:
        """The public holiday on the day, in English; raises `NoCalendar` for years not covered."""
        return self.of_year(day.year).get(day)

    def of_year(self, year: int) -> Mapping[date, str]:
        """The public holidays of a year with their English names; raises `NoCalendar` when not covered."""
        if not self.first_year <= year <= self.last_year:
            raise NoCalendar(
                f"Public holidays in {COUNTRIES[self.country]} are known for {self.first_year} to "
                f"{self.last_year} only."
            )
        return _public_holidays(self.country, self.region, year)

    @property
    def region_name(self) -> str | None:
        """The region's own name, such as Bayern; None where only national holidays are included."""
        return self.region and _region_name(self.country, self.region)

    def is_regional(self, day: date) -> bool:
        """Whether the day is a holiday of the region, and none of the whole country."""
        return day in self.of_year(day.year) and day not in _public_holidays(self.country, None, day.year)

    def where_regional(self, day: date) -> list[str]:
        """The names of the regions in which the day, no national holiday, is one of theirs.

        Empty where they are no regions but towns, which keep the days of their patron saints. Raises
        `NoCalendar` for years not covered.
        """
        self.of_year(day.year)
        return [] if self.country in _OF_TOWNS else _regional(self.country, day.year).get(day, [])


@cache
def calendar(country: str, region: str | None = None) -> Calendar:
    """The calendar of a host country and, where the region has days of its own, of the region.

    The region is an ISO 3166-2 subdivision with or without the country (`BY`, `DE-BY`) or its own
    name (`Bayern`). Raises `NoCalendar` where holidays are not known or a region is needed and
    unknown.
    """
    if country not in holidays.list_supported_countries(include_aliases=False):
        raise NoCalendar(f"No calendar of public holidays is on file for {COUNTRIES.get(country, country)}.")
    known = type(holidays.country_holidays(country))
    subdivision = _subdivision(country, region, known) if region else None
    return Calendar(country, subdivision, known.start_year, known.end_year)


def _subdivision(country: str, region: str, known: type[holidays.HolidayBase]) -> str | None:
    wanted = region.strip().casefold().removeprefix(f"{country.casefold()}-")
    codes = {code.casefold(): code for code in known.subdivisions}
    codes |= {alias.casefold(): code for alias, code in known.subdivisions_aliases.items()}
    found = codes.get(wanted)
    if found is None and country in _REGION_DECIDES:
        raise NoCalendar(
            f"No calendar of public holidays is on file for the region '{region}' of {COUNTRIES[country]}; "
            f"known are {', '.join(known.subdivisions)}."
        )
    return found


@cache
def _region_name(country: str, region: str) -> str:
    known = type(holidays.country_holidays(country))
    return next((alias for alias, code in known.subdivisions_aliases.items() if code == region), region)


@cache
def _regional(country: str, year: int) -> Mapping[date, list[str]]:
    """The days that are public holidays in some regions only, with the regions' names."""
    national = _public_holidays(country, None, year)
    found: dict[date, list[str]] = {}
    for region in type(holidays.country_holidays(country)).subdivisions:
        for day in _public_holidays(country, region, year).keys() - national.keys():
            found.setdefault(day, []).append(_region_name(country, region))
    return {day: sorted(regions) for day, regions in found.items()}


@cache
def _public_holidays(country: str, region: str | None, year: int) -> Mapping[date, str]:
    listed = holidays.country_holidays(
        country, subdiv=region, years=year, expand=False, language="en_US", categories=(holidays.PUBLIC,)
    )
    return corrected(dict(listed), country, region, year, _corrections())


@cache
def _corrections() -> list[Correction]:
    return entry_in(CORRECTIONS, Corrections).corrections


def corrected(
    listed: Mapping[date, str],
    country: str,
    region: str | None,
    year: int,
    corrections: Iterable[Correction],
) -> Mapping[date, str]:
    """The days of a country's or region's year, with those that are missing and without the wrong ones."""
    days = dict(listed)
    for correction in corrections:
        if (correction.country, correction.day.year) != (country, year):
            continue
        if correction.region in (None, region):
            if correction.holiday is None:
                days.pop(correction.day, None)
            else:
                days[correction.day] = correction.holiday
    return days
