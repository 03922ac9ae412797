"""How long a stay may be, counted in working days at the host."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from services.matching.domain import words
from services.matching.domain.errors import HostFull, StayOutOfBounds
from services.matching.domain.working_days import WorkingDays
from shared.contracts.common import Window

SHORTEST_STAY: Final = 3
"""Working days at the host (CXC FAQ, "Duration")."""

Span = tuple[int, int]
"""First and last day as proleptic ordinals, both included."""


def span_of(window: Window) -> Span:
    """The window's days as ordinals."""
    return window.first_day.toordinal(), window.last_day.toordinal()


def latest_last_day(first_day: date) -> date:
    """The last day a stay of one month can have: one month on, minus one day."""
    year, month = divmod(first_day.year * 12 + first_day.month, 12)
    last_of_month = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(first_day.day, last_of_month)) - timedelta(days=1)


def require_sensible(stay: Window, at_host: WorkingDays) -> None:
    """Raises `StayOutOfBounds` unless the stay has three working days and ends within a month."""
    require_within_a_month(stay)
    count = at_host.count(*span_of(stay))
    if count < SHORTEST_STAY:
        raise StayOutOfBounds(
            f"From {stay.first_day} to {stay.last_day} there {words.are(count, 'working day')} in "
            f"{words.country(at_host.country)}; a stay has at least three, public holidays not counted."
        )


def require_within_a_month(stay: Window) -> None:
    """Raises `StayOutOfBounds` unless the stay ends after it begins, and within a month."""
    if stay.last_day < stay.first_day:
        raise StayOutOfBounds(f"The stay ends on {stay.last_day}, before it begins on {stay.first_day}.")
    if stay.last_day > (latest := latest_last_day(stay.first_day)):
        raise StayOutOfBounds(
            f"A stay lasts one month at the most: beginning on {stay.first_day} it ends by {latest}."
        )


def free_stretches(within: Span, taken: Sequence[Span], places: int) -> list[Span]:
    """The stretches of days in which fewer than `places` of the stays `taken` overlap."""
    first, last = within
    overlapping = [(max(a, first), min(b, last)) for a, b in taken if a <= last and b >= first]
    if len(overlapping) < places:
        return [within]
    # How many stays there are changes only where one begins or the day after one ends.
    edges = sorted({first, last + 1} | {a for a, _ in overlapping} | {b + 1 for _, b in overlapping})
    free: list[Span] = []
    for begins, ends in pairwise(edges):
        if sum(a <= begins <= b for a, b in overlapping) >= places:
            continue
        if free and free[-1][1] == begins - 1:
            free[-1] = (free[-1][0], ends - 1)
        else:
            free.append((begins, ends - 1))
    return free


def require_place(organisation: str, stay: Window, taken: Sequence[Window], places: int) -> None:
    """Raises `HostFull` when on some day of the stay all places are taken by other stays."""
    days = span_of(stay)
    if free_stretches(days, [span_of(other) for other in taken], places) != [days]:
        raise HostFull(
            f"{organisation} takes {places} at a time and has no free place on every day "
            f"from {stay.first_day} to {stay.last_day}."
        )
