"""Dated entries: rules, rates and weights that hold from a day until the next entry begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import TypeVar

T = TypeVar("T")


def in_force(entries: Iterable[T], day: date, *, begins: Callable[[T], date]) -> T | None:
    """The entry that began last, on that day at the latest; None before the first one."""
    return max((entry for entry in entries if begins(entry) <= day), key=begins, default=None)
