"""The shipped rates and rules, and what is wrong with broken ones."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from services.funding.domain.rates import RateNotOnFile
from services.funding.rules_on_file import SHIPPED, policies_in
from tests.unit.funding.builders import POLICIES


def test_every_participating_country_had_a_rate_in_the_cosme_era() -> None:
    rules = POLICIES.scheme.in_force_on(date(2023, 2, 14))
    assert len(rules.countries.participating) == 38
    for country in rules.countries.participating:
        assert 0 < POLICIES.rates.rate(country, date(2023, 2, 14)).full <= rules.lump_sum.ceiling


@pytest.mark.parametrize(
    ("country", "day", "full"),
    [
        ("IT", date(2023, 2, 14), "900"),
        ("NO", date(2023, 2, 14), "1100"),
        ("AT", date(2024, 5, 31), "900"),
        ("AT", date(2024, 6, 1), "1000"),
    ],
)
def test_rates_change_on_the_day_a_table_begins(country: str, day: date, full: str) -> None:
    assert POLICIES.rates.rate(country, day).full == Decimal(full)


@pytest.mark.parametrize(
    ("country", "day"), [("IT", date(2024, 6, 1)), ("GB", date(2023, 2, 14)), ("IT", date(2013, 12, 31))]
)
def test_a_rate_that_is_not_on_file_is_not_made_up(country: str, day: date) -> None:
    with pytest.raises(RateNotOnFile):
        POLICIES.rates.rate(country, day)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("currency: EUR", "currency: USD"),
        ('  AT: "900"', '  AT: "-900"'),
        ('  AT: "900"', '  AUSTRIA: "900"'),
        ("in_force_from: 2014-01-01", "in_force_from: soon"),
    ],
)
def test_a_broken_table_is_refused_at_start_by_the_name_of_its_file(
    tmp_path: Path, line: str, instead: str
) -> None:
    shutil.copytree(SHIPPED, tmp_path / "rules")
    table = tmp_path / "rules" / "rates" / "2014-cosme.yaml"
    content = table.read_text(encoding="utf-8")
    assert line in content
    table.write_text(content.replace(line, instead), encoding="utf-8")
    with pytest.raises(ValueError, match=r"2014-cosme\.yaml is no RateTable"):
        policies_in(tmp_path / "rules")


def test_two_tables_cannot_begin_on_the_same_day(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "rules")
    rates = tmp_path / "rules" / "rates"
    shutil.copy(rates / "2014-cosme.yaml", rates / "again.yaml")
    with pytest.raises(ValueError, match="begin on the same day"):
        policies_in(tmp_path / "rules")
