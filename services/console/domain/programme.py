"""What a group event says, as its form sends it and as the matching API takes and tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.console.domain.judging import Sent, number

AGENDA_FIELDS: Final = ("day", "begins", "ends", "title", "responsible")
MORE_ROWS: Final = 4
MOST_ROWS: Final = 100


def agenda_rows(form: Sent) -> list[dict[str, str]]:
    """The rows of the agenda in which something is written, in their order."""
    rows = [{name: form.text(f"agenda-{row}-{name}") for name in AGENDA_FIELDS} for row in range(MOST_ROWS)]
    return [row for row in rows if any(row.values())]


def programme(form: Sent) -> dict[str, Any]:
    """What planning or changing a group event takes; what is malformed is left for the API to refuse."""
    local_places = form.text("local_places")
    return {
        "title": form.text("title"),
        "first_day": form.text("first_day"),
        "last_day": form.text("last_day"),
        "sign_up_until": form.text("sign_up_until"),
        "places": number(form.text("places")),
        "local_places": number(local_places) if local_places else None,
        "approves_at_once": form.text("approves_at_once") == "true",
        "agenda": [{name: value for name, value in row.items() if value} for row in agenda_rows(form)],
    }


def as_filled_in(event: Mapping[str, Any]) -> dict[str, Any]:
    """A group event as the form shows it before anything is changed."""
    return {
        **{name: event[name] for name in ("title", "sign_up_until", "places", "local_places")},
        "first_day": event["days"]["first_day"],
        "last_day": event["days"]["last_day"],
        "approves_at_once": event["approves_at_once"],
        "agenda": [{name: item[name] or "" for name in AGENDA_FIELDS} for item in event["agenda"]],
    }


def documents(form: Sent) -> list[dict[str, str]]:
    """The commitments that were ticked to be signed, each as it was read."""
    found = (ticked.partition(":") for ticked in form.list("documents"))
    return [{"match_id": match, "sha256": sha256} for match, _, sha256 in found]
