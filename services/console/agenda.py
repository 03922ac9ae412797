"""What an organisation has to do and by when: what waits in the read model, with the reminders' deadlines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from services.console.case_rows import Wait

_KINDS: Final = {
    "question_to_answer": "question",
    "commitment_to_sign": "commitment",
    "agreement_to_sign": "agreement",
    "evidence_to_send": "evidence",
}
"""What the reminders call it that the read model knows by a kind."""


@dataclass(frozen=True)
class ToDo:
    """One thing to do."""

    kind: str
    """As the read model calls it; `reminder` for what only the reminders know."""
    title: str
    """What to call the case, or, for a reminder, what to do."""
    href: str
    until: date | None
    """The last day for it."""
    standing: Literal["late", "now", "later"]
    """Later: nothing can be done yet, such as a report before the stay is over."""
    begins: date | None = None
    """From this day on it can be done, if that is to come."""


def agenda(waits: Iterable[Wait], reminders: Iterable[Mapping[str, Any]], today: date) -> list[ToDo]:
    """What is to be done: what is overdue first, then what can be done now by its last day, then the rest."""
    told = list(reminders)
    deadlines = {
        (_KINDS[one["name"]], one["case"]): date.fromisoformat(one["deadline"])
        for one in told
        if one["name"] in _KINDS
    }
    found = []
    for wait in waits:
        until = wait.until or deadlines.get((wait.kind, wait.case))
        begins = wait.begins if wait.begins and wait.begins > today else None
        standing: Literal["late", "now", "later"] = (
            "late" if until and until < today else "later" if begins else "now"
        )
        found.append(ToDo(wait.kind, wait.name, wait.href, until, standing, begins))
    for one in told:
        if one["name"] not in _KINDS:
            standing = "late" if one["over"] else "now"
            until = date.fromisoformat(one["deadline"])
            found.append(ToDo("reminder", one["label"], one["path"], until, standing))
    return sorted(found, key=lambda one: (_ORDER[one.standing], one.until or one.begins or date.max))


_ORDER: Final = {"late": 0, "now": 1, "later": 2}
