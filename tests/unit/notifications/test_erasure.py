"""An erased organisation: no word about it and no address stays, nobody writes to it, others still hear."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.notifications.domain.notification import ERASED_TEXT, Notification, NotificationState
from services.notifications.domain.recipients import organisation_key
from services.notifications.domain.rules import Channel
from services.notifications.domain.wishes import Wishes
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.erase_notifications import erase_notifications
from services.notifications.use_cases.notify import notify
from services.notifications.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.matching import FitsFound, MatchApproved, MatchCancelled
from shared.errors import NotFound
from shared.security import Caller, CallerRole
from tests.builders import an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples

Notifying = MemoryTransactions[NotificationsUnitOfWork]
VISITOR, HOST = samples.VISITOR, samples.HOST
GIVEN_AWAY = [VISITOR.organisation, VISITOR.email, VISITOR.owner, "Tagus"]


@pytest.fixture
def notifying() -> Notifying:
    return MemoryTransactions(samples.open_unit)


def a_fact(event: Event) -> CloudEvent:
    return an_envelope(event, service="matching", subject="m-1")


async def tell(notifying: Notifying, *told: Event) -> None:
    for event in told:
        fact = a_fact(event)
        await notifying.run(lambda uow, fact=fact, event=event: notify(uow, fact, event))  # type: ignore[misc]


async def erase(notifying: Notifying, registration_id: str = "r-visitor") -> None:
    await notifying.run(lambda uow: erase_notifications(uow, registration_id))


def stored(notifying: Notifying) -> list[Notification]:
    documents = notifying.database[Notification.COLLECTION].values()
    return [Notification.from_document(document) for document in documents]


def held(notifying: Notifying) -> str:
    return str(notifying.database.collections)


def everything_told() -> list[Event]:
    cancelled = samples.a_match(
        MatchCancelled, reason=f"{VISITOR.organisation} withdrew its registration.", was_approved=True
    )
    fit = samples.some_fits().fits[0].model_copy(update={"partner": VISITOR})
    fits = samples.some_fits(party=HOST, side="host", fits=[fit])
    return [samples.an_acceptance(), samples.a_match(MatchApproved), cancelled, fits]


async def test_every_word_and_address_goes_and_the_count_stays(notifying: Notifying) -> None:
    await tell(notifying, *everything_told())
    before = {one.id: (one.fact_type, one.recipient, one.channel) for one in stored(notifying)}
    assert [word for word in GIVEN_AWAY if word in held(notifying)]
    await erase(notifying)
    assert not [word for word in GIVEN_AWAY if word in held(notifying)]
    after = {one.id: (one.fact_type, one.recipient, one.channel) for one in stored(notifying)}
    assert after == before


async def test_its_own_mails_are_cancelled_and_the_others_say_where_to_look(notifying: Notifying) -> None:
    await tell(notifying, samples.a_match(MatchApproved))
    await erase(notifying)
    mails = {one.recipient: one for one in stored(notifying) if one.channel is Channel.EMAIL}
    own, others = mails["visitor"], mails["host"]
    assert (own.state, own.address, own.due_at) == (NotificationState.CANCELLED, None, None)
    assert (others.state, others.address, others.text) == (
        NotificationState.PENDING,
        HOST.email,
        ERASED_TEXT,
    )
    assert others.link.endswith("/matches/m-1")


async def test_its_inbox_is_nobodys_any_more(notifying: Notifying) -> None:
    await tell(notifying, *everything_told())
    await erase(notifying)
    keys = {one.recipient_key for one in stored(notifying)}
    assert organisation_key(VISITOR.owner) not in keys
    assert organisation_key(HOST.owner) in keys


async def test_what_does_not_name_it_is_left_alone(notifying: Notifying) -> None:
    await tell(notifying, *everything_told())
    await erase(notifying, "r-somebody-else")
    assert ERASED_TEXT not in held(notifying)


async def test_late_events_tell_others_what_happened_without_its_name(notifying: Notifying) -> None:
    await erase(notifying)
    await tell(notifying, *everything_told())
    assert not [word for word in GIVEN_AWAY if word in held(notifying)]
    told = stored(notifying)
    assert not [one for one in told if one.recipient_registration == "r-visitor"]
    cancelled = next(
        one for one in told if one.recipient == "host" and one.fact_type.endswith("cancelled.v1")
    )
    assert "(erased) withdrew its registration." in cancelled.text
    assert "is cancelled" in cancelled.text


async def test_an_event_and_an_erasure_of_one_batch_leave_nothing_whichever_runs_first() -> None:
    for turn in (0, 1):
        notifying: Notifying = MemoryTransactions(samples.open_unit)

        async def batch(uow: NotificationsUnitOfWork, turn: int = turn) -> None:
            works: list[Any] = [notify(uow, a_fact(event), event) for event in everything_told()]
            works.insert(len(works) if turn else 0, erase_notifications(uow, "r-visitor"))
            await asyncio.gather(*works)

        await notifying.run(batch)
        assert stored(notifying)
        assert not [word for word in GIVEN_AWAY if word in held(notifying)]


async def wish(notifying: Notifying, person: str) -> None:
    async def work(uow: NotificationsUnitOfWork) -> None:
        wishes = Wishes(id=person)
        uow.wishes.add(wishes)
        wishes.change(language="it", time_zone="Europe/Rome", quiet=None, kinds={}, at=uow.now)

    await notifying.run(work)


async def test_its_wishes_are_held_and_go_with_it(notifying: Notifying) -> None:
    await tell(notifying, *everything_told())
    for owner in (VISITOR.owner, HOST.owner):
        await wish(notifying, organisation_key(owner))
    caller = Caller("v", CallerRole.PARTICIPANT, organisation=VISITOR.owner)
    held_of_it = await notifying.read(lambda uow: tell_what_is_held(uow, "r-visitor", by=caller))
    [kind] = [kind for kind in held_of_it if kind.name == "wishes"]
    assert [wishes["id"] for wishes in kind.documents] == [organisation_key(VISITOR.owner)]
    await erase(notifying)
    assert set(notifying.database[Wishes.COLLECTION]) == {organisation_key(HOST.owner)}


async def test_its_wishes_stay_while_it_has_another_registration(notifying: Notifying) -> None:
    another = VISITOR.model_copy(update={"registration_id": "r-another"})
    await tell(notifying, *everything_told(), samples.an_acceptance(party=another))
    await wish(notifying, organisation_key(VISITOR.owner))
    await erase(notifying)
    assert notifying.database[Wishes.COLLECTION]
    await erase(notifying, "r-another")
    assert not notifying.database[Wishes.COLLECTION]


async def test_an_erasure_that_comes_again_changes_nothing(notifying: Notifying) -> None:
    await tell(notifying, *everything_told())
    await erase(notifying)
    before = held(notifying)
    await erase(notifying)
    assert held(notifying) == before


async def test_both_sides_of_a_match_can_be_erased_one_after_the_other(notifying: Notifying) -> None:
    await tell(notifying, *everything_told())
    await erase(notifying)
    await erase(notifying, "r-host")
    assert "Navigli" not in held(notifying)
    assert HOST.email not in held(notifying)
    assert {one.state for one in stored(notifying) if one.recipient in ("visitor", "host")} <= {
        NotificationState.SENT,
        NotificationState.CANCELLED,
    }


def test_the_fits_of_these_tests_name_the_visitor() -> None:
    fits = next(event for event in everything_told() if isinstance(event, FitsFound))
    assert fits.fits[0].partner == VISITOR


# ── what is held ─────────────────────────────────────────────────────────────────────────────


async def told_to(notifying: Notifying, registration_id: str, by: Caller) -> dict[str, list[dict[str, Any]]]:
    kinds = await notifying.read(lambda uow: tell_what_is_held(uow, registration_id, by=by))
    return {kind.name: kind.documents for kind in kinds}


def of(organisation: str) -> Caller:
    return Caller("somebody", CallerRole.PARTICIPANT, organisation=organisation)


async def test_an_organisation_is_told_what_it_was_told_and_that_others_were(notifying: Notifying) -> None:
    await tell(notifying, *everything_told())
    held = await told_to(notifying, "r-visitor", of(VISITOR.owner))
    own, others = held["messages"], held["messages to others"]
    assert {one["recipient_registration"] for one in own} == {"r-visitor"}
    assert any(one["address"] == VISITOR.email for one in own)
    assert {one["recipient"] for one in others} == {"host", "staff"}
    assert not {"text", "subject", "address", "recipient_key"} & others[0].keys()
    assert len(own) + len(others) == len(stored(notifying))


@pytest.mark.parametrize(
    "caller",
    [
        of(HOST.owner),
        Caller("s", CallerRole.STAFF, partnership="sampletex"),
        Caller("a", CallerRole.AUDITOR),
        Caller("e", CallerRole.EXTERNAL),
    ],
)
async def test_nobody_else_is_told_whether_it_was_told_anything(notifying: Notifying, caller: Caller) -> None:
    await tell(notifying, *everything_told())
    with pytest.raises(NotFound, match="nothing you may see"):
        await told_to(notifying, "r-visitor", caller)


async def test_its_staff_and_the_support_office_are_told(notifying: Notifying) -> None:
    await tell(notifying, *everything_told())
    for caller in (
        Caller("s", CallerRole.STAFF, partnership="hempclub"),
        Caller("o", CallerRole.SUPPORT_OFFICE),
    ):
        assert (await told_to(notifying, "r-visitor", caller))["messages"]


async def test_who_was_invited_is_not_written_to_any_more_when_who_invited_is_erased(
    notifying: Notifying,
) -> None:
    await tell(notifying, samples.an_invitation(message="We met at the fair."))
    [mail] = stored(notifying)
    assert (mail.channel, mail.recipient, mail.address) == (
        Channel.EMAIL,
        "invited",
        "office@new-partner.example",
    )
    await erase(notifying)
    [mail] = stored(notifying)
    assert mail.state is NotificationState.CANCELLED
    for word in ("new-partner", "fair", *GIVEN_AWAY):
        assert word not in held(notifying)
    await tell(notifying, samples.an_invitation())
    assert len(stored(notifying)) == 1
