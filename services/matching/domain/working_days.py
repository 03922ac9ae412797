"""The working days at a host: not Saturdays, Sundays or public holidays of its country and region."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.calendar import Calendar, NoCalendar, calendar
from shared.contracts.common import Place
from shared.contracts.registration import FIRST_YEAR, LAST_YEAR

FIRST_DAY: Final = date(FIRST_YEAR, 1, 1).toordinal()
LAST_DAY: Final = date(LAST_YEAR, 12, 31).toordinal()
"""Availability lies between these; no stay begins before or ends after them."""


class WorkingDays:
    """The working days of one country or region, counted by looking up two numbers."""

    __slots__ = ("_before", "before", "country", "region")

    def __init__(self, country: str, region: str | None) -> None:
        self.country = country
        self.region = region
        days = np.arange(FIRST_DAY, LAST_DAY + 1)
        working = (days - 1) % 7 < 5  # ordinal 1 is a Monday
        if (public := _calendar(country, region)) is not None:
            for year in range(max(FIRST_YEAR, public.first_year), min(LAST_YEAR, public.last_year) + 1):
                for day in public.of_year(year):
                    working[day.toordinal() - FIRST_DAY] = False
        before: NDArray[Any] = np.zeros(len(days) + 1, np.int32)
        np.cumsum(working, out=before[1:])
        self.before = before
        """How many lie before the day, by its distance from `FIRST_DAY`; one more than there are days."""
        # The same numbers: single ones are read from an array several times faster.
        self._before = array("i", before.tolist())

    def count(self, first: int, last: int) -> int:
        """From one ordinal to another, both included; 0 when they are reversed."""
        first, last = max(first, FIRST_DAY), min(last, LAST_DAY)
        return self._before[last + 1 - FIRST_DAY] - self._before[first - FIRST_DAY] if first <= last else 0

    def __reduce__(self) -> tuple[Callable[[str, str | None], WorkingDays], tuple[str, str | None]]:
        return _working_days, (self.country, self.region)


def working_days_at(place: Place) -> WorkingDays:
    """The working days there.

    Where the region is not known the national holidays count, and where no calendar is on file at
    all, Monday to Friday: funding asks staff about those when it comes to the lump sum.
    """
    return _working_days(place.country, _region(place.country, place.region))


@cache
def _working_days(country: str, region: str | None) -> WorkingDays:
    return WorkingDays(country, region)


@cache
def _region(country: str, region: str | None) -> str | None:
    """The region as its calendar calls it; None where it has none of its own, or an unknown one."""
    public = _calendar(country, region)
    return public.region if public else None


def _calendar(country: str, region: str | None) -> Calendar | None:
    for wanted in dict.fromkeys((region, None)):
        try:
            return calendar(country, wanted)
        except NoCalendar:
            continue
    return None
