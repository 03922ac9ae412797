"""What waits on the desk of staff, as the first page groups it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.console.apis import Part
from services.console.case_rows import Wait
from services.console.domain.waits import WaitKind
from services.console.pages.today import answered, grouped

MONDAY = datetime(2027, 2, 8, 9, tzinfo=UTC)


def a_wait(kind: WaitKind = "registration", days: int = 0, case: str = "r-1") -> Wait:
    return Wait(
        kind=kind,
        desk="hempclub",
        owner=None,
        since=MONDAY + timedelta(days=days),
        begins=None,
        until=None,
        case=case,
        name="Fibra Verde Lda",
        href=f"/registrations/{case}",
    )


def asked(*questions: tuple[str, int, str]) -> Part:
    """The audit trail, the newest first."""
    items: list[dict[str, Any]] = [
        {"registration_id": id, "at": (MONDAY + timedelta(days=day)).isoformat(), "why": why}
        for id, day, why in questions
    ]
    return Part({"items": items})


def test_kinds_follow_by_their_oldest_and_show_few_of_many() -> None:
    waits = [
        a_wait("report"),
        *(a_wait("registration", day, f"r-{day}") for day in range(1, 8)),
        a_wait("report", 9),
    ]
    first, second = grouped(waits)
    assert (first.kind, first.count, first.since) == ("report", 2, MONDAY)
    assert (second.kind, second.count) == ("registration", 7)
    assert [wait.case for wait in second.first] == ["r-1", "r-2", "r-3", "r-4"]


def test_a_kind_leads_to_its_list() -> None:
    [decide, settle] = grouped([a_wait("registration"), a_wait("lump_sum")])
    assert decide.href == "/registrations?waiting_for=staff&sort=submitted_at"
    assert settle.href == "/today/lump_sum"


def test_a_question_is_answered_when_the_registration_came_back_after_it() -> None:
    waits = [a_wait(days=2), a_wait(days=2, case="r-2"), a_wait(days=2, case="r-3")]
    trail = asked(("r-1", 1, "Which cluster?"), ("r-2", 3, "Which days?"), ("r-1", 0, "Who?"))
    assert answered(waits, trail) == [(waits[0], "Which cluster?")]


def test_without_the_audit_trail_nothing_is_called_answered() -> None:
    assert answered([a_wait()], Part(down="registration")) == []
