"""When an organisation that fell silent is asked, reminded and let go: table by table, day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.registration.domain.interest import Interest, InterestPolicy
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.rules_on_file import rule_sets_in
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.check_interest import check_interest
from services.registration.use_cases.confirm_interest import confirm_interest
from services.registration.use_cases.record_visit import record_visit
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.withdraw_registration import withdraw_registration
from shared.contracts.registration import (
    RegistrationInterestAsked,
    RegistrationLapsed,
    Submission,
)
from shared.contracts.vocabulary import RegistrationState
from shared.partnerships import Partnerships
from tests.builders import A_MOMENT, a_submission
from tests.fakes import MemoryTransactions
from tests.integration.apis import settings_of
from tests.unit.registration.service import A_PARTICIPANT, HEMPCLUB, published

POLICY = InterestPolicy(
    ask_after=timedelta(days=180), remind_after=timedelta(days=14), lapse_after=timedelta(days=28)
)
START = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


@pytest.mark.parametrize(
    ("asked", "reminded", "at", "step"),
    [
        (None, None, 0, None),
        (None, None, 179.999, None),
        (None, None, 180, "ask"),
        (None, None, 5000, "ask"),  # however long the platform stood still: first the question
        (180, None, 193.999, None),
        (180, None, 194, "remind"),
        (180, None, 5000, "remind"),  # nobody is let go without a reminder
        (180, 194, 208, None),  # the last day for an answer …
        (180, 194, 208.6, None),  # … to its end, at midnight
        (180, 194, 208.61, "lapse"),
        (180, 300, 308.7, None),  # reminded late: the wait after it is whole
        (180, 300, 315, "lapse"),
        (180, 194, 100, None),  # a clock that was put back
    ],
)
def test_each_step_comes_at_its_time_and_in_its_turn(
    asked: float | None, reminded: float | None, at: float, step: str | None
) -> None:
    interest = Interest(
        since=START,
        asked_at=None if asked is None else day(asked),
        reminded_at=None if reminded is None else day(reminded),
    )
    assert interest.due(POLICY, day(at)) == step


class Clock:
    at = A_MOMENT

    def __call__(self) -> datetime:
        return self.at


def service(clock: Clock) -> MemoryTransactions[RegistrationUnitOfWork]:
    rules = rule_sets_in()
    known = Partnerships([HEMPCLUB])
    return MemoryTransactions(
        lambda store: RegistrationUnitOfWork(store, rules=rules, partnerships=known, clock=clock)
    )


async def registered(store: MemoryTransactions[RegistrationUnitOfWork]) -> Registration:
    submission = Submission.model_validate(a_submission())
    return await store.run(lambda uow: submit_registration(uow, submission, by=A_PARTICIPANT))


async def look(store: MemoryTransactions[RegistrationUnitOfWork], id: str) -> Registration:
    await store.run(lambda uow: check_interest(uow, [id], policy=POLICY))
    return await store.read(lambda uow: uow.registrations.get(id))


@settings(deadline=None)
@given(st.lists(st.integers(-400, 400), min_size=1, max_size=30))
async def test_whatever_the_clock_does_nobody_is_let_go_unasked_unreminded_or_before_the_day_named(
    jumps: list[int],
) -> None:
    clock = Clock()
    store = service(clock)
    id = (await registered(store)).id
    for days in jumps:
        clock.at = max(clock.at + timedelta(days=days), datetime(2000, 1, 1, tzinfo=UTC))
        registration = await look(store, id)
        if registration.state is RegistrationState.LAPSED:
            break
    said = published(store.database)[2:]
    asked = [event for event in said if isinstance(event, RegistrationInterestAsked)]
    assert [event.reminder for event in asked] == [False, True][: len(asked)]
    if isinstance(said[-1] if said else None, RegistrationLapsed):
        assert len(asked) == 2
        assert clock.at.date() > asked[-1].answer_by


async def test_the_question_names_the_last_day_for_an_answer() -> None:
    clock = Clock()
    store = service(clock)
    id = (await registered(store)).id
    for days in (180, 14):
        clock.at += timedelta(days=days)
        await look(store, id)
    first, second = published(store.database)[2:]
    assert isinstance(first, RegistrationInterestAsked)
    assert isinstance(second, RegistrationInterestAsked)
    assert first.answer_by == second.answer_by == date(2023, 8, 12)


@pytest.mark.parametrize("answer", ["confirm", "amend"])
async def test_an_answer_begins_the_wait_anew(answer: str) -> None:
    clock = Clock()
    store = service(clock)
    id = (await registered(store)).id
    clock.at += timedelta(days=180)
    await look(store, id)
    clock.at += timedelta(days=20)
    if answer == "confirm":
        await store.run(lambda uow: confirm_interest(uow, id, by=A_PARTICIPANT))
    else:
        submission = Submission.model_validate(a_submission())
        await store.run(lambda uow: amend_registration(uow, id, submission, by=A_PARTICIPANT))
    clock.at += timedelta(days=179)
    registration = await look(store, id)
    assert registration.interest == Interest(since=clock.at - timedelta(days=179))


async def test_who_lapsed_comes_back_by_an_amendment() -> None:
    clock = Clock()
    store = service(clock)
    id = (await registered(store)).id
    for days in (180, 14, 15):
        clock.at += timedelta(days=days)
        registration = await look(store, id)
    assert registration.state is RegistrationState.LAPSED
    submission = Submission.model_validate(a_submission())
    back = await store.run(lambda uow: amend_registration(uow, id, submission, by=A_PARTICIPANT))
    assert back.state is RegistrationState.ACCEPTED


async def test_who_visits_by_an_approved_match_is_not_asked_nor_let_go() -> None:
    clock = Clock()
    store = service(clock)
    visitor, other = await registered(store), await registered(store)
    clock.at += timedelta(days=180)
    await look(store, visitor.id)
    await store.run(lambda uow: record_visit(uow, visitor.party, match_id="m-1"))
    for days in (14, 15, 150):
        clock.at += timedelta(days=days)
        seen = await look(store, visitor.id)
        assert seen.state is RegistrationState.ACCEPTED
    # The other one has the same number, but the match is not its own.
    asked = await look(store, other.id)
    assert asked.interest is not None
    assert asked.interest.asked_at == clock.at


async def test_a_closed_registration_is_left_alone() -> None:
    clock = Clock()
    store = service(clock)
    id = (await registered(store)).id
    await store.run(lambda uow: withdraw_registration(uow, id, by=A_PARTICIPANT))
    clock.at += timedelta(days=500)
    before = len(published(store.database))
    await look(store, id)
    assert len(published(store.database)) == before


def test_a_reminder_after_the_end_is_refused_when_the_service_starts() -> None:
    with pytest.raises(ValidationError, match="must be more than CXC_INTEREST_REMIND_DAYS"):
        settings_of("registration", "mongodb://nowhere.example", interest_remind_days=28)
