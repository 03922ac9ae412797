"""The facts a lump sum is computed from: who stays where, from which day to which."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.contracts.envelope import StrictContract
from shared.contracts.vocabulary import Country, Line


class GivenPlace(StrictContract):
    """Where an organisation is, as given: `{city, country}`, `{lat, lon}` (degrees, WGS 84), or all of it.

    Coordinates win over the name; without a country the organisation's own is meant.
    """

    city: Line | None = None
    country: Country | None = None
    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("give both lat and lon, or neither")
        if self.lat is None and self.city is None:
            raise ValueError("give a city with its country, or lat and lon")
        return self


class AcceptedDay(StrictContract):
    """A Saturday, Sunday or holiday that staff count as a working day, with their reason."""

    day: date
    reason: Line
    accepted_by: Line | None = None


class Stay(StrictContract):
    """A visitor's stay at a host; both days are days at the host, travel excluded.

    `host_region` is the ISO 3166-2 subdivision that decides regional holidays, such as BY. A
    partnership may have agreed to pay less than the rate: `agreed_amount`, EUR.
    """

    host_country: Country
    host_region: Annotated[str, Field(max_length=40)] | None = None
    host_place: GivenPlace
    visitor_place: GivenPlace
    visitor_country: Country
    first_day: date
    last_day: date
    accepted_days: Annotated[list[AcceptedDay], Field(max_length=31)] = []
    agreed_amount: Annotated[Decimal, Field(gt=0, decimal_places=2, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.last_day < self.first_day:
            raise ValueError(f"last_day {self.last_day} is before first_day {self.first_day}")
        outside = [
            accepted.day
            for accepted in self.accepted_days
            if not self.first_day <= accepted.day <= self.last_day
        ]
        if outside:
            raise ValueError(f"the accepted day {outside[0]} is not a day of the stay")
        return self
