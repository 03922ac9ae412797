"""Dated rate tables: the full lump sum of each host country, EUR, and which table applies on a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from shared.contracts.envelope import StrictContract
from shared.contracts.vocabulary import COUNTRIES, Country
from shared.dated import in_force
from shared.errors import RuleBroken

Amount = Annotated[Decimal, Field(gt=0, decimal_places=2, allow_inf_nan=False)]
"""A positive amount in EUR, exact to the cent."""


def written(day: date) -> str:
    """The day as people write it: 5 July 2023."""
    return f"{day.day} {day:%B %Y}"


class RateNotOnFile(RuleBroken):
    """No table in force on the day lists the host country; older rates are never carried over."""

    code = "rate-not-on-file"


class RateTable(StrictContract):
    """Full rates by host country, EUR, from `in_force_from` until the next table begins."""

    name: str
    in_force_from: date
    source: str
    currency: Literal["EUR"]
    full_rates: dict[Country, Amount]


class Rate(NamedTuple):
    """A full rate in EUR and the table it stands in."""

    full: Decimal
    table: RateTable


class Rates:
    """All tables on file."""

    def __init__(self, tables: Iterable[RateTable]) -> None:
        self._all = tuple(tables)
        days = [table.in_force_from for table in self._all]
        if len(set(days)) != len(days):
            raise ValueError("two rate tables begin on the same day")

    @property
    def countries(self) -> frozenset[str]:
        """Every country that has a rate in some table."""
        return frozenset(country for table in self._all for country in table.full_rates)

    def spans(self) -> list[tuple[RateTable, date | None]]:
        """The tables in their order, each with the day the next one begins."""
        in_order = sorted(self._all, key=lambda table: table.in_force_from)
        begins = [table.in_force_from for table in in_order[1:]]
        return list(zip(in_order, [*begins, None], strict=True))

    def with_candidate(self, candidate: RateTable) -> Rates:
        """These tables and the candidate; in the place of the one that begins on the same day."""
        others = [table for table in self._all if table.in_force_from != candidate.in_force_from]
        return Rates([*others, candidate])

    def in_force_on(self, day: date) -> RateTable:
        """The table that applies on the day; raises `RateNotOnFile` before the first one."""
        table = in_force(self._all, day, begins=lambda table: table.in_force_from)
        if table is None:
            raise RateNotOnFile(f"No rate table is on file for {written(day)}.")
        return table

    def full(self, country: str, day: date) -> Decimal | None:
        """The full rate of a host country on the first day of a stay; None where none is on file."""
        try:
            return self.rate(country, day).full
        except RateNotOnFile:
            return None

    def rate(self, country: str, day: date) -> Rate:
        """The full rate of a host country on the first day of a stay; raises `RateNotOnFile`."""
        table = self.in_force_on(day)
        full = table.full_rates.get(country)
        if full is None:
            raise RateNotOnFile(
                f"The {table.name}, in force on {written(day)}, has no rate for {COUNTRIES[country]}; "
                "rates of other tables are never carried over."
            )
        return Rate(full, table)
