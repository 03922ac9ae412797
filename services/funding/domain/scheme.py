"""The scheme's dated rules on money: who takes part, how long a stay lasts, what halves a lump sum."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from services.funding.domain.rates import Amount, written
from shared.contracts.envelope import StrictContract
from shared.contracts.vocabulary import Country
from shared.dated import in_force
from shared.errors import RuleBroken


class NoRulesOnFile(RuleBroken):
    """The day lies before the first rule set."""

    code = "no-rules-on-file"


class Countries(StrictContract):
    """Who takes part; `disputed` are those the sources contradict each other on."""

    source: str
    participating: frozenset[Country]
    disputed: frozenset[Country]


class Duration(StrictContract):
    """How short and how long a stay may be."""

    source: str
    minimum_working_days: int
    longest_months: int
    longest_source: str
    calendar_source: str


class LumpSumTerms(StrictContract):
    """When the full rate is paid, and the ceiling in EUR; kilometres are geodesic."""

    source: str
    full_from_working_days: int
    full_from_km: int
    ceiling: Amount
    ceiling_source: str
    distance_source: str
    different_countries_source: str


class SchemeRules(StrictContract):
    """The rules in force from a day until the next set begins."""

    name: str
    in_force_from: date
    countries: Countries
    duration: Duration
    lump_sum: LumpSumTerms


class Scheme:
    """All rule sets on file."""

    def __init__(self, rule_sets: Iterable[SchemeRules]) -> None:
        self._all = tuple(rule_sets)

    def in_force_on(self, day: date) -> SchemeRules:
        """The rules that apply to a stay beginning on the day; raises `NoRulesOnFile`."""
        rules = in_force(self._all, day, begins=lambda rules: rules.in_force_from)
        if rules is None:
            raise NoRulesOnFile(f"No rules of the scheme are on file for {written(day)}.")
        return rules

    @property
    def countries(self) -> frozenset[str]:
        """Every country a rule set names."""
        return frozenset[str]().union(
            *(rules.countries.participating | rules.countries.disputed for rules in self._all)
        )
