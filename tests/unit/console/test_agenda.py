"""What an organisation has to do, in the order in which it is pressing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from services.console.agenda import agenda
from services.console.case_rows import Wait

TODAY = date(2027, 3, 1)


def a_wait(
    kind: Any, *, case: str = "match-1", until: date | None = None, begins: date | None = None
) -> Wait:
    return Wait(
        kind=kind,
        desk=None,
        owner="weaver",
        since=datetime(2027, 1, 1, tzinfo=UTC),
        begins=begins,
        until=until,
        case=case,
        name="Weaver – Spinner",
        href=f"/matches/{case}",
    )


def a_reminder(name: str, *, case: str = "match-1", deadline: str = "2027-03-05", over: bool = False) -> Any:
    return {
        "name": name,
        "case": case,
        "deadline": deadline,
        "over": over,
        "label": "do it",
        "path": f"/matches/{case}",
    }


def test_what_is_overdue_comes_first_and_what_cannot_be_done_yet_last() -> None:
    todo = agenda(
        [
            a_wait("report", begins=date(2027, 3, 20)),
            a_wait("account"),
            a_wait("proposal", until=date(2027, 3, 9)),
            a_wait("question", until=date(2027, 2, 27)),
            a_wait("evidence", until=date(2027, 3, 4)),
        ],
        [],
        TODAY,
    )

    assert [(one.kind, one.standing) for one in todo] == [
        ("question", "late"),
        ("evidence", "now"),
        ("proposal", "now"),
        ("account", "now"),
        ("report", "later"),
    ]


def test_a_deadline_comes_from_the_reminders_where_the_case_itself_has_none() -> None:
    (todo,) = agenda([a_wait("commitment")], [a_reminder("commitment_to_sign")], TODAY)

    assert todo.until == date(2027, 3, 5)


def test_a_reminder_of_another_case_is_not_mixed_in() -> None:
    (todo,) = agenda([a_wait("commitment")], [a_reminder("commitment_to_sign", case="match-2")], TODAY)

    assert todo.until is None


def test_the_last_day_itself_is_not_overdue() -> None:
    (todo,) = agenda([a_wait("proposal", until=TODAY)], [], TODAY)

    assert todo.standing == "now"


def test_what_can_be_done_since_today_is_not_put_off() -> None:
    (todo,) = agenda([a_wait("report", begins=TODAY)], [], TODAY)

    assert (todo.standing, todo.begins) == ("now", None)


def test_a_reminder_of_something_new_is_told_in_its_own_words() -> None:
    (todo,) = agenda([], [a_reminder("survey_to_fill_in", over=True)], TODAY)

    assert (todo.kind, todo.title, todo.standing) == ("reminder", "do it", "late")
