"""Working days of a stay, day by day: which count, which do not, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

from services.funding.domain.stay import AcceptedDay
from shared.calendar import Calendar
from shared.contracts.envelope import Contract

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Day(Contract):
    """One day of a stay: whether it counts as a working day, and why."""

    day: date
    weekday: str
    counted: bool
    why: str


def explain_days(
    first_day: date, last_day: date, public_holidays: Calendar, accepted: Iterable[AcceptedDay] = ()
) -> list[Day]:
    """Each day of the stay, both ends included, with its reason.

    Not Saturdays, Sundays or public holidays, unless staff accepted the day (after Regulation
    1182/71). Raises `NoCalendar` when a year is not covered.
    """
    by_day = {day.day: day for day in accepted}
    return [
        _explain(day, public_holidays.holiday(day), by_day.get(day))
        for day in (first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1))
    ]


def _explain(day: date, holiday: str | None, accepted: AcceptedDay | None) -> Day:
    weekday = _WEEKDAYS[day.weekday()]
    obstacles = ["weekend"] if day.weekday() >= 5 else []
    if holiday:
        obstacles.append(f"public holiday ({holiday})")
    if not obstacles:
        return Day(day=day, weekday=weekday, counted=True, why="working day")
    why = " and ".join(obstacles)
    if accepted:
        why = f"{why}, accepted by {accepted.accepted_by or 'staff'}: {accepted.reason}"
    return Day(day=day, weekday=weekday, counted=accepted is not None, why=why)
