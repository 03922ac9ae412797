"""Who has had many mails gets the next ones together; what is urgent goes through all the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.notifications.domain.limits import GatheredFor, RecipientLimits

AT = datetime(2023, 1, 16, 9, 32, tzinfo=UTC)
SEAT = "partnership:hempclub/0123456789abcdef"


def judge(
    limits: RecipientLimits,
    after: timedelta = timedelta(0),
    *,
    person: str = SEAT,
    case: str = "m-1",
    may_wait: bool = True,
    waited: timedelta = timedelta(0),
) -> GatheredFor | None:
    at = AT + after
    return limits.next_mail(person, case, at, may_wait=may_wait, since=at - waited)


def test_one_case_has_five_mails_in_ten_minutes_and_others_are_not_touched() -> None:
    limits = RecipientLimits()
    assert [judge(limits) for _ in range(5)] == [None] * 5
    assert judge(limits) is GatheredFor.LIMIT
    assert judge(limits, case="m-2") is None
    assert judge(limits, person="organisation:o-1") is None
    assert judge(limits, timedelta(minutes=9, seconds=59)) is GatheredFor.LIMIT
    assert judge(limits, timedelta(minutes=10)) is None


def test_one_person_has_twenty_mails_in_an_hour_whatever_they_are_about() -> None:
    limits = RecipientLimits()
    told = [judge(limits, timedelta(minutes=minute), case=f"m-{minute}") for minute in range(21)]
    assert told == [None] * 20 + [GatheredFor.LIMIT]
    assert judge(limits, timedelta(minutes=60), case="m-60") is None
    assert judge(limits, timedelta(minutes=60), case="m-61") is GatheredFor.LIMIT


def test_what_cannot_wait_goes_and_counts() -> None:
    limits = RecipientLimits(per_hour=3, per_case=3)
    assert [judge(limits, may_wait=False) for _ in range(3)] == [None] * 3
    assert judge(limits) is GatheredFor.LIMIT
    assert judge(limits, may_wait=False) is None


def test_what_is_set_aside_does_not_count() -> None:
    limits = RecipientLimits(per_case=2)
    told = [judge(limits, timedelta(minutes=minute)) for minute in range(12)]
    assert [minute for minute, why in enumerate(told) if why is None] == [0, 1, 10, 11]


def test_what_waited_long_for_something_else_is_set_aside_too() -> None:
    limits = RecipientLimits()
    assert judge(limits, waited=timedelta(minutes=11)) is GatheredFor.BACKLOG
    assert judge(limits, waited=timedelta(minutes=11), may_wait=False) is None
    assert judge(limits, waited=timedelta(minutes=9)) is None


@pytest.mark.parametrize(
    ("why", "at", "due"),
    [
        (GatheredFor.LIMIT, "09:30:00", "09:45:00"),
        (GatheredFor.LIMIT, "09:44:59", "09:45:00"),
        (GatheredFor.LIMIT, "23:50:00", "24:00:00"),
        (GatheredFor.BACKLOG, "09:30:00", "09:32:00"),
        (GatheredFor.BACKLOG, "09:30:59", "09:32:00"),
    ],
)
def test_all_couriers_set_aside_until_the_same_moment(why: GatheredFor, at: str, due: str) -> None:
    day = datetime(2023, 1, 16, tzinfo=UTC)
    hours, minutes, seconds = (int(part) for part in at.split(":"))
    moment = day + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    hours, minutes, seconds = (int(part) for part in due.split(":"))
    assert why.due_at(moment) == day + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def test_whoever_had_no_mail_for_an_hour_is_forgotten() -> None:
    limits = RecipientLimits()
    for number in range(100):
        judge(limits, person=f"organisation:o-{number}")
    judge(limits, timedelta(hours=2))
    assert limits.remembered == 1
