"""Public holidays of the countries and their regions: what a working day is decided by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Final, NamedTuple

import holidays

from shared.errors import RuleBroken

#: Where nearly every region has public holidays of its own (compared in the holidays library, 2023
#: and 2024), so that a region without a calendar leaves days open. Elsewhere such a region keeps the
#: national holidays: in France all but Alsace-Moselle and overseas, in Italy the regions, which have
#: none beside those of their provinces.
_REGION_DECIDES: Final = frozenset({"BA", "DE", "ES", "PT"})


class NoCalendar(RuleBroken):
    """Public holidays of the country, region or year are not known."""

    code = "no-holiday-calendar"


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
                f"Public holidays in {self.country} are known for {self.first_year} to {self.last_year} only."
            )
        return _public_holidays(self.country, self.region, year)


@cache
def calendar(country: str, region: str | None = None) -> Calendar:
    """The calendar of a host country and, where the region has days of its own, of the region.

    The region is an ISO 3166-2 subdivision with or without the country (`BY`, `DE-BY`) or its own
    name (`Bayern`). Raises `NoCalendar` where holidays are not known or a region is needed and
    unknown.
    """
    if country not in holidays.list_supported_countries(include_aliases=False):
        raise NoCalendar(f"No calendar of public holidays is on file for {country}.")
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
            f"No calendar of public holidays is on file for the region '{region}' of {country}; known are "
            f"{', '.join(known.subdivisions)}."
        )
    return found


@cache
def _public_holidays(country: str, region: str | None, year: int) -> Mapping[date, str]:
    return dict(
        holidays.country_holidays(
            country, subdiv=region, years=year, expand=False, language="en_US", categories=(holidays.PUBLIC,)
        )
    )
