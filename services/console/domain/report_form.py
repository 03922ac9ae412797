"""The form of a report on a stay: a field a day for what was done, a field a goal, and how that is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any, Final, Protocol

from services.console.domain.calendar import HolidayOn, Span, is_working_day

PASSAGES: Final = ("results", "cooperation", "improve")
MOST_DAYS: Final = 62
"""More days than a stay can have."""


class Sent(Protocol):
    """A form that was sent."""

    def text(self, name: str, default: str = "") -> str:
        """The value of a field."""
        ...

    def __iter__(self) -> Iterator[str]:
        """The names of its fields."""
        ...


def content(form: Sent, goals: Iterable[str]) -> dict[str, Any]:
    """The report as the funding API takes it; what is filled in wrong is left for it to refuse."""
    satisfaction = form.text("satisfaction")
    return {
        "first_day": form.text("first_day") or None,
        "last_day": form.text("last_day") or None,
        "goals": [
            {"goal": goal, "reached": reached, "how": form.text(f"how-{goal}")}
            for goal in goals
            if (reached := form.text(f"goal-{goal}"))
        ],
        "activities": [{"day": day, "what": what} for day, what in _by_day(form, "activity-")],
        "weekend_days": [{"day": day, "programme": what} for day, what in _by_day(form, "programme-")],
        "satisfaction": int(satisfaction) if satisfaction.isdecimal() else None,
        **{name: form.text(name) for name in PASSAGES},
    }


def fields(report: Mapping[str, Any]) -> dict[str, str]:
    """The form's fields as a saved report fills them in; several entries of a day are one."""
    filled = {name: str(report[name] or "") for name in ("first_day", "last_day", "satisfaction", *PASSAGES)}
    for goal in report["goals"]:
        filled[f"goal-{goal['goal']}"] = goal["reached"]
        filled[f"how-{goal['goal']}"] = goal["how"]
    for activity in report["activities"]:
        name = f"activity-{activity['day']}"
        filled[name] = "\n".join(filter(None, [filled.get(name), activity["what"]]))
    for one in report["weekend_days"]:
        filled[f"programme-{one['day']}"] = one["programme"]
    return filled


def days_to_fill(filled: Mapping[str, str], planned: Span) -> list[date]:
    """The days there is a field for: those of the stay as it is given, and those something is said of."""
    span = _span(filled.get("first_day", ""), filled.get("last_day", "")) or planned
    days = set(islice(span.days, MOST_DAYS))
    for name, said in filled.items():
        prefix, _, written = name.partition("-")
        if said and prefix in ("activity", "programme") and (day := _day(written)) is not None:
            days.add(day)
    return sorted(days)


def days_off(days: Sequence[date], holiday: HolidayOn) -> list[date]:
    """Those that are no working days by themselves, so that a programme on them has to be said."""
    return [day for day in days if not is_working_day(day, holiday)]


def _by_day(form: Sent, prefix: str) -> list[tuple[str, str]]:
    return [
        (name.removeprefix(prefix), form.text(name))
        for name in sorted(form)
        if name.startswith(prefix) and form.text(name)
    ]


def _span(first_day: str, last_day: str) -> Span | None:
    first, last = _day(first_day), _day(last_day)
    return Span(first, last) if first and last and first <= last else None


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None
