"""The same fact told once under whatever id, and a fact that is undone: what waits, what is corrected."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from services.notifications.domain.fact import fact_key
from services.notifications.domain.notification import Notification, NotificationState
from services.notifications.domain.rules import Channel
from services.notifications.domain.wishes import KindWish, Pace, Wishes
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.notify import notify
from shared.contracts.envelope import CloudEvent, Event, new_id
from shared.contracts.funding import (
    AgreementSigned,
    EvidenceReturned,
    EvidenceSubmitted,
    GrantCancelled,
    GrantPayable,
    GrantRefused,
    GrantReopened,
    PaymentPrepared,
    PaymentWithdrawn,
    ReportReturned,
)
from shared.contracts.matching import (
    CommitmentSigned,
    GatheringCancelled,
    InvitationWithdrawn,
    MatchAgreed,
    MatchApproved,
    MatchCancelled,
    MatchProposed,
    MatchWithdrawn,
    PlaceLeft,
    PlaceTaken,
)
from shared.contracts.registration import RegistrationAmended, RegistrationUnmerged, RegistrationWithdrawn
from shared.contracts.vocabulary import Verdict
from tests.builders import A_MOMENT, a_party, an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples

V, H = samples.VISITOR.email, samples.HOST.email
PENDING, SENT, CANCELLED = NotificationState.PENDING, NotificationState.SENT, NotificationState.CANCELLED


GRANT_CANCELLED, GRANT_REFUSED = (
    next(event for event in samples.every_event() if isinstance(event, model))
    for model in (GrantCancelled, GrantRefused)
)


class Telling:
    """Facts told one after the other, each ten seconds after the one before."""

    def __init__(self) -> None:
        self.transactions: MemoryTransactions[NotificationsUnitOfWork] = MemoryTransactions(samples.open_unit)
        self._moments = (A_MOMENT + timedelta(seconds=10 * number) for number in count())

    def fact(self, event: Event, *, subject: str = "s-1", at: datetime | None = None) -> CloudEvent:
        at = at or next(self._moments)
        return an_envelope(event, service="matching", subject=subject).model_copy(update={"time": at})

    async def hear(self, fact: CloudEvent, event: Event) -> list[Notification]:
        return await self.transactions.run(lambda uow: notify(uow, fact, event))

    async def tell(self, *events: Event) -> None:
        for event in events:
            await self.hear(self.fact(event), event)

    async def send_all(self) -> None:
        """The courier has sent every mail that waits."""
        for document in self._mails():
            if document["state"] == PENDING:
                document |= {"state": SENT.value, "due_at": None, "claimed_by": None}

    async def take_all(self) -> None:
        """A courier holds every mail that waits."""
        for document in self._mails():
            if document["state"] == PENDING:
                document |= {"claimed_by": "a-courier"}

    async def wish(self, person: str, pace: Pace) -> None:
        async def work(uow: NotificationsUnitOfWork) -> None:
            wishes = Wishes(id=person)
            uow.wishes.add(wishes)
            kinds = {kind: KindWish(pace=pace) for kind in samples.RULES.kinds}
            wishes.change(language=None, time_zone="Europe/Rome", quiet=None, kinds=kinds, at=A_MOMENT)

        await self.transactions.run(work)

    async def lose_all(self) -> None:
        """The connection was lost over every mail that waits: it may have arrived, and is due again."""
        for document in self._mails():
            if document["state"] == PENDING:
                document |= {"attempts": 1, "last_reply": "connection lost"}

    def _mails(self) -> list[dict[str, Any]]:
        stored = self.transactions.database[Notification.COLLECTION].values()
        return [document for document in stored if document["channel"] == "email"]

    def mails(self, model: type[Event]) -> dict[str, NotificationState]:
        """What became of the mails about events of this type, by address."""
        return {
            mail["address"]: NotificationState(mail["state"])
            for mail in self._mails()
            if mail["fact_type"] == model.TYPE
        }

    def states(self, fact: CloudEvent) -> list[NotificationState]:
        """What became of the mails about this fact."""
        return [NotificationState(mail["state"]) for mail in self._mails() if mail["fact_id"] == fact.id]

    def inboxes(self, model: type[Event]) -> set[str]:
        stored = self.transactions.database[Notification.COLLECTION].values()
        return {
            entry["recipient_key"]
            for entry in stored
            if entry["channel"] == Channel.INBOX and entry["fact_type"] == model.TYPE
        }

    @property
    def number(self) -> int:
        return len(self.transactions.database[Notification.COLLECTION])


@pytest.fixture
def telling() -> Telling:
    return Telling()


# ── the same fact ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seconds", [0, 1, 29])
@pytest.mark.parametrize("start", [0, 15, 30, 45, 59])
@pytest.mark.parametrize("backwards", [False, True])
async def test_an_event_emitted_twice_is_told_once_wherever_in_the_minute(
    telling: Telling, seconds: int, start: int, backwards: bool
) -> None:
    approved = samples.a_match(MatchApproved)
    first = A_MOMENT + timedelta(seconds=start)
    moments = [first, first + timedelta(seconds=seconds)]
    for at in reversed(moments) if backwards else moments:
        await telling.hear(telling.fact(approved, at=at), approved)
    assert telling.number == 6


@pytest.mark.parametrize("start", [0, 15, 30, 45, 59])
async def test_the_same_a_minute_later_is_another_fact(telling: Telling, start: int) -> None:
    approved = samples.a_match(MatchApproved)
    for seconds in (start, start + 60):
        await telling.hear(telling.fact(approved, at=A_MOMENT + timedelta(seconds=seconds)), approved)
    assert telling.number == 12


async def test_two_that_differ_in_nothing_but_their_moments_are_one_fact(telling: Telling) -> None:
    signed = samples.a_commitment(CommitmentSigned)
    a_moment_later = signed.model_copy(update={"signed_at": signed.signed_at + timedelta(milliseconds=40)})
    await telling.tell(signed)
    told = telling.number
    await telling.tell(a_moment_later)
    assert telling.number == told > 0


def test_a_key_tells_facts_apart_by_type_subject_and_what_they_say() -> None:
    approved, other = samples.a_match(MatchApproved), samples.a_match(MatchApproved, score=87.5)
    facts = [
        (an_envelope(approved, service="matching", subject="m-1"), approved),
        (an_envelope(approved, service="matching", subject="m-2"), approved),
        (an_envelope(other, service="matching", subject="m-1"), other),
        (
            an_envelope(approved, service="matching", subject="m-1").model_copy(
                update={"type": "cxc.x.y.v1"}
            ),
            approved,
        ),
    ]
    assert len({fact_key(fact, event) for fact, event in facts}) == 4


async def test_an_event_without_a_time_or_sequence_is_told_once_each_however_often_it_comes(
    telling: Telling,
) -> None:
    approved = samples.a_match(MatchApproved)
    bare = an_envelope(approved, service="matching", subject="m-1").model_copy(
        update={"time": None, "sequence": None}
    )
    await telling.hear(bare, approved)
    await telling.hear(bare, approved)
    assert telling.number == 6
    await telling.hear(bare.model_copy(update={"id": new_id()}), approved)
    assert telling.number == 12


async def test_two_emissions_in_one_batch_are_told_once(telling: Telling) -> None:
    approved = samples.a_match(MatchApproved)
    facts = [telling.fact(approved, at=A_MOMENT + timedelta(milliseconds=n)) for n in (0, 300)]

    async def batch(uow: NotificationsUnitOfWork) -> None:
        for fact in facts:
            await notify(uow, fact, approved)

    await telling.transactions.run(batch)
    assert telling.number == 6


async def test_what_was_told_before_facts_were_noted_is_not_told_again(telling: Telling) -> None:
    approved = samples.a_match(MatchApproved)
    fact = telling.fact(approved)
    await telling.hear(fact, approved)
    telling.transactions.database["facts"].clear()
    await telling.hear(fact, approved)
    assert telling.number == 6


async def test_a_decision_taken_undone_and_taken_again_within_the_minute_is_told_twice(
    telling: Telling,
) -> None:
    accepted = samples.an_acceptance()
    first, undone, again = (
        telling.fact(event) for event in (accepted, samples.a_decision_undone(), accepted)
    )
    await telling.hear(first, accepted)
    await telling.hear(undone, samples.a_decision_undone())
    assert len(await telling.hear(again, accepted)) == 2
    for redelivered in (first, again, undone):
        event = samples.a_decision_undone() if redelivered is undone else accepted
        assert await telling.hear(redelivered, event) == []


async def test_what_is_undone_and_happens_again_at_one_moment_is_told_again(telling: Telling) -> None:
    payable, reopened = samples.a_grant(GrantPayable), samples.a_grant(GrantReopened)
    await telling.tell(payable)
    at = A_MOMENT + timedelta(seconds=20)
    await telling.hear(telling.fact(reopened, at=at), reopened)
    again = telling.fact(payable, at=at)
    assert await telling.hear(again, payable)
    assert set(telling.states(again)) == {PENDING}
    assert await telling.hear(again, payable) == []


async def test_a_decision_taken_again_counts_though_the_clock_was_set_back(telling: Telling) -> None:
    accepted, undone = samples.an_acceptance(), samples.a_decision_undone()
    an_hour_ahead = A_MOMENT + timedelta(hours=1)
    for number, (event, at) in enumerate(
        [(accepted, an_hour_ahead), (undone, an_hour_ahead + timedelta(minutes=5)), (accepted, A_MOMENT)], 4
    ):
        fact = telling.fact(event, at=at).model_copy(update={"sequence": str(number)})
        await telling.hear(fact, event)
    assert telling.states(fact) == [PENDING]


# ── undone ───────────────────────────────────────────────────────────────────────────────────


async def test_whoever_has_not_heard_of_a_decision_is_not_mailed_that_it_is_undone(telling: Telling) -> None:
    await telling.tell(samples.an_acceptance(), samples.a_decision_undone())
    accepted = type(samples.an_acceptance())
    undone = type(samples.a_decision_undone())
    assert telling.mails(accepted) == {V: CANCELLED}
    assert telling.mails(undone) == {V: CANCELLED}
    assert telling.inboxes(accepted) == telling.inboxes(undone) == {"organisation:tagus-fibre"}
    reasons = {mail["reason"] for mail in telling._mails()}
    assert "It was undone by cxc.registration.decision_undone.v1 before it went out." in reasons


@pytest.mark.parametrize("gone", ["send_all", "take_all"])
async def test_whoever_has_heard_or_may_have_gets_the_correction(telling: Telling, gone: str) -> None:
    await telling.tell(samples.an_acceptance())
    await getattr(telling, gone)()
    await telling.tell(samples.a_decision_undone())
    assert telling.mails(type(samples.an_acceptance()))[V] is not CANCELLED
    assert telling.mails(type(samples.a_decision_undone())) == {V: PENDING}


async def test_what_may_have_arrived_is_not_sent_again_once_it_is_undone_but_corrected(
    telling: Telling,
) -> None:
    await telling.tell(samples.an_acceptance())
    await telling.lose_all()
    await telling.tell(samples.a_decision_undone())
    assert telling.mails(type(samples.an_acceptance())) == {V: CANCELLED}
    assert telling.mails(type(samples.a_decision_undone())) == {V: PENDING}


async def test_what_waits_for_a_digest_is_taken_out_of_it(telling: Telling) -> None:
    await telling.wish("organisation:tagus-fibre", Pace.DAILY)
    await telling.tell(samples.a_match(MatchApproved))
    assert telling.mails(MatchApproved)[V] is NotificationState.GATHERED
    await telling.tell(samples.a_match(MatchCancelled, reason="", was_approved=True))
    assert telling.mails(MatchApproved) == {V: CANCELLED, H: CANCELLED}


async def test_one_side_that_has_heard_is_corrected_and_the_other_spared(telling: Telling) -> None:
    await telling.tell(samples.a_match(MatchProposed, proposed_by="visitor"))
    await telling.send_all()
    await telling.tell(samples.a_match(MatchApproved))
    await telling.tell(samples.a_match(MatchCancelled, reason="", was_approved=True))
    assert telling.mails(MatchApproved) == {V: CANCELLED, H: CANCELLED}
    mails = telling.mails(MatchCancelled)
    assert (mails[V], mails[H]) == (CANCELLED, PENDING)
    # Its staff were to hear of nothing before but what lay in the inbox: their rule holds.
    assert mails["staff@hempclub.example"] is PENDING


async def test_a_correction_is_sent_to_whoever_had_nothing_waiting(telling: Telling) -> None:
    await telling.tell(samples.a_match(MatchCancelled, reason="", was_approved=True))
    assert set(telling.mails(MatchCancelled).values()) == {PENDING}


async def test_another_match_is_left_alone(telling: Telling) -> None:
    await telling.tell(samples.a_match(MatchApproved, match_id="m-2"))
    await telling.tell(samples.a_match(MatchCancelled, reason="", was_approved=True))
    assert telling.mails(MatchApproved) == {V: PENDING, H: PENDING}


async def test_a_proposal_taken_back_before_anybody_read_of_it_bothers_nobody(telling: Telling) -> None:
    await telling.tell(
        samples.a_match(MatchProposed, proposed_by="visitor"),
        samples.a_match(MatchWithdrawn, withdrawn_by="visitor"),
    )
    assert telling.mails(MatchProposed) == telling.mails(MatchWithdrawn) == {H: CANCELLED}
    assert telling.inboxes(MatchWithdrawn) == {"organisation:navigli-textile"}


async def test_what_is_overtaken_is_not_sent_and_what_overtakes_it_is(telling: Telling) -> None:
    amended = samples.a_screening(Verdict.NEEDS_REVIEW, amended=True)
    await telling.tell(samples.a_question(), amended)
    assert telling.mails(type(samples.a_question())) == {V: CANCELLED}
    assert telling.mails(RegistrationAmended) == {V: PENDING, "staff@hempclub.example": PENDING}
    await telling.tell(RegistrationWithdrawn(party=samples.VISITOR, reason=""))
    assert set(telling.mails(RegistrationAmended).values()) == {CANCELLED}
    assert telling.mails(RegistrationWithdrawn) == {V: PENDING}


@pytest.mark.parametrize(
    ("asking", "over"),
    [
        (samples.a_screening(Verdict.NEEDS_REVIEW), samples.an_acceptance(automatic=False)),
        (samples.a_question(), samples.an_acceptance(automatic=False)),
        (samples.a_counter_proposal("visitor"), samples.a_counter_proposal("host")),
        (samples.a_report(ReportReturned), GRANT_CANCELLED),
        (samples.evidence(EvidenceReturned), GRANT_CANCELLED),
        (samples.a_reserved_grant(), GRANT_REFUSED),
        (samples.an_agreement(AgreementSigned), GRANT_REFUSED),
        (samples.evidence(EvidenceSubmitted), GRANT_REFUSED),
    ],
    ids=lambda event: type(event).__name__,
)
async def test_nobody_is_asked_for_what_is_over(telling: Telling, asking: Event, over: Event) -> None:
    await telling.hear(asked := telling.fact(asking), asking)
    assert set(telling.states(asked)) == {PENDING}
    await telling.tell(over)
    assert set(telling.states(asked)) == {CANCELLED}


async def test_what_nobody_is_told_of_undoes_too(telling: Telling) -> None:
    await telling.tell(samples.an_invitation())
    await telling.tell(samples.an_invitation(InvitationWithdrawn))
    assert telling.mails(type(samples.an_invitation())) == {"office@new-partner.example": CANCELLED}


async def test_a_payment_from_which_a_grant_was_taken_is_still_to_be_released(telling: Telling) -> None:
    prepared = samples.a_payment(PaymentPrepared)
    await telling.tell(prepared, samples.a_payment(PaymentWithdrawn, left=1))
    assert set(telling.mails(PaymentPrepared).values()) == {PENDING}
    await telling.tell(samples.a_payment(PaymentWithdrawn, left=0))
    assert set(telling.mails(PaymentPrepared).values()) == {CANCELLED}


async def test_one_of_several_places_is_left_and_then_all(telling: Telling) -> None:
    other = a_party("r-other", owner="other", email="office@other.example")
    await telling.tell(
        samples.a_group_event(PlaceTaken),
        samples.a_group_event(PlaceTaken, party=other),
        samples.a_group_event(PlaceLeft),
    )
    assert telling.mails(PlaceTaken) == {V: CANCELLED, "office@other.example": PENDING}
    await telling.tell(samples.a_group_event(GatheringCancelled, concerned=[other]))
    assert telling.mails(PlaceTaken)["office@other.example"] is CANCELLED


async def test_one_of_two_mergers_is_undone(telling: Telling) -> None:
    await telling.wish("partnership:hempclub", Pace.DAILY)
    await telling.tell(samples.a_merge(), samples.a_merge().model_copy(update={"merge_id": "g-2"}))
    await telling.tell(samples.a_merge(RegistrationUnmerged))
    states = {mail["matter"]: mail["state"] for mail in telling._mails() if "merged" in mail["fact_type"]}
    assert states == {"g-1": "cancelled", "g-2": "gathered"}


async def test_a_fact_that_comes_after_what_undid_it_is_not_sent_any_more(telling: Telling) -> None:
    accepted, undone = samples.an_acceptance(), samples.a_decision_undone()
    earlier, later = telling.fact(accepted), telling.fact(undone)
    await telling.hear(later, undone)
    await telling.hear(earlier, accepted)
    assert telling.mails(type(accepted)) == {V: CANCELLED}
    assert telling.inboxes(type(accepted)) == {"organisation:tagus-fibre"}
    await telling.tell(accepted)
    assert sorted(mail["state"] for mail in telling._mails() if mail["fact_type"] == accepted.TYPE) == [
        "cancelled",
        "pending",
    ]


async def test_an_undoing_that_comes_late_does_not_undo_what_happened_after_it(telling: Telling) -> None:
    accepted, undone = samples.an_acceptance(), samples.a_decision_undone()
    earlier, later = telling.fact(undone), telling.fact(accepted)
    await telling.hear(later, accepted)
    await telling.hear(earlier, undone)
    assert telling.mails(type(accepted)) == {V: PENDING}


async def test_a_fact_and_its_undoing_in_one_batch_leave_nothing_to_send(telling: Telling) -> None:
    agreed = samples.a_match(MatchAgreed)
    cancelled = samples.a_match(MatchCancelled, reason="", was_approved=False)
    facts = [(telling.fact(event), event) for event in (agreed, cancelled)]

    async def batch(uow: NotificationsUnitOfWork) -> None:
        for fact, event in facts:
            await notify(uow, fact, event)

    await telling.transactions.run(batch)
    assert set(telling.mails(MatchAgreed).values()) == {CANCELLED}


async def test_facts_that_undo_each_other_in_many_cases_share_a_unit_of_work(telling: Telling) -> None:
    async def case(uow: NotificationsUnitOfWork, number: int) -> None:
        for event in (samples.an_acceptance(), samples.a_decision_undone()):
            party = event.party.model_copy(update={"registration_id": f"r-{number}"})
            event = event.model_copy(update={"party": party})
            await notify(uow, telling.fact(event, subject=f"r-{number}"), event)

    async def batch(uow: NotificationsUnitOfWork) -> None:
        await asyncio.gather(*(case(uow, number) for number in range(10)))

    await telling.transactions.run(batch)
    assert [mail["state"] for mail in telling._mails()] == ["cancelled"] * 20
