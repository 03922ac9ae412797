"""How documents, mails and reasons write days, moments, amounts and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from shared.contracts.vocabulary import COUNTRIES


def country(code: str) -> str:
    """The English name of a country, or its code."""
    return COUNTRIES.get(code, code)


def counted(number: int, thing: str) -> str:
    """`1 working day`, `2 working days`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def eur(amount: Decimal) -> str:
    """`EUR 1,100.00`."""
    return f"EUR {amount:,.2f}"


def day(when: date) -> str:
    """`6 February 2023`."""
    return f"{when.day} {when:%B %Y}"


def days(first: date, last: date) -> str:
    """`6 to 17 February 2023`, naming month and year once where they are the same."""
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {day(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%B} to {day(last)}"
    return f"{day(first)} to {day(last)}"


def moment(at: datetime) -> str:
    """`24 January 2023, 15:45:00 UTC`."""
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"


def listed(words: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; or with another word before the last."""
    all_words: Sequence[str] = list(words)
    if len(all_words) < 2:
        return "".join(all_words)
    return f"{', '.join(all_words[:-1])} {last} {all_words[-1]}"
