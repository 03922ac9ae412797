"""What one mail says of many messages: by case, what is to be done first, never too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.notifications.domain.digest import Digest, Item, Line, by_case

AT = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)


def an_item(minute: int = 0, subject: str = "Approved", *, case: str = "m-1", **changes: object) -> Item:
    fields: dict[str, object] = {
        "case": case,
        "name": f"The organisations of {case}",
        "kind": "matches",
        "subject": subject,
        "link": f"https://cxc.example/matches/{case}",
        "link_label": "See the match",
        "at": AT + timedelta(minutes=minute),
        **changes,
    }
    return Item(**fields)  # type: ignore[arg-type]


def test_a_case_is_told_once_with_how_it_stands_now_and_what_came_before_in_order() -> None:
    [case] = by_case([an_item(2, "Approved"), an_item(0, "Proposed"), an_item(1, "Agreed")]).cases
    assert (case.name, case.link) == ("The organisations of m-1", "https://cxc.example/matches/m-1")
    assert case.now == Line("Approved", AT + timedelta(minutes=2))
    assert [line.subject for line in case.before] == ["Proposed", "Agreed"]
    assert case.earlier == 0


def test_ten_thousand_messages_about_one_case_are_five_lines() -> None:
    digest = by_case(an_item(minute, f"Changed to day {minute}") for minute in range(10_000))
    [case] = digest.cases
    assert case.now.subject == "Changed to day 9999"
    assert [line.subject for line in case.before] == [f"Changed to day {day}" for day in range(9995, 9999)]
    assert (case.earlier, digest.total, digest.more_cases) == (9995, 10_000, 0)


def test_what_is_said_several_times_in_a_row_is_one_line() -> None:
    said = ["Changed", "Changed", "Approved", "Changed", "Changed", "Changed"]
    [case] = by_case(an_item(minute, subject) for minute, subject in enumerate(said)).cases
    lines = [(line.subject, line.times) for line in (*case.before, case.now)]
    assert lines == [("Changed", 2), ("Approved", 1), ("Changed", 3)]
    assert case.now.at == AT + timedelta(minutes=5)
    assert case.earlier == 0


def test_cases_that_ask_for_something_come_first_and_then_the_latest() -> None:
    items = [an_item(minute, case=f"m-{minute}", asks=minute in (1, 3)) for minute in range(5)]
    digest = by_case(items)
    assert [case.id for case in digest.cases] == ["m-3", "m-1", "m-4", "m-2", "m-0"]
    assert digest.to_do == 2


def test_the_last_word_of_a_kind_says_whether_there_is_still_something_to_do() -> None:
    asked = an_item(0, "To approve", asks=True)
    answered = an_item(1, "Approved")
    written = an_item(1, "The host writes", kind="messages")
    assert not by_case([asked, answered]).cases[0].asks
    assert by_case([asked, written]).cases[0].asks


def test_cases_beyond_the_bound_are_counted() -> None:
    items = [an_item(minute, case=f"m-{minute // 2}") for minute in range(100)]
    digest = by_case(items)
    assert (len(digest.cases), digest.more_cases, digest.more) == (30, 20, 40)


def test_nothing_makes_an_empty_digest() -> None:
    assert by_case([]) == Digest(total=0, cases=())


@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from("abc"), st.booleans()), max_size=60),
    st.integers(1, 4),
    st.integers(1, 5),
)
def test_every_message_is_counted_where_it_belongs(
    drawn: list[tuple[int, str, bool]], cases: int, lines: int
) -> None:
    items = [
        an_item(minute, subject, case=f"m-{number}", asks=asks)
        for minute, (number, subject, asks) in enumerate(drawn)
    ]
    digest = by_case(items, cases=cases, lines=lines)
    told = sum(case.earlier + sum(line.times for line in (*case.before, case.now)) for case in digest.cases)
    assert told + digest.more == digest.total == len(items)
    assert len(digest.cases) + digest.more_cases == len({item.case for item in items})
    assert all(len(case.before) < lines for case in digest.cases)
