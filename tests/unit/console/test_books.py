"""A partnership's money as staff read it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.console.domain.books import accounts_followed, ledger_csv, opening, periods, running, slices


def entry(number: int, credit: str, debit: str, amount: str) -> dict[str, Any]:
    return {
        "number": number,
        "at": "2023-02-14T10:00:00Z",
        "credit": credit,
        "debit": debit,
        "amount": amount,
        "why": "reserved",
        "grant": None,
    }


BUDGET_SET = entry(1, "budget", "available", "2000.00")
RESERVED = entry(2, "available", "reserved", "450.00")
COMMITTED = entry(3, "reserved", "committed", "450.00")


def test_each_entry_leaves_balances_that_add_up_to_the_budget() -> None:
    lines = list(running({}, [BUDGET_SET, RESERVED, COMMITTED]))
    assert [sum(line.balances.values()) for line in lines] == [Decimal("2000.00")] * 3
    assert lines[-1].balances == {
        "available": Decimal("1550.00"),
        "reserved": Decimal("0.00"),
        "committed": Decimal("450.00"),
        "paid": Decimal("0.00"),
    }
    assert lines[1].balances["reserved"] == Decimal("450.00"), "a later entry changes no earlier line"


def test_a_page_goes_on_from_the_balances_before_it() -> None:
    before = opening({"available": "1550.00", "reserved": "450.00", "committed": "0.00", "paid": "0.00"})
    (line,) = running(before, [COMMITTED])
    assert (line.balances["reserved"], line.balances["committed"]) == (Decimal("0.00"), Decimal("450.00"))


@pytest.mark.parametrize(
    ("filters", "followed"),
    [
        ({}, ("available", "reserved", "committed", "paid")),
        ({"first_day": "2023-02-01"}, ("available", "reserved", "committed", "paid")),
        ({"account": "paid"}, ("paid",)),
        ({"account": "budget"}, ()),
        ({"grant": "grant-m1", "account": "paid"}, ()),
    ],
)
def test_balances_are_told_of_accounts_of_which_no_movement_is_left_out(
    filters: dict[str, str], followed: tuple[str, ...]
) -> None:
    assert accounts_followed(filters) == followed


def test_the_bar_of_the_budget_is_full_and_begins_with_what_is_paid() -> None:
    bar = slices(
        {
            "total": "1000.00",
            "available": "500.00",
            "reserved": "250.00",
            "committed": "0.00",
            "paid": "250.00",
        }
    )
    assert [(part.account, part.begins, part.width) for part in bar] == [
        ("paid", 0.0, 25.0),
        ("committed", 25.0, 0.0),
        ("reserved", 25.0, 25.0),
        ("available", 50.0, 50.0),
    ]


def test_a_budget_of_nothing_has_a_bar_of_nothing() -> None:
    nothing = dict.fromkeys(("total", "available", "reserved", "committed", "paid"), "0.00")
    assert [part.width for part in slices(nothing)] == [0.0] * 4


def test_the_csv_file_has_its_head_once() -> None:
    written = ledger_csv([BUDGET_SET], head=True) + ledger_csv([RESERVED], head=False)
    assert written.split("\r\n") == [
        "number,at,credit,debit,amount,why,grant",
        "1,2023-02-14T10:00:00Z,budget,available,2000.00,reserved,",
        "2,2023-02-14T10:00:00Z,available,reserved,450.00,reserved,",
        "",
    ]


@pytest.mark.parametrize(
    ("today", "quarter", "quarter_before"),
    [
        (date(2023, 2, 20), (date(2023, 1, 1), date(2023, 2, 20)), (date(2022, 10, 1), date(2022, 12, 31))),
        (date(2023, 4, 1), (date(2023, 4, 1), date(2023, 4, 1)), (date(2023, 1, 1), date(2023, 3, 31))),
        (date(2024, 12, 31), (date(2024, 10, 1), date(2024, 12, 31)), (date(2024, 7, 1), date(2024, 9, 30))),
    ],
)
def test_quarters_and_years_are_offered_for_reports(
    today: date, quarter: tuple[date, date], quarter_before: tuple[date, date]
) -> None:
    this, last, year, year_before = [(one.first_day, one.last_day) for one in periods(today)]
    assert (this, last) == (quarter, quarter_before)
    assert year == (date(today.year, 1, 1), today)
    assert year_before == (date(today.year - 1, 1, 1), date(today.year - 1, 12, 31))
