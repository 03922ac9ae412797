"""The facts a lump sum is computed from: who stays where, from which day to which."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from shared.contracts.envelope import StrictContract
from shared.contracts.vocabulary import BlankIsNone, Country, Line, NotTruth, OnceEach

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def _only_a_day(value: object) -> object:
    # Pydantic would count seconds from 1970, and drop the hour and the zone of a moment.
    if isinstance(value, str):
        value = value.strip()
        is_day = _DAY.fullmatch(value) is not None
    else:
        is_day = isinstance(value, date) and not isinstance(value, datetime)
    if not is_day:
        raise ValueError("is not a valid date; write it as 2027-02-08, without a time")
    return value


def _none_is_none_of_them(value: object) -> object:
    return [] if value is None else value


DayOfStay = Annotated[date, BeforeValidator(_only_a_day)]
"""A calendar day at the host, where the clock of the host goes: no moment, no zone."""


def _to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))


ToTheCent: Final = AfterValidator(_to_the_cent)
"""Beside an amount of two decimal places at the most: 450 and 4.5E+2 are kept, and told, as 450.00."""

AgreedAmount = Annotated[
    Decimal,
    Field(gt=0, max_digits=9, decimal_places=2, allow_inf_nan=False, examples=["450.00"]),
    NotTruth,
    ToTheCent,
]
"""EUR, exact to the cent."""


class GivenPlace(StrictContract):
    """Where an organisation is, as given: `{city, country}`, `{lat, lon}` (degrees, WGS 84), or all of it.

    Coordinates win over the name; without a country the organisation's own is meant. `confirmed_by` says
    who found that it lies there although its name or country says otherwise.
    """

    city: Annotated[Line | None, BlankIsNone] = None
    country: Annotated[Country | None, BlankIsNone] = None
    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False), NotTruth] | None = None
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False), NotTruth] | None = None
    confirmed_by: Annotated[Line | None, BlankIsNone] = None

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("give both lat and lon, or neither")
        if self.lat is None and self.city is None:
            raise ValueError("give a city with its country, or lat and lon")
        return self


class AcceptedDay(StrictContract):
    """A Saturday, Sunday or holiday that staff count as a working day, with their reason."""

    day: DayOfStay
    reason: Line
    accepted_by: Annotated[Line | None, BlankIsNone] = None


class Settled(StrictContract):
    """A decision of staff on facts of a stay."""

    by: Line
    on: DayOfStay
    reason: Line
    what: list[str] = []
    """What they settled, a few words each; empty where the lump sum was only computed again."""


class Stay(StrictContract):
    """A visitor's stay at a host; both days are days at the host, travel excluded.

    `host_region` is the ISO 3166-2 subdivision that decides regional holidays, such as BY. A
    partnership may have agreed to pay less than the rate: `agreed_amount`, EUR. Whether a country of
    `confirmed_countries` takes part is disputed, and staff decided that it does in this case. `settled`
    says what of all this staff settled by hand.
    """

    host_country: Country
    host_region: Annotated[
        Annotated[str, StringConstraints(strip_whitespace=True, max_length=40)] | None, BlankIsNone
    ] = None
    host_place: GivenPlace
    visitor_place: GivenPlace
    visitor_country: Country
    first_day: DayOfStay
    last_day: DayOfStay
    accepted_days: Annotated[
        list[AcceptedDay], Field(max_length=31), BeforeValidator(_none_is_none_of_them)
    ] = []
    agreed_amount: Annotated[AgreedAmount | None, BlankIsNone] = None
    confirmed_countries: Annotated[list[Country], OnceEach] = []
    settled: list[Settled] = []

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.last_day < self.first_day:
            raise ValueError(
                f"last_day {self.last_day} is before first_day {self.first_day}; were they swapped?"
            )
        outside = [
            accepted.day
            for accepted in self.accepted_days
            if not self.first_day <= accepted.day <= self.last_day
        ]
        if outside:
            raise ValueError(
                f"the accepted day {outside[0]} is not a day of the stay, {self.first_day} to {self.last_day}"
            )
        return self
