"""What staff decide about a stay, as forms send it and as the funding API takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Protocol

from services.console.domain.calendar import SATURDAY, Kind, Mark


class Sent(Protocol):
    """A form that was sent."""

    def text(self, name: str, default: str = "") -> str:
        """The value of a field."""
        ...

    def list(self, name: str) -> list[str]:
        """All values of a field."""
        ...


def accepted_days(form: Sent) -> list[dict[str, str]]:
    """The days that were ticked to count as working days, each with its reason."""
    return [{"day": day, "reason": form.text(f"reason-{day}")} for day in form.list("accept")]


def validation(form: Sent) -> dict[str, Any]:
    """What validating a report takes; an edition that is no number is left for the API to refuse."""
    return {"edition": number(form.text("edition")), "accepted_days": accepted_days(form)}


def evidence_return(form: Sent) -> dict[str, Any]:
    """Which files will not do, each with a reason, and what is missing."""
    files = [{"id": id, "reason": form.text(f"because-{id}")} for id in form.list("files")]
    return {"files": files, "reason": form.text("reason") or None}


def settlement(form: Sent) -> dict[str, Any]:
    """The facts that staff settle; what was left blank stays as it is."""
    body: dict[str, Any] = {
        "reason": form.text("reason"),
        "accepted_days": accepted_days(form),
        "no_longer_accepted": form.list("take_back"),
        "confirmed_countries": form.list("confirmed_countries"),
        "host_region": form.text("host_region") or None,
        "agreed_amount": form.text("agreed_amount") or None,
    }
    for side in ("host", "visitor"):
        place = {name: form.text(f"{side}_{name}") for name in ("city", "country", "lat", "lon")}
        if place["city"] or place["lat"] or place["lon"]:
            given: dict[str, Any] = {name: value for name, value in place.items() if value}
            body[f"{side}_place"] = given | {
                name: degrees(given[name]) for name in ("lat", "lon") if name in given
            }
    return body


def number(written: str) -> int | str:
    """A whole number, or what was written instead."""
    return int(written) if written.isascii() and written.isdigit() else written


def degrees(written: str) -> float | str:
    """A number, or what was written instead."""
    try:
        return float(written.replace(",", "."))
    except ValueError:
        return written


def day_marks(days: Iterable[Mapping[str, Any]]) -> dict[date, Mark]:
    """What is to be seen on each day of a stay: whether it counts, and why."""
    marks = {}
    for day in days:
        on = date.fromisoformat(day["day"])
        kinds: list[Kind] = []
        if day["counted"]:
            kinds.append("chosen")
        elif "public holiday" in day["why"]:
            kinds.append("holiday")
        else:
            kinds.append("weekend" if on.weekday() >= SATURDAY else "working")
        marks[on] = Mark(tuple(kinds), day["why"])
    return marks


def not_working(days: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The days of a stay that are no working days by themselves, counted or not."""
    return [day for day in days if day["why"] != "working day"]
