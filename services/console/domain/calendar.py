"""Calendars of months for choosing and explaining days: weeks, weekends, holidays, who has time when."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple, Self

HolidayOn = Callable[[date], str | None]
"""The public holiday on a day, or None."""

Kind = Literal["working", "weekend", "holiday", "yours", "theirs", "both", "chosen", "before", "taken"]
"""What can be said of a day: `yours` and `theirs` are who has time, `before` what was proposed before."""

SATURDAY: Final = 5
ONE_DAY: Final = timedelta(days=1)


class Span(NamedTuple):
    """Days from the first to the last, both included."""

    first: date
    last: date

    @classmethod
    def of(cls, window: Mapping[str, str]) -> Self:
        """As the APIs write one: `{"first_day": "2027-02-08", "last_day": "2027-02-12"}`."""
        return cls(date.fromisoformat(window["first_day"]), date.fromisoformat(window["last_day"]))

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    @property
    def days(self) -> Iterator[date]:
        """Each of them."""
        for ordinal in range(self.first.toordinal(), self.last.toordinal() + 1):
            yield date.fromordinal(ordinal)


Week = tuple[date | None, ...]
"""Seven days from Monday on; None for those of another month."""


@dataclass(frozen=True)
class Month:
    """A month, and its weeks from Monday to Sunday."""

    first: date
    weeks: tuple[Week, ...]


@dataclass(frozen=True)
class Mark:
    """What is to be seen on one day, in the order of `Kind`, and what it is called, such as a holiday."""

    kinds: tuple[Kind, ...]
    note: str = ""


def month_of(day: date) -> Month:
    """The month that has this day."""
    first = day.replace(day=1)
    offset, length = monthrange(day.year, day.month)
    cells: list[date | None] = [None] * offset
    cells += [first + n * ONE_DAY for n in range(length)]
    cells += [None] * (-len(cells) % 7)
    return Month(first, tuple(tuple(cells[begin : begin + 7]) for begin in range(0, len(cells), 7)))


def months(span: Span, *, most: int = 24) -> list[Month]:
    """All months that have a day of the span, `most` of them at the most."""
    found = [month_of(span.first)]
    while len(found) < most:
        following = (found[-1].first + timedelta(days=31)).replace(day=1)
        if following > span.last:
            break
        found.append(month_of(following))
    return found


def no_holidays(day: date) -> None:
    """Where no calendar of public holidays is known."""


def is_working_day(day: date, holiday: HolidayOn = no_holidays) -> bool:
    """Neither Saturday nor Sunday nor a public holiday."""
    return day.weekday() < SATURDAY and holiday(day) is None


def working_days(span: Span, holiday: HolidayOn = no_holidays) -> int:
    """How many days of the span are working days."""
    return sum(is_working_day(day, holiday) for day in span.days)


def last_allowed_day(first: date) -> date:
    """The last day of the longest stay: a month from the first day on, minus one day."""
    year, month = divmod(first.year * 12 + first.month, 12)
    same_day = date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))
    return same_day - ONE_DAY


def in_common(some: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    """The days in which both have time, in their order."""
    shared = (
        Span(max(one.first, other.first), min(one.last, other.last)) for one in some for other in others
    )
    return sorted(span for span in shared if span.first <= span.last)


def stay_from(first: date, days: int, holiday: HolidayOn = no_holidays) -> Span | None:
    """The shortest stay with so many working days that begins with the first working day from this one on.

    None where it would be longer than a stay may be.
    """
    while not is_working_day(first, holiday):
        first += ONE_DAY
    for day in Span(first, last_allowed_day(first)).days:
        if working_days(Span(first, day), holiday) == days:
            return Span(first, day)
    return None


def first_stay(
    windows: Iterable[Span], days: int, *, not_before: date, holiday: HolidayOn = no_holidays
) -> Span | None:
    """The first stay with so many working days that lies in one of the windows; None where there is none.

    One that lies in a single week is preferred to one with a weekend in between.
    """
    later: Span | None = None
    for window in sorted(windows):
        begin = max(window.first, not_before)
        while begin <= window.last:
            stay = stay_from(begin, days, holiday)
            if stay is None or stay.last > window.last:
                break
            if (stay.last - stay.first).days < 7 - stay.first.weekday() or days > SATURDAY:
                return stay
            later = later or stay
            begin = stay.first + ONE_DAY
    return later


def marks(
    days: Iterable[date],
    *,
    holiday: HolidayOn = no_holidays,
    yours: Sequence[Span] = (),
    theirs: Sequence[Span] = (),
    chosen: Span | None = None,
    before: Span | None = None,
    taken: Sequence[Span] = (),
) -> dict[date, Mark]:
    """What is to be seen on each of these days."""
    return {
        day: Mark(tuple(_kinds(day, holiday, yours, theirs, chosen, before, taken)), holiday(day) or "")
        for day in days
    }


def _kinds(
    day: date,
    holiday: HolidayOn,
    yours: Sequence[Span],
    theirs: Sequence[Span],
    chosen: Span | None,
    before: Span | None,
    taken: Sequence[Span],
) -> Iterator[Kind]:
    if day.weekday() >= SATURDAY:
        yield "weekend"
    elif holiday(day) is None:
        yield "working"
    if holiday(day) is not None:
        yield "holiday"
    is_yours, is_theirs = any(day in span for span in yours), any(day in span for span in theirs)
    if is_yours and is_theirs:
        yield "both"
    elif is_yours:
        yield "yours"
    elif is_theirs:
        yield "theirs"
    if chosen is not None and day in chosen:
        yield "chosen"
    if before is not None and day in before:
        yield "before"
    if any(day in span for span in taken):
        yield "taken"
