"""A partnership's money as staff read it: balances after each entry of the ledger, and what they are of."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

ACCOUNTS: Final = ("available", "reserved", "committed", "paid")
"""Where the money of a partnership can be; `budget`, where it all comes from, is not one of them."""

ZERO: Final = Decimal("0.00")


class Line(NamedTuple):
    """An entry of the ledger, and what each account holds after it; EUR."""

    entry: Mapping[str, Any]
    balances: dict[str, Decimal]


def running(before: Mapping[str, Decimal], entries: Iterable[Mapping[str, Any]]) -> Iterator[Line]:
    """The entries with the balances after each, from those before the first; the oldest is first."""
    balances = {account: before.get(account, ZERO) for account in ACCOUNTS}
    for entry in entries:
        amount = Decimal(entry["amount"])
        if entry["debit"] in balances:
            balances[entry["debit"]] += amount
        if entry["credit"] in balances:
            balances[entry["credit"]] -= amount
        yield Line(entry, dict(balances))


def accounts_followed(filters: Mapping[str, object]) -> tuple[str, ...]:
    """Accounts of which such a list leaves out nothing: their balances go on from line to line."""
    if "grant" in filters:
        return ()
    return tuple(account for account in ACCOUNTS if filters.get("account", account) == account)


class Slice(NamedTuple):
    """A part of the budget, as a bar shows it: EUR, and where it begins and how wide it is in percent."""

    account: str
    amount: Decimal
    begins: float
    width: float


def slices(budget: Mapping[str, Any]) -> list[Slice]:
    """The budget from what is paid to what is left, each beside the one before."""
    total = Decimal(budget["total"])
    begins = Decimal(0)
    found = []
    for account in reversed(ACCOUNTS):
        amount = Decimal(budget[account])
        share = amount * 100 / total if total else Decimal(0)
        found.append(Slice(account, amount, float(round(begins, 3)), float(round(share, 3))))
        begins += share
    return found


def opening(balances: Mapping[str, Any]) -> dict[str, Decimal]:
    """The balances as an API tells them, EUR."""
    return {account: Decimal(balances[account]) for account in ACCOUNTS}


_COLUMNS: Final = ("number", "at", "credit", "debit", "amount", "why", "grant")


def ledger_csv(entries: Iterable[Mapping[str, Any]], *, head: bool) -> str:
    """Entries as lines of a CSV file, with their head if asked; the money came from `credit`."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\r\n")
    if head:
        lines.writerow(_COLUMNS)
    lines.writerows([entry[name] for name in _COLUMNS] for entry in entries)
    return written.getvalue()


class Period(NamedTuple):
    """Days a report to the funder is often asked for, both included."""

    name: str
    first_day: date
    last_day: date


def periods(today: date) -> list[Period]:
    """The quarter and the year under way, and those before."""
    quarter = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    last_of_quarter_before = quarter - timedelta(days=1)
    quarter_before = date(last_of_quarter_before.year, last_of_quarter_before.month - 2, 1)
    year = date(today.year, 1, 1)
    return [
        Period("this quarter", quarter, today),
        Period("last quarter", quarter_before, last_of_quarter_before),
        Period("this year", year, today),
        Period("last year", date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
    ]
