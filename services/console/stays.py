"""The days of a stay as somebody chooses them: what they are at the host, and what would be paid for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from services.console.apis import AllApis
from services.console.domain.calendar import (
    HolidayOn,
    Mark,
    Month,
    Span,
    first_stay,
    in_common,
    last_allowed_day,
    marks,
    months,
    no_holidays,
    working_days,
)
from shared.calendar import NoCalendar, calendar

SHORTEST: Final = 3
"""Working days a stay has at least."""
FULL_FROM: Final = 5
"""Working days from which on the lump sum is not halved for few of them."""
SHOWN_MONTHS: Final = 6
OFFERED: Final = 3
"""Stays that are offered to choose from."""


@dataclass(frozen=True)
class Choice:
    """What a page that chooses days shows."""

    months: list[Month]
    marks: dict[date, Mark]
    chosen: Span | None
    working: int | None
    """Working days of what is chosen, at the host."""
    holidays: list[tuple[date, str]]
    """Public holidays among the chosen days."""
    offered: list[tuple[Span, int]]
    """Stays in which both have time, with their working days."""
    trouble: list[str] = field(default_factory=list)
    """What is wrong with the chosen days: `order`, `past`, `short`, `long`, `yours`, `theirs`, `taken`."""
    holidays_known: bool = True

    @property
    def has_taken(self) -> bool:
        """Whether one has another exchange on a day that is shown."""
        return any("taken" in mark.kinds for mark in self.marks.values())

    @property
    def possible(self) -> bool:
        """Whether the chosen days can be a stay; whether the two have time is theirs to say."""
        return self.chosen is not None and not {"order", "past", "short", "long"} & set(self.trouble)


def holidays_at(place: Mapping[str, Any]) -> HolidayOn | None:
    """The public holidays of a place; None where no calendar of it is on file."""
    try:
        found = calendar(place["country"], place.get("region"))
    except NoCalendar:
        return None

    def holiday(day: date) -> str | None:
        try:
            return found.holiday(day)
        except NoCalendar:
            return None

    return holiday


def spans(windows: Iterable[Mapping[str, str]]) -> list[Span]:
    """Windows as the APIs write them."""
    return [Span.of(window) for window in windows]


def span_between(first: str, last: str) -> Span | None:
    """The days of two fields of a form; None unless both are days."""
    try:
        return Span(date.fromisoformat(first), date.fromisoformat(last))
    except ValueError:
        return None


def choose(
    host_place: Mapping[str, Any],
    *,
    yours: Sequence[Span],
    theirs: Sequence[Span],
    chosen: Span | None,
    today: date,
    wished: int | None = None,
    before: Span | None = None,
    taken: Sequence[Span] = (),
) -> Choice:
    """The calendar of a stay at a host.

    `wished`: how many working days they would like it to have; `before`: what was proposed last; `taken`:
    the days of one's other exchanges.
    """
    known = holidays_at(host_place)
    holiday = known or no_holidays
    both = [span for span in in_common(yours, theirs) if span.last > today]
    not_before = today + timedelta(days=1)
    offered = _offered(both, wished, not_before, holiday)
    if chosen is None and before is None and offered:
        chosen = offered[0][0]
    shown = _months(chosen, before, both or [*yours, *theirs], today)
    days = [day for month in shown for week in month.weeks for day in week if day is not None]
    in_order = chosen if chosen and chosen.first <= chosen.last else None
    return Choice(
        months=shown,
        marks=marks(
            days,
            holiday=holiday,
            yours=yours,
            theirs=theirs,
            chosen=chosen,
            before=before,
            taken=taken,
        ),
        chosen=chosen,
        working=working_days(_bounded(in_order), holiday) if in_order else None,
        holidays=[(day, name) for day in _bounded(in_order).days if (name := holiday(day))]
        if in_order
        else [],
        offered=offered,
        trouble=_trouble(chosen, holiday, yours, theirs, taken, today) if chosen else [],
        holidays_known=known is not None,
    )


def _offered(
    both: Sequence[Span], wished: int | None, not_before: date, holiday: HolidayOn
) -> list[tuple[Span, int]]:
    found: list[tuple[Span, int]] = []
    for length in dict.fromkeys([wished or FULL_FROM, FULL_FROM, SHORTEST]):
        begin = not_before
        while len(found) < OFFERED:
            stay = first_stay(both, length, not_before=begin, holiday=holiday)
            if stay is None:
                break
            found.append((stay, length))
            begin = stay.last + timedelta(days=1)
        if found:
            break
    return found


def _bounded(span: Span) -> Span:
    """Never more days than two months have, whatever was typed."""
    return Span(span.first, min(span.last, span.first + timedelta(days=62)))


def _months(chosen: Span | None, before: Span | None, windows: Sequence[Span], today: date) -> list[Month]:
    """From the first day somebody has time on; or from what is chosen, where that would be out of sight."""
    proposed = [span for span in (chosen, before) if span is not None and span.first > today]
    first = min(
        (max(span.first, today) for span in (*proposed, *windows) if span.last > today), default=today
    )
    last = max((span.last for span in (*proposed, *windows)), default=first)
    shown = months(Span(first, max(first, last)), most=SHOWN_MONTHS)
    if proposed and proposed[0].first.replace(day=1) > shown[-1].first:
        return months(Span(proposed[0].first, max(proposed[0].first, last)), most=SHOWN_MONTHS)
    return shown


def _trouble(
    chosen: Span,
    holiday: HolidayOn,
    yours: Sequence[Span],
    theirs: Sequence[Span],
    taken: Sequence[Span],
    today: date,
) -> list[str]:
    if chosen.last < chosen.first:
        return ["order"]
    found = []
    if chosen.first <= today:
        found.append("past")
    if chosen.last > last_allowed_day(chosen.first):
        found.append("long")
    elif working_days(chosen, holiday) < SHORTEST:
        found.append("short")
    for name, windows in (("yours", yours), ("theirs", theirs)):
        if windows and not any(chosen.first in one and chosen.last in one for one in windows):
            found.append(name)
    if any(one.first <= chosen.last and chosen.first <= one.last for one in taken):
        found.append("taken")
    return found


async def expected_lump_sum(
    apis: AllApis, visitor: Mapping[str, Any], host: Mapping[str, Any], stay: Span
) -> Any:
    """What would be paid for a stay between two places, as the funding API previews it."""
    return await apis.funding.post(
        "/lump-sums/preview",
        {
            "host_country": host["country"],
            "host_region": host.get("region"),
            "host_place": _given(host),
            "visitor_place": _given(visitor),
            "visitor_country": visitor["country"],
            "first_day": stay.first.isoformat(),
            "last_day": stay.last.isoformat(),
        },
    )


def _given(place: Mapping[str, Any]) -> dict[str, Any]:
    named = {"city": place["city"], "country": place["country"]}
    if place.get("lat") is None or place.get("lon") is None:
        return named
    return {**named, "lat": place["lat"], "lon": place["lon"]}
