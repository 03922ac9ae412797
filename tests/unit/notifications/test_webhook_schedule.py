"""When a webhook is tried again, and when no more; with a clock in hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.notifications.webhooks.schedule import (
    SPREAD,
    WAITS,
    Answer,
    Judged,
    Verdict,
    asked_for,
    judge,
    why_not_taken,
)

AT = datetime(2023, 2, 14, 9, 0, tzinfo=UTC)


def answered(status: int | None, retry_after: str | None = None) -> Answer:
    why = why_not_taken(status, None) if status is not None else "No answer within 15 seconds."
    return Answer(at=AT, ms=12, status=status, why=why, retry_after=retry_after)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_success(status: int) -> None:
    assert judge(answered(status), failed=3, now=AT, chance=0.5) == Judged(Verdict.DELIVERED)


@pytest.mark.parametrize("status", [None, 100, 301, 302, 307, 308, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_tried_again_for_more_than_a_day_and_given_up_then(status: int | None) -> None:
    now, waits = AT, []
    for failed in range(len(WAITS)):
        judged = judge(answered(status), failed=failed, now=now, chance=0)
        assert judged.verdict is Verdict.LATER
        assert judged.due_at is not None
        waits.append(judged.due_at - now)
        now = judged.due_at
    assert waits == list(WAITS)
    assert waits == sorted(waits)
    assert now - AT > timedelta(hours=24)
    assert judge(answered(status), failed=len(WAITS), now=now, chance=0) == Judged(Verdict.GIVEN_UP)


def test_410_ends_it_at_once() -> None:
    assert judge(answered(410), failed=0, now=AT, chance=0) == Judged(Verdict.GONE)


def test_chance_only_lengthens_a_wait_and_by_a_fifth_at_the_most() -> None:
    due = [judge(answered(500), failed=2, now=AT, chance=chance).due_at for chance in (0, 0.5, 1)]
    assert due == [AT + WAITS[2] * (1 + SPREAD * chance) for chance in (0, 0.5, 1)]


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        ("3600", timedelta(hours=1)),
        (" 90 ", timedelta(seconds=90)),
        ("Tue, 14 Feb 2023 12:00:00 GMT", timedelta(hours=3)),
        ("Tue, 14 Feb 2023 08:00:00 GMT", timedelta()),
        ("99999999999999999999999", timedelta(hours=24)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", timedelta(hours=24)),
        ("soon", timedelta()),
        ("Tue, 14 Feb 99999999999999999999 12:00:00 GMT", timedelta()),
        ("Tue, 14 Feb 2023 12:00:00 +9999999999999999999", timedelta()),
        ("-5", timedelta()),
        ("²", timedelta()),
        ("", timedelta()),
        (None, timedelta()),
    ],
)
def test_a_receiver_says_how_long_to_wait_up_to_a_day(retry_after: str | None, wait: timedelta) -> None:
    assert asked_for(retry_after, AT) == wait
    due = judge(answered(503, retry_after), failed=0, now=AT, chance=0).due_at
    assert due == AT + max(wait, WAITS[0])


def test_a_redirect_is_told_where_it_leads() -> None:
    assert why_not_taken(302, "https://a.example/") == (
        "It redirects to https://a.example/. Redirects are not followed: give the endpoint its new URL."
    )
