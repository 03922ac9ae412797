"""What becomes of a mail after the server has spoken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from services.notifications.domain.delivery import Attempt, Later, Refused, RetryPolicy
from services.notifications.domain.recipients import Role
from services.notifications.domain.replies import Bounce
from shared.contracts.notifications import NotificationSent

FIRST = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)
POLICY = RetryPolicy()


@pytest.mark.parametrize(
    ("number", "wait"),
    [
        (1, timedelta(seconds=10)),
        (2, timedelta(seconds=20)),
        (5, timedelta(seconds=160)),
        (10, timedelta(hours=1)),
        (5000, timedelta(hours=1)),
    ],
)
def test_the_wait_doubles_up_to_an_hour(number: int, wait: timedelta) -> None:
    assert POLICY.after_reply(451, "busy", Attempt(number, FIRST, FIRST)) == Later("451 busy", FIRST + wait)


def test_a_refusal_for_good_is_final() -> None:
    assert POLICY.after_reply(550, "no such user", Attempt(1, FIRST, FIRST)) == Refused(
        "550 no such user", Bounce.HARD
    )


def test_after_four_days_it_is_given_up() -> None:
    late = Attempt(100, FIRST, FIRST + timedelta(days=4))
    outcome = POLICY.after_fault("connection lost", late)
    assert outcome == Refused("given up after 100 attempts: connection lost")


@pytest.mark.parametrize("role", get_args(Role))
def test_what_became_of_a_mail_can_be_said_whatever_role_it_was_sent_to(role: str) -> None:
    said = NotificationSent.model_validate(
        {"notification_id": "n-1", "fact_id": "f-1", "fact_type": "t", "about": "m-1", "recipient": role}
    )
    assert said.recipient == role
