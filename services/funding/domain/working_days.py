"""Working days of a stay, day by day: which count, which do not, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

from services.funding.domain.stay import AcceptedDay
from shared.calendar import Calendar
from shared.contracts.envelope import Contract

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORKING_DAY: Final = "working day"
"""Why a day counts about which there is nothing more to say."""


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
    by_day: dict[date, list[AcceptedDay]] = {}
    for one in accepted:
        by_day.setdefault(one.day, []).append(one)
    return [
        _explain(day, public_holidays, by_day.get(day, []))
        for day in (first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1))
    ]


def _explain(day: date, public_holidays: Calendar, accepted: list[AcceptedDay]) -> Day:
    weekday = _WEEKDAYS[day.weekday()]
    obstacles = ["weekend"] if day.weekday() >= 5 else []
    if holiday := public_holidays.holiday(day):
        of = f" in {public_holidays.region_name}" if public_holidays.is_regional(day) else ""
        obstacles.append(f"public holiday{of} ({holiday})")
    if not obstacles:
        return Day(day=day, weekday=weekday, counted=True, why=WORKING_DAY)
    why = " and ".join(obstacles)
    # Given twice with one reason, it is said once.
    for said in dict.fromkeys(f"accepted by {one.accepted_by or 'staff'}: {one.reason}" for one in accepted):
        why = f"{why}, {said}"
    return Day(day=day, weekday=weekday, counted=bool(accepted), why=why)
