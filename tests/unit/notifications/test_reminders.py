"""Deadlines are reminded of when the table says, once, and in whatever order their events come."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.bootstrap import require_deadlines_to_fit
from services.notifications.domain.deadlines import Ask, DeadlineTable, is_day
from services.notifications.domain.notification import Notification
from services.notifications.domain.reminder import Reminder, ReminderState, reminder_id
from services.notifications.handlers import SOURCES, tell
from services.notifications.reminding import LONG_AWAY, SETTLES_AFTER_S, Leaps, apart
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.erase_notifications import erase_notifications
from services.notifications.use_cases.forget_reminders import forget_reminders
from services.notifications.use_cases.remind import remind
from services.notifications.use_cases.schedule_reminders import schedule_reminders
from services.notifications.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts.catalogue import EVENTS
from shared.contracts.common import Window
from shared.contracts.envelope import Cause, CloudEvent, Event, parse, wrap
from shared.contracts.funding import (
    AgreementDrawnUp,
    AgreementSigned,
    AgreementVoided,
    EvidenceAccepted,
    EvidenceReturned,
    EvidenceSubmitted,
    GrantCancelled,
    GrantClaimedBack,
    GrantPayable,
    GrantRecovered,
    GrantReleased,
    GrantReopened,
    ReportReturned,
    ReportSubmitted,
    ReportValidated,
)
from shared.contracts.matching import (
    CommitmentCompleted,
    CommitmentDrawnUp,
    CommitmentSigned,
    CommitmentVoided,
)
from shared.contracts.notifications import DeadlineReminded
from shared.contracts.registration import RegistrationAmended
from shared.contracts.types import EventType
from shared.contracts.vocabulary import Verdict
from shared.messaging.outbox import unpack
from shared.security import Caller, CallerRole
from shared.storage.store import OUTBOX, Store
from tests.fakes import MemoryDatabase, MemoryTransactions
from tests.unit.notifications import samples

HEARD: dict[str, type[Event]] = {model.TYPE: model for source in SOURCES for model in EVENTS[source]}
TABLE = samples.DEADLINES

JANUARY_16 = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)


def at(day: str, hour: int = 12) -> datetime:
    return datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC)


class Case:
    """The service with a clock in hand, and the events of one case with their aggregates' versions."""

    def __init__(self) -> None:
        self.now = JANUARY_16
        self.transactions = MemoryTransactions(self._open, MemoryDatabase())
        self._versions: dict[str, int] = {}

    def _open(self, store: Store) -> NotificationsUnitOfWork:
        return NotificationsUnitOfWork(
            store,
            rules=samples.RULES,
            deadlines=TABLE,
            words=samples.WORDS,
            desks=samples.DESKS,
            clock=lambda: self.now,
        )

    def envelope(self, event: Event, of: str) -> CloudEvent:
        """The event as its aggregate publishes it now."""
        version = self._versions[of] = self._versions.get(of, 0) + 1
        return wrap(event, service="funding", subject=of, sequence=version, cause=Cause(), at=self.now)

    async def hear(self, event: Event, *, of: str, on: str | None = None) -> CloudEvent:
        """Something happened."""
        self.now = at(on) if on else self.now
        envelope = self.envelope(event, of)
        await self.take(envelope)
        return envelope

    async def take(self, *envelopes: CloudEvent) -> None:
        """These events are delivered."""
        for one in envelopes:
            await self.transactions.run(lambda uow, one=one: schedule_reminders(uow, one, one.data))  # type: ignore[misc]

    async def look(self, moment: datetime | str) -> list[Notification]:
        """What is said when it is looked at that moment."""
        self.now = at(moment) if isinstance(moment, str) else moment
        before = set(self.transactions.database[Notification.COLLECTION])
        await self.transactions.run(lambda uow: remind(uow, [one.id for one in self.due()]))
        made = self.transactions.database[Notification.COLLECTION]
        return [Notification.from_document(made[id]) for id in made if id not in before]

    def due(self) -> list[Reminder]:
        """The reminders whose moment has come."""
        return [one for one in self.all() if one.is_due(self.now)]

    def all(self) -> list[Reminder]:
        """Every reminder."""
        stored = self.transactions.database[Reminder.COLLECTION].values()
        return [Reminder.from_document(document) for document in stored]

    def one(self, name: str, case: str = "m-1") -> Reminder:
        """The reminder of that name."""
        [found] = [one for one in self.all() if one.id == reminder_id(name, case)]
        return found

    def published(self) -> list[CloudEvent]:
        """The events of the service, in their order."""
        rows = self.transactions.database[OUTBOX].values()
        return [parse(message.value) for row in rows for message in unpack(row)]


@pytest.fixture
def case() -> Case:
    return Case()


def mailed(told: Sequence[Notification]) -> dict[str, str]:
    """Address → template."""
    return {one.address: one.template for one in told if one.address}


# ── the table ────────────────────────────────────────────────────────────────────────────────


def test_the_table_fits_the_contracts_templates_and_links_there_are() -> None:
    assert TABLE.problems(HEARD, samples.WORDS.names(), samples.RULES.links) == []


def test_every_event_that_names_a_day_is_reminded_of_by_one_mechanism_or_says_why_not() -> None:
    without = TABLE.model_copy(update={"elsewhere": {}})
    assert len(without.problems(HEARD, samples.WORDS.names(), samples.RULES.links)) == len(TABLE.elsewhere)
    assert all(len(reason) > 40 for reason in TABLE.elsewhere.values())
    assert all(len(deadline.why) > 40 for deadline in TABLE.deadlines.values())


def test_the_table_names_what_does_not_fit() -> None:
    given = TABLE.deadlines["payment_to_make"]
    broken = given.model_copy(
        update={
            "link": "nowhere",
            "asks": {EventType.GRANT_PAYABLE: Ask(by="tomorrow"), EventType.GRANT_PAID: Ask(by="paid_on")},
            "rules": [
                given.rules[0].model_copy(update={"template": "unsaid", "when": {"weather": ["fine"]}})
            ],
        }
    )
    table = DeadlineTable(version="x", deadlines={"broken": broken}, elsewhere={"cxc.dream.v1": "Sleep."})
    known = {wire_type: HEARD[wire_type] for wire_type in (*given.ends, *broken.asks)}
    assert table.problems(known, [], samples.RULES.links) == [
        "template unsaid does not exist",
        "cxc.dream.v1 is no contract",
        "broken: there is no link nowhere",
        "broken: cxc.grant.payable.v1 has no day tomorrow",
        "broken: cxc.grant.paid.v1 has no due, strict_due, which cxc.grant.payable.v1 has",
        "broken: cxc.grant.payable.v1 has no field weather",
    ]
    assert table.problems({}, ["unsaid"], ["nowhere"])[-1].startswith("broken: cxc.grant.cancelled.v1, ")


def test_the_service_does_not_start_with_a_table_that_does_not_fit() -> None:
    require_deadlines_to_fit(TABLE, samples.RULES, samples.WORDS)
    without = TABLE.model_copy(update={"elsewhere": {}})
    with pytest.raises(ValueError, match=r"names a day, and nothing says who reminds of it; .*\.$"):
        require_deadlines_to_fit(without, samples.RULES, samples.WORDS)


def test_a_deadline_is_in_one_part_of_the_table() -> None:
    both = {**TABLE.model_dump(), "elsewhere": {EventType.GRANT_PAYABLE: "Funding does."}}
    with pytest.raises(ValueError, match=r"reminded of here and elsewhere: cxc\.grant\.payable\.v1"):
        DeadlineTable.model_validate(both)


@pytest.mark.parametrize("by", ["", "stay.first_day + days", "asked * 3 days", "Stay", "asked + 3"])
def test_an_expression_nobody_can_read_is_refused(by: str) -> None:
    with pytest.raises(ValueError, match="by"):
        Ask(by=by)


@pytest.mark.parametrize(
    ("by", "day"),
    [
        ("due", date(2023, 3, 2)),
        ("stay.first_day", date(2023, 2, 14)),
        ("stay.last_day + 10 days", date(2023, 2, 26)),
        ("stay.first_day - 1 day", date(2023, 2, 13)),
        ("asked", date(2023, 2, 21)),
        ("asked + 7 days", date(2023, 2, 28)),
    ],
)
def test_a_deadline_is_a_day_of_the_event_or_counted_from_one(by: str, day: date) -> None:
    # In Brussels it is the 21st already.
    assert Ask(by=by).deadline(samples.a_grant(GrantPayable), at("2023-02-20", 23)) == day


def test_days_are_found_within_fields_and_moments_are_none() -> None:
    assert is_day(GrantPayable, "due")
    assert is_day(GrantPayable, "stay.first_day")
    assert is_day(HEARD[EventType.REGISTRATION_INFORMATION_ASKED], "answer_by")
    assert not is_day(AgreementSigned, "signed_at")
    assert not is_day(GrantPayable, "stay.nowhere")
    assert not is_day(GrantPayable, "amount.first_day")


def test_moments_are_in_the_morning_in_brussels_whatever_the_season() -> None:
    deadline = TABLE.deadlines["commitment_to_sign"]
    assert deadline.moments(date(2023, 3, 27)) == [
        datetime(2023, 3, 21, 7, tzinfo=UTC),
        datetime(2023, 3, 26, 6, tzinfo=UTC),  # summer time began that night
        datetime(2023, 3, 28, 6, tzinfo=UTC),
    ]


# ── what is asked, moved and ended ───────────────────────────────────────────────────────────


async def test_who_has_not_signed_is_reminded_and_nobody_else(case: Case) -> None:
    await case.hear(samples.a_commitment(CommitmentDrawnUp), of="c-1")
    await case.hear(samples.a_commitment(CommitmentSigned), of="c-1", on="2023-01-25")
    assert await case.look("2023-02-06") == []

    told = await case.look("2023-02-07")
    assert mailed(told) == dict.fromkeys(
        (samples.HOST.email, *samples.DESKS["hempclub"].addresses, *samples.DESKS["sampletex"].addresses),
        "reminder_commitment",
    )
    assert {one.fact_type for one in told} == {EventType.DEADLINE_REMINDED}
    assert {one.kind for one in told} == {samples.RULES.kind_for(EventType.COMMITMENT_SIGNED)}
    assert {one.link for one in told} == {f"{samples.PUBLIC_URL}/matches/m-1"}
    assert "by 13 February 2023" in told[0].text
    assert await case.look("2023-02-07") == []


async def test_a_reminder_is_told_of_in_an_event_without_anybodys_data(case: Case) -> None:
    asked = await case.hear(samples.a_commitment(CommitmentDrawnUp), of="c-1")
    await case.look("2023-02-07")
    [reminded] = [one for one in case.published() if one.type == EventType.DEADLINE_REMINDED]
    assert DeadlineReminded.model_validate(reminded.data) == DeadlineReminded(
        reminder_id="commitment_to_sign:m-1",
        name="commitment_to_sign",
        about="m-1",
        deadline=date(2023, 2, 13),
        over=False,
        number=1,
        partnerships=["hempclub", "sampletex"],
    )
    assert (reminded.subject, reminded.causationid) == ("commitment_to_sign:m-1", asked.id)


async def test_what_is_done_is_reminded_of_no_more(case: Case) -> None:
    await case.hear(samples.a_commitment(CommitmentDrawnUp), of="c-1")
    await case.hear(samples.a_commitment(CommitmentCompleted), of="c-1", on="2023-02-01")
    assert case.one("commitment_to_sign").state is ReminderState.ENDED
    for day in ("2023-02-07", "2023-02-12", "2023-02-14"):
        assert await case.look(day) == []


async def test_a_reminder_that_has_not_gone_out_is_not_sent_to_who_signed_meanwhile(case: Case) -> None:
    await case.hear(samples.a_commitment(CommitmentDrawnUp), of="c-1")
    mails = {one.id for one in await case.look("2023-02-07") if one.address}
    await case.hear(samples.a_commitment(CommitmentSigned), of="c-1")

    def waiting() -> set[str | None]:
        stored = case.transactions.database[Notification.COLLECTION]
        made = [Notification.from_document(stored[id]) for id in mails]
        assert {one.reason for one in made} <= {
            None,
            "There was nothing to remind of any more after cxc.commitment.signed.v1.",
            "There was nothing to remind of any more after cxc.commitment.completed.v1.",
        }
        return {one.address for one in made if one.waits}

    everybody = {
        samples.VISITOR.email,
        samples.HOST.email,
        "staff@hempclub.example",
        "staff@sampletex.example",
    }
    assert waiting() == everybody - {samples.VISITOR.email} | {"deputy@sampletex.example"}
    await case.hear(samples.a_commitment(CommitmentCompleted), of="c-1")
    assert waiting() == set()


async def test_a_deadline_that_moves_moves_its_reminders(case: Case) -> None:
    await case.hear(samples.a_commitment(CommitmentDrawnUp), of="c-1")
    assert await case.look("2023-02-07")
    later = Window(first_day=date(2023, 3, 14), last_day=date(2023, 3, 16))
    await case.hear(samples.a_commitment(CommitmentVoided, stay=later), of="c-1", on="2023-02-08")
    assert await case.look("2023-02-12") == []
    [first, *_] = await case.look("2023-03-07")
    assert "by 13 March 2023" in first.text
    assert case.one("commitment_to_sign").told == 2


async def test_after_the_deadline_it_is_said_in_other_words_and_then_no_more(case: Case) -> None:
    await case.hear(samples.a_commitment(CommitmentDrawnUp), of="c-1")
    subjects = []
    for day in ("2023-02-07", "2023-02-12", "2023-02-14"):
        subjects.append((await case.look(day))[0].subject)
    assert [subject.split(":")[0] for subject in subjects] == [
        "To be signed by 13 February 2023",
        "To be signed by 13 February 2023",
        "Still not signed",
    ]
    assert case.one("commitment_to_sign").state is ReminderState.SAID
    assert await case.look("2024-02-15") == []


async def test_who_was_asked_a_moment_ago_is_left_alone(case: Case) -> None:
    await case.hear(samples.a_commitment(CommitmentDrawnUp), of="c-1", on="2023-02-06")
    assert case.one("commitment_to_sign").due_at == datetime(2023, 2, 12, 7, tzinfo=UTC)


async def test_a_question_without_a_last_day_is_not_reminded_of_and_one_with_a_day_is(case: Case) -> None:
    await case.hear(samples.a_question(answer_by=date(2023, 2, 1)), of="r-visitor")
    await case.hear(samples.a_question(), of="r-visitor", on="2023-01-17")
    assert case.one("question_to_answer", "r-visitor").state is ReminderState.ENDED
    await case.hear(samples.a_question(answer_by=date(2023, 2, 3)), of="r-visitor", on="2023-01-18")
    assert mailed(await case.look("2023-01-31")) == {samples.VISITOR.email: "reminder_question"}
    amended = samples.a_screening(Verdict.ELIGIBLE, amended=True)
    assert isinstance(amended, RegistrationAmended)
    await case.hear(amended, of="r-visitor", on="2023-02-01")
    assert await case.look("2023-02-02") == []


async def test_an_agreement_is_signed_once_whatever_the_budget_does_meanwhile(case: Case) -> None:
    await case.hear(samples.a_reserved_grant(), of="g-1")
    await case.hear(samples.an_agreement(AgreementDrawnUp), of="a-1", on="2023-01-20")
    assert case.one("agreement_to_sign").state is ReminderState.SCHEDULED
    await case.hear(samples.an_agreement(AgreementSigned), of="a-1", on="2023-01-25")
    # Set aside anew, as budgets do: what is signed is signed, though that came later.
    await case.hear(samples.a_reserved_grant(), of="g-1", on="2023-01-26")
    assert case.one("agreement_to_sign").state is ReminderState.ENDED
    assert mailed(await case.look("2023-02-07")) == {"staff@hempclub.example": "staff_reminder_agreement"}

    await case.hear(samples.an_agreement(AgreementVoided), of="a-1", on="2023-02-08")
    await case.hear(samples.an_agreement(AgreementDrawnUp, edition=2), of="a-1")
    assert case.one("agreement_to_countersign").state is ReminderState.ENDED
    assert mailed(await case.look("2023-02-12")) == {samples.VISITOR.email: "reminder_agreement"}


async def test_an_agreement_still_unsigned_after_the_stay_concerns_staff_too(case: Case) -> None:
    await case.hear(samples.a_reserved_grant(), of="g-1", on="2023-02-13")
    told = await case.look("2023-02-17")
    assert mailed(told) == {samples.VISITOR.email: "reminder_agreement"}
    assert {one.template for one in told} == {"reminder_agreement", "staff_reminder_agreement_visitor"}


async def test_evidence_is_asked_for_once_the_report_is_there_and_anew_if_returned(case: Case) -> None:
    await case.hear(samples.a_report(ReportSubmitted), of="report-m-1", on="2023-02-20")
    assert {one.name for one in case.all() if one.due_at} == {"evidence_to_send", "report_to_validate"}
    assert mailed(await case.look("2023-02-25")) == {
        samples.VISITOR.email: "reminder_evidence",
        "staff@hempclub.example": "staff_reminder_report",
    }
    await case.hear(samples.evidence(EvidenceSubmitted), of="e-1", on="2023-02-26")
    await case.hear(samples.a_report(ReportValidated), of="report-m-1")
    assert {one.name for one in case.all() if one.due_at} == {"evidence_to_accept"}
    await case.hear(samples.evidence(EvidenceReturned), of="e-1", on="2023-02-27")
    assert {one.name for one in case.all() if one.due_at} == {"evidence_to_mend"}
    [mail] = [one for one in await case.look("2023-03-04") if one.address]
    assert "pass.jpg: It cannot be read." in mail.text
    await case.hear(samples.evidence(EvidenceSubmitted), of="e-1", on="2023-03-05")
    await case.hear(samples.evidence(EvidenceAccepted), of="e-1", on="2023-03-06")
    # A report returned and handed in again asks for no evidence that is there.
    await case.hear(samples.a_report(ReportReturned), of="report-m-1", on="2023-03-07")
    await case.hear(samples.a_report(ReportSubmitted), of="report-m-1", on="2023-03-08")
    assert {one.name for one in case.all() if one.due_at} == {"report_to_validate"}


async def test_a_payment_is_reminded_of_before_it_is_due_and_funding_says_the_rest(case: Case) -> None:
    await case.hear(samples.a_grant(GrantPayable), of="g-1", on="2023-02-20")
    assert mailed(await case.look("2023-02-27")) == {"staff@hempclub.example": "staff_reminder_payment"}
    await case.hear(samples.a_grant(GrantReopened), of="g-1", on="2023-02-28")
    assert await case.look("2023-03-01") == []
    await case.hear(samples.a_grant(GrantPayable, due=date(2023, 3, 20)), of="g-1", on="2023-03-10")
    assert len(mailed(await case.look("2023-03-17"))) == 1
    await case.hear(samples.a_grant(GrantReleased), of="g-1", on="2023-03-18")
    assert await case.look("2023-03-21") == []


async def test_an_amount_claimed_back_is_reminded_of_until_something_came(case: Case) -> None:
    await case.hear(samples.a_grant(GrantClaimedBack), of="g-1", on="2023-03-10")
    assert mailed(await case.look("2023-03-29")) == {samples.VISITOR.email: "reminder_return"}
    assert set(mailed(await case.look("2023-04-08")).values()) == {"reminder_return", "staff_reminder_return"}
    await case.hear(samples.a_grant(GrantRecovered), of="g-1", on="2023-04-09")
    assert case.one("amount_to_return").state is ReminderState.ENDED


async def test_a_grant_that_is_cancelled_leaves_nothing_to_do(case: Case) -> None:
    await case.hear(samples.a_reserved_grant(), of="g-1")
    await case.hear(samples.a_report(ReportSubmitted), of="report-m-1")
    await case.hear(samples.evidence(EvidenceSubmitted), of="e-1")
    await case.hear(samples.a_grant(GrantPayable), of="g-1")
    cancelled = next(event for event in samples.every_event() if isinstance(event, GrantCancelled))
    await case.hear(cancelled, of="g-1")
    assert {one.state for one in case.all()} == {ReminderState.ENDED}


# ── order, redelivery, clocks ────────────────────────────────────────────────────────────────


def a_story() -> list[CloudEvent]:
    """All that happens to the agreement and the commitment of a match, by three aggregates."""
    story = Case()
    later = Window(first_day=date(2023, 3, 14), last_day=date(2023, 3, 16))
    told: list[tuple[Event, str]] = [
        (samples.a_reserved_grant(), "g-1"),
        (samples.an_agreement(AgreementDrawnUp), "a-1"),
        (samples.an_agreement(AgreementSigned), "a-1"),
        (samples.an_agreement(AgreementVoided), "a-1"),
        (samples.an_agreement(AgreementDrawnUp, stay=later, edition=2), "a-1"),
        (samples.a_commitment(CommitmentDrawnUp), "c-1"),
        (samples.a_commitment(CommitmentSigned), "c-1"),
        (samples.a_commitment(CommitmentVoided, stay=later), "c-1"),
    ]
    envelopes = []
    for event, of in told:
        story.now += timedelta(hours=7)
        envelopes.append(story.envelope(event, of))
    return envelopes


STORY = a_story()


async def heard(events: Sequence[CloudEvent]) -> dict[str, Any]:
    case = Case()
    case.now = at("2023-01-31")
    await case.take(*events)
    return {one.id: one.model_dump(exclude={"version"}) for one in case.all()}


@given(st.permutations(STORY), st.lists(st.sampled_from(STORY), max_size=4))
async def test_in_whatever_order_and_however_often_events_come_the_reminders_are_the_same(
    events: list[CloudEvent], again: list[CloudEvent]
) -> None:
    assert await heard([*events, *again]) == await heard(STORY)


async def test_an_aggregate_whose_clock_was_set_back_is_believed_by_its_version(case: Case) -> None:
    await case.hear(samples.a_commitment(CommitmentDrawnUp), of="c-1", on="2023-01-20")
    await case.hear(samples.a_commitment(CommitmentCompleted), of="c-1", on="2023-01-10")
    assert case.one("commitment_to_sign").state is ReminderState.ENDED


async def test_a_sender_whose_clock_is_a_year_ahead_keeps_no_reminder_back(case: Case) -> None:
    case.now = at("2024-01-16")
    envelope = case.envelope(samples.a_commitment(CommitmentDrawnUp), "c-1")
    case.now = JANUARY_16
    await case.take(envelope)
    assert len(await case.look("2023-02-07")) > 1


async def test_after_a_week_without_a_worker_it_is_said_once(case: Case) -> None:
    await case.hear(samples.a_commitment(CommitmentDrawnUp), of="c-1")
    # Both moments before the stay have come meanwhile.
    told = await case.look("2023-02-13")
    assert len({one.fact_id for one in told}) == 1
    assert case.one("commitment_to_sign").told == 1
    assert await case.look("2023-02-13") == []


async def test_what_just_passed_is_said_and_what_is_long_over_is_let_go(case: Case) -> None:
    await case.hear(samples.a_grant(GrantPayable), of="g-1", on="2023-02-20")
    assert await case.look("2023-03-09") == []
    reminder = case.one("payment_to_make")
    assert (reminder.told, reminder.let_go, reminder.state) == (0, 1, ReminderState.SAID)

    late = Case()
    await late.hear(samples.a_grant(GrantPayable), of="g-1", on="2023-02-20")
    [mail] = [one for one in await late.look("2023-03-03") if one.address]
    assert mail.subject.startswith("Was to be paid by 2 March 2023")


async def test_a_clock_that_is_set_back_has_nothing_said_twice(case: Case) -> None:
    await case.hear(samples.a_commitment(CommitmentDrawnUp), of="c-1")
    assert await case.look("2023-02-12")
    for day in ("2023-02-01", "2023-02-07", "2023-02-11", "2023-02-12", "2023-02-13"):
        assert await case.look(day) == []


def test_clocks_that_differ_are_not_believed() -> None:
    for seconds, believed in ((0, True), (59, True), (-59, True), (61, False), (-61, False)):
        servers = JANUARY_16 + timedelta(seconds=seconds)
        assert (apart(JANUARY_16, servers) is None) is believed
    year_ahead = JANUARY_16 + timedelta(days=365)
    assert apart(year_ahead, JANUARY_16) == "The clocks of this worker and of MongoDB are 31536000 s apart."


def test_after_a_long_time_or_a_leap_of_both_clocks_there_is_time_to_set_them_right() -> None:
    passed = 0.0
    leaps = Leaps(lambda: passed)
    leapt = JANUARY_16 + LONG_AWAY + timedelta(seconds=1)
    why = leaps.distrust(leapt, JANUARY_16)
    assert why is not None
    assert "set the clocks right within 5 minutes" in why
    assert leaps.distrust(leapt, None) is None  # the first look of all
    assert leaps.distrust(leapt, JANUARY_16)
    passed = SETTLES_AFTER_S - 1
    assert leaps.distrust(leapt, JANUARY_16)
    # Set right: at once it goes on. Left as it is: it was no leap.
    assert leaps.distrust(JANUARY_16, JANUARY_16) is None
    assert leaps.distrust(leapt, JANUARY_16)
    passed += SETTLES_AFTER_S
    assert leaps.distrust(leapt, JANUARY_16) is None


# ── erasure, retention ───────────────────────────────────────────────────────────────────────


async def test_an_erased_organisation_is_reminded_of_nothing_and_named_to_nobody(case: Case) -> None:
    await case.hear(samples.a_reserved_grant(), of="g-1")
    await case.hear(samples.a_report(ReportSubmitted), of="report-m-1", on="2023-02-20")
    await case.transactions.run(lambda uow: erase_notifications(uow, "r-visitor"))

    assert case.one("agreement_to_sign").state is ReminderState.ENDED
    assert case.one("evidence_to_send").state is ReminderState.ENDED
    assert "Tagus" not in str(case.transactions.database[Reminder.COLLECTION])
    assert samples.VISITOR.email not in str(case.transactions.database[Reminder.COLLECTION])
    [mail] = [one for one in await case.look("2023-02-25") if one.address]
    assert mail.address == "staff@hempclub.example"
    assert "(erased)" in mail.text


async def test_an_event_that_comes_after_the_erasure_sets_no_reminder(case: Case) -> None:
    await case.transactions.run(lambda uow: erase_notifications(uow, "r-visitor"))
    await case.hear(samples.a_reserved_grant(), of="g-1")
    assert case.one("agreement_to_sign").state is ReminderState.ENDED
    assert "Tagus" not in str(case.transactions.database[Reminder.COLLECTION])


async def test_a_reminder_goes_on_when_the_other_side_of_the_stay_is_erased(case: Case) -> None:
    await case.hear(samples.a_reserved_grant(), of="g-1")
    await case.transactions.run(lambda uow: erase_notifications(uow, "r-host"))
    assert "Navigli" not in str(case.transactions.database[Reminder.COLLECTION])
    assert mailed(await case.look("2023-02-07")) == {samples.VISITOR.email: "reminder_agreement"}


async def test_what_is_forgotten_is_over_and_what_is_scheduled_stays(case: Case) -> None:
    await case.hear(samples.a_grant(GrantPayable), of="g-1", on="2023-02-20")
    await case.hear(samples.a_commitment(CommitmentCompleted), of="c-1")
    ids = [one.id for one in case.all()]
    await case.transactions.run(lambda uow: forget_reminders(uow, ids))
    assert [one.name for one in case.all()] == ["payment_to_make"]


async def test_a_deadline_that_left_the_table_is_given_up(case: Case) -> None:
    await case.hear(samples.a_grant(GrantPayable), of="g-1", on="2023-02-20")
    stored = case.transactions.database[Reminder.COLLECTION]
    stored[next(iter(stored))]["name"] = "no_longer_there"
    assert await case.look("2023-02-27") == []
    [reminder] = case.all()
    assert (reminder.state, reminder.due_at) == (ReminderState.ENDED, None)


# ── words ────────────────────────────────────────────────────────────────────────────────────


async def test_every_template_of_a_reminder_can_be_worded_before_and_after_the_deadline() -> None:
    worded: set[str] = set()
    told = [event for event in samples.every_event() if event.TYPE in TABLE.by_type]
    told.append(samples.a_question(answer_by=date(2023, 2, 1)))
    for event, name in itertools.product(told, TABLE.deadlines):
        deadline = TABLE.deadlines[name]
        if deadline.asked_by(event) is None:
            continue
        case = Case()
        await case.hear(event, of="x-1")
        [reminder] = [one for one in case.all() if one.name == name]
        while reminder.due_at is not None:
            for notification in await case.look(reminder.due_at):
                worded.add(notification.template)
                for residue in ("{", "}", "None", "Party(", "\n\n\n"):
                    assert residue not in notification.subject + notification.text, notification.text
                assert 10 < len(notification.subject) < 150
                assert notification.link.startswith(samples.PUBLIC_URL + "/")
            reminder = case.one(name, reminder.case)
    assert worded == TABLE.templates()


async def test_a_handler_tells_of_the_event_and_notes_its_deadline(case: Case) -> None:
    event = samples.a_grant(GrantPayable)
    envelope = case.envelope(event, "g-1")
    await case.transactions.run(lambda uow: tell(event, uow, envelope))
    assert case.one("payment_to_make").due_at == datetime(2023, 2, 27, 7, tzinfo=UTC)
    assert case.transactions.database[Notification.COLLECTION]


async def test_an_organisation_is_told_what_is_held_of_its_reminders_and_nothing_of_the_other_side(
    case: Case,
) -> None:
    event = samples.a_grant(GrantClaimedBack)
    envelope = case.envelope(event, "g-1")
    await case.transactions.run(lambda uow: tell(event, uow, envelope))
    caller = Caller("v", CallerRole.PARTICIPANT, organisation=samples.VISITOR.owner)
    kinds = await case.transactions.read(lambda uow: tell_what_is_held(uow, "r-visitor", by=caller))
    [document] = next(kind.documents for kind in kinds if kind.name == "reminders")
    assert (document["name"], document["words"][0]["asked"]["by"]) == ("amount_to_return", "2023-04-05")
    assert "Navigli" not in str(document)
