"""What was gathered comes as one mail at its time, by its reader's clock and wishes of that moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import count

import pytest

from services.notifications.domain.digest import FEW, Mailbox
from services.notifications.domain.limits import GatheredFor
from services.notifications.domain.notification import DIGEST, Notification, NotificationState
from services.notifications.domain.rules import Channel
from services.notifications.domain.wishes import KindWish, Pace, QuietHours, seat_key
from services.notifications.languages import LANGUAGES
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases import make_digest as making
from services.notifications.use_cases.erase_notifications import erase_notifications
from services.notifications.use_cases.make_digest import Made, make_digest, put_off
from services.notifications.use_cases.notify import notify
from services.notifications.use_cases.state_wishes import state_wishes, withdraw_wishes
from services.notifications.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts.envelope import Event
from shared.contracts.matching import (
    MatchAgreed,
    MatchApproved,
    MatchCancelled,
    MatchProposed,
    MatchReminded,
    MatchWithdrawn,
)
from shared.security import Caller, CallerRole
from shared.storage.store import Store
from tests.builders import a_stay, an_envelope
from tests.fakes import MemoryStore, MemoryTransactions
from tests.unit.notifications import samples

DESK = "partnership:sampletex"
STAFF, DEPUTY = "staff@sampletex.example", "deputy@sampletex.example"
SEAT, DEPUTYS = seat_key(DESK, STAFF), seat_key(DESK, DEPUTY)
HOST = "organisation:navigli-textile"
MONDAY = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)


@dataclass
class House:
    """The service on a database in memory, with the clock in hand."""

    at: datetime = MONDAY
    numbers: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.transactions = MemoryTransactions(self._open)

    def _open(self, store: Store) -> NotificationsUnitOfWork:
        return NotificationsUnitOfWork(
            store,
            rules=samples.RULES,
            deadlines=samples.DEADLINES,
            words=samples.WORDS,
            desks=samples.DESKS,
            seal=samples.SEAL,
            chats={"partnership:hempclub": ["hempclub/team"]},
            clock=lambda: self.at,
        )

    async def wish(
        self,
        person: str,
        pace: Pace = Pace.AT_ONCE,
        *,
        zone: str = "Europe/Rome",
        quiet: tuple[time, time] | None = None,
        channels: Sequence[Channel] = (Channel.EMAIL, Channel.INBOX),
        language: str | None = None,
    ) -> None:
        async def change(uow: NotificationsUnitOfWork) -> None:
            before = await uow.wishes.find(person)
            await state_wishes(
                uow,
                person,
                language=language,
                time_zone=zone,
                quiet=QuietHours(begins=quiet[0], ends=quiet[1]) if quiet else None,
                kinds={"matches": KindWish(channels=tuple(channels), pace=pace)},
                seen_version=before.version if before else 0,
            )

        await self.transactions.run(change)

    async def tell(self, *events: Event) -> None:
        """Each a second after the one before, and each another fact."""
        for event in events:
            fact = an_envelope(event, service="matching", subject=f"s-{next(self.numbers)}")
            self.at += timedelta(seconds=1)
            await self.transactions.run(partial(notify, fact=fact, event=event))

    async def make(self) -> None:
        """Make every digest that is due."""
        while due := await self.due():
            for mailbox in due:
                while await self.make_some(mailbox) is Made.SO_FAR:
                    pass

    async def make_some(self, mailbox: Mailbox) -> Made:
        return await self.transactions.run(partial(make_digest, mailbox=mailbox))

    async def due(self) -> list[Mailbox]:
        async def due(uow: NotificationsUnitOfWork) -> list[Mailbox]:
            mails = await uow.notifications.due_mailboxes(Channel.EMAIL, self.at)
            return mails + await uow.notifications.due_mailboxes(Channel.CHAT, self.at)

        return await self.transactions.read(due)

    def messages(self, address: str = STAFF, *states: NotificationState) -> list[Notification]:
        """Mails to an address, oldest first."""
        stored = map(Notification.from_document, self.transactions.database[Notification.COLLECTION].values())
        mails = [one for one in stored if one.address == address and (not states or one.state in states)]
        return sorted(mails, key=lambda one: (one.created_at, one.id))

    def digests(self, address: str = STAFF) -> list[Notification]:
        return [one for one in self.messages(address) if one.fact_type == DIGEST]


@pytest.fixture
def house() -> House:
    return House()


def a_match(number: int, event: type[Event] = MatchAgreed, **changes: object) -> Event:
    told: Event = samples.a_match(event, match_id=f"m-{number}", **changes)
    return told


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


GATHERED, DIGESTED = NotificationState.GATHERED, NotificationState.DIGESTED
PENDING, CANCELLED = NotificationState.PENDING, NotificationState.CANCELLED


async def test_a_day_comes_as_one_mail_at_eight_by_its_readers_clock(house: House) -> None:
    await house.wish(SEAT, Pace.DAILY)
    await house.tell(a_match(1), a_match(2), a_match(3))
    house.at = at("2023-01-17 06:59:59")
    await house.make()
    assert house.digests() == []

    house.at = at("2023-01-17 07:00")
    await house.make()
    [digest] = house.digests()
    assert (digest.state, digest.due_at) == (PENDING, house.at)
    assert {one.digest for one in house.messages(STAFF, DIGESTED)} == {digest.id}
    assert digest.subject == "3 cases wait for you, 3 messages"
    assert (
        digest.text.count("# To do: Tagus Fibre Works (sample) → Navigli Textile Tech Centre (sample)") == 3
    )
    assert "(16 January 2023, 10:30)" in digest.text
    assert "See the match: https://cxc.example/matches/m-2" in digest.text
    assert digest.link == "https://cxc.example/inbox"
    assert digest.why == "You asked to be told once a day."
    # The deputy has said nothing and hears of it at once.
    assert [one.state for one in house.messages(DEPUTY)] == [PENDING] * 3


async def test_made_again_nothing_more_is_made(house: House) -> None:
    await house.wish(SEAT, Pace.DAILY)
    await house.tell(a_match(1), a_match(2))
    house.at = at("2023-01-17 07:00")
    await house.make()
    told = house.transactions.database[Notification.COLLECTION].copy()
    await house.make()
    assert house.transactions.database[Notification.COLLECTION] == told


async def test_one_message_alone_is_sent_as_it_is(house: House) -> None:
    await house.wish(SEAT, Pace.DAILY)
    await house.tell(a_match(1))
    house.at = at("2023-01-17 07:00")
    await house.make()
    [message] = house.messages()
    assert (message.state, message.due_at, message.fact_type) == (PENDING, house.at, MatchAgreed.TYPE)
    assert not message.may_wait


async def test_a_participants_digest_is_in_its_language_and_kind(house: House) -> None:
    await house.wish(HOST, Pace.DAILY, language="en")
    proposed = {"proposed_by": "visitor", "answer_by": samples.ANSWER_BY}
    await house.tell(a_match(1, MatchProposed, **proposed), a_match(2, MatchProposed, **proposed))
    house.at = at("2023-01-17 07:00")
    await house.make()
    [digest] = house.digests(samples.HOST.email)
    assert digest.recipient == "host"
    assert "What waits for your answer comes first." in digest.text


async def test_an_organisation_is_no_seat_of_another_whatever_its_name(house: House) -> None:
    own = samples.HOST.model_copy(update={"owner": "navigli-textile/como"})
    await house.wish("organisation:navigli-textile/como", Pace.DAILY)
    await house.tell(a_match(1, MatchApproved, host=own), a_match(2, MatchApproved, host=own))
    await house.transactions.run(partial(withdraw_wishes, person="organisation:navigli-textile/como"))
    await house.wish(HOST, channels=[Channel.INBOX], language="it")
    await house.make()
    [digest] = house.digests(samples.HOST.email)
    assert (digest.state, digest.language) == (PENDING, "en")


async def test_a_digest_is_in_the_language_its_reader_wishes_for_by_then(house: House) -> None:
    await house.wish(HOST, Pace.DAILY, language="en")
    await house.tell(a_match(1, MatchApproved), a_match(2, MatchApproved))
    await house.wish(HOST, Pace.DAILY, language="it")
    house.at = at("2023-01-17 07:00")
    await house.make()
    [digest] = house.digests(samples.HOST.email)
    assert digest.language == "it"
    assert digest.subject.endswith("2 messaggi")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_digest_is_never_longer_than_one_likes_to_read_in_any_language(
    house: House, language: str
) -> None:
    await house.wish(SEAT, Pace.DAILY, language=language)
    days = (a_stay(first_day=date(2023, 2, 1) + timedelta(days=day)) for day in range(6))
    await house.tell(*(a_match(0, stay=stay) for stay in days))
    await house.tell(*(a_match(number) for number in range(1, 35)))
    house.at = at("2023-01-17 07:00")
    await house.make()
    [digest] = house.digests()
    assert digest.language == language
    assert digest.text.count("\n# ") == 30
    assert "/matches/m-34" in digest.text
    assert "/matches/m-0" not in digest.text
    for residue in ("{", "}", "None", "\n\n\n", "%(", " ,", "  "):
        assert residue not in digest.subject + digest.text, digest.text
    assert not any(line != line.strip() for line in digest.text.splitlines())
    assert len(digest.text) < 15_000


async def test_what_is_left_out_is_counted(house: House) -> None:
    await house.wish(SEAT, Pace.DAILY)
    days = (a_stay(first_day=date(2023, 2, 1) + timedelta(days=day)) for day in range(7))
    await house.tell(*(a_match(number) for number in range(31)))
    await house.tell(*(a_match(99, stay=stay) for stay in days))
    house.at = at("2023-01-17 07:00")
    await house.make()
    [digest] = house.digests()
    assert "2 more cases, with 2 messages in all, are in your inbox." in digest.text
    assert "Before that, and after 2 earlier messages:" in digest.text
    assert digest.text.count("\n- ") == 4


@pytest.mark.parametrize(
    ("told", "pace", "due"),
    [
        # The clocks go forward in the night to Sunday 26 March, and back in that to Sunday 29 October 2023.
        ("2023-03-25 12:00", Pace.DAILY, "2023-03-26 06:00"),
        ("2023-03-26 12:00", Pace.DAILY, "2023-03-27 06:00"),
        ("2023-10-28 12:00", Pace.DAILY, "2023-10-29 07:00"),
        ("2023-03-26 00:30", Pace.HOURLY, "2023-03-26 01:00"),
        ("2023-10-29 00:30", Pace.HOURLY, "2023-10-29 01:00"),
        ("2023-10-29 01:30", Pace.HOURLY, "2023-10-29 02:00"),
        ("2023-01-15 23:30", Pace.WEEKLY, "2023-01-16 07:00"),
        ("2023-01-16 06:59", Pace.WEEKLY, "2023-01-16 07:00"),
        ("2023-01-16 07:01", Pace.WEEKLY, "2023-01-23 07:00"),
    ],
)
async def test_a_digest_comes_at_the_next_full_hour_or_eight_of_the_next_day_or_monday(
    house: House, told: str, pace: Pace, due: str
) -> None:
    house.at = at(told)
    await house.wish(SEAT, pace)
    await house.tell(a_match(1), a_match(2))
    house.at = at(due) - timedelta(seconds=1)
    await house.make()
    assert house.digests() == []
    house.at = at(due)
    await house.make()
    assert len(house.digests()) == 1


async def test_what_is_due_together_goes_together_whatever_it_waited_for(house: House) -> None:
    house.at = at("2023-01-17 06:10")
    await house.wish(SEAT, Pace.DAILY)
    await house.tell(a_match(1))
    await house.wish(SEAT, Pace.HOURLY)
    await house.tell(a_match(2))
    house.at = at("2023-01-17 07:00")
    await house.make()
    [digest] = house.digests()
    assert len(house.messages(STAFF, DIGESTED)) == 2
    assert digest.why == "You asked to be told once an hour."


async def test_whoever_wishes_for_all_at_once_has_what_is_gathered_at_once(house: House) -> None:
    await house.wish(SEAT, Pace.WEEKLY)
    await house.tell(a_match(1), a_match(2))
    await house.wish(SEAT, Pace.AT_ONCE)
    await house.make()
    assert len(house.digests()) == 1


async def test_whoever_takes_back_all_wishes_has_what_is_gathered_at_once_too(house: House) -> None:
    await house.wish(SEAT, Pace.WEEKLY)
    await house.tell(a_match(1), a_match(2))
    await house.transactions.run(partial(withdraw_wishes, person=SEAT))
    await house.make()
    assert len(house.digests()) == 1


async def test_a_wish_for_the_whole_desk_moves_what_waits_for_seats_without_wishes_of_their_own(
    house: House,
) -> None:
    await house.wish(DESK, Pace.WEEKLY)
    await house.tell(a_match(1), a_match(2))
    await house.wish(DEPUTYS, Pace.WEEKLY)
    await house.wish(DESK, Pace.DAILY)
    house.at = at("2023-01-17 07:00")
    await house.make()
    assert len(house.digests(STAFF)) == 1
    assert house.digests(DEPUTY) == []


async def test_a_kind_switched_off_while_it_waits_is_not_sent(house: House) -> None:
    await house.wish(SEAT, Pace.DAILY)
    await house.tell(a_match(1), a_match(2))
    await house.wish(SEAT, Pace.DAILY, channels=())
    house.at = at("2023-01-17 07:00")
    await house.make()
    assert house.digests() == []
    assert {(one.state, one.due_at) for one in house.messages()} == {(CANCELLED, None)}
    assert all(one.reason for one in house.messages())


async def test_quiet_hours_wished_for_meanwhile_put_it_off_to_their_end(house: House) -> None:
    await house.wish(SEAT, Pace.HOURLY)
    await house.tell(a_match(1), a_match(2))

    async def now_quiet(uow: NotificationsUnitOfWork) -> None:
        wishes = await uow.wishes.get(SEAT)
        quiet = QuietHours(begins=time(9), ends=time(14))
        wishes.change(language=None, time_zone="Europe/Rome", quiet=quiet, kinds=wishes.kinds, at=uow.now)

    await house.transactions.run(now_quiet)
    house.at = at("2023-01-16 10:00")
    await house.make()
    assert house.digests() == []
    house.at = at("2023-01-16 13:00")
    await house.make()
    assert len(house.digests()) == 1


async def test_a_time_zone_that_is_no_more_is_taken_for_brussels(house: House) -> None:
    await house.wish(SEAT, Pace.DAILY, zone="Atlantis/Capital")
    await house.tell(a_match(1), a_match(2))
    house.at = at("2023-01-17 07:00")
    await house.make()
    assert "10:30" in house.digests()[0].text


async def test_what_was_undone_meanwhile_does_not_appear_and_alone_leads_to_no_mail(house: House) -> None:
    await house.wish(HOST, Pace.DAILY)
    proposed = {"proposed_by": "visitor", "answer_by": samples.ANSWER_BY}
    await house.tell(*(a_match(number, MatchProposed, **proposed) for number in (1, 2, 3)))
    await house.tell(a_match(1, MatchWithdrawn, withdrawn_by="visitor"))
    house.at = at("2023-01-17 07:00")
    await house.make()
    [digest] = house.digests(samples.HOST.email)
    assert "/matches/m-1" not in digest.text
    assert "/matches/m-2" in digest.text

    await house.tell(
        a_match(4, MatchProposed, **proposed), a_match(4, MatchWithdrawn, withdrawn_by="visitor")
    )
    house.at = at("2023-01-18 07:00")
    await house.make()
    assert house.digests(samples.HOST.email) == [digest]


@pytest.mark.parametrize(("minutes", "state"), [(1, CANCELLED), (60, PENDING)])
async def test_who_waits_for_a_digest_hears_at_once_that_a_stay_is_off_unless_it_was_on_for_a_moment_only(
    house: House, minutes: int, state: NotificationState
) -> None:
    await house.wish(HOST, Pace.WEEKLY)
    await house.tell(a_match(1, MatchApproved))
    # Its inbox and the platform have told it long ago.
    house.at += timedelta(minutes=minutes)
    await house.tell(a_match(1, MatchCancelled, reason="", was_approved=True))
    approved, cancelled = house.messages(samples.HOST.email)
    assert (approved.state, cancelled.state) == (CANCELLED, state)


async def test_many_messages_are_put_into_one_digest_a_few_at_a_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "AT_ONCE", 7)
    await house.wish(SEAT, Pace.DAILY)
    await house.tell(*(a_match(number) for number in range(20)))
    house.at = at("2023-01-17 07:00")
    [mailbox] = await house.due()
    for _ in range(2):
        assert await house.make_some(mailbox) is Made.SO_FAR
        [digest] = house.digests()
        assert (digest.state, digest.text) == (GATHERED, "")
    # The worker dies here. One gone on with by another is the same digest, and says all of it.
    assert len(house.messages(STAFF, DIGESTED)) == 14
    await house.make()
    [digest] = house.digests()
    assert digest.subject == "20 cases wait for you, 20 messages"
    assert len(house.messages(STAFF, DIGESTED)) == 20


async def test_a_digest_of_which_nothing_is_left_is_not_sent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "AT_ONCE", 2)
    await house.wish(HOST, Pace.DAILY)
    await house.tell(a_match(1, MatchApproved), a_match(2, MatchApproved))
    house.at = at("2023-01-17 07:00")
    [mailbox] = await house.due()
    assert await house.make_some(mailbox) is Made.SO_FAR
    await house.transactions.run(partial(erase_notifications, registration_id="r-host"))
    await house.make()
    stored = house.transactions.database[Notification.COLLECTION].values()
    [digest] = [one for one in stored if one["fact_type"] == DIGEST]
    assert digest["state"] == CANCELLED


async def test_what_comes_too_late_for_its_digest_waits_a_quarter_of_an_hour(house: House) -> None:
    await house.wish(SEAT, Pace.DAILY)
    await house.tell(a_match(1), a_match(2))
    house.at = at("2023-01-17 06:59:58")
    # Its transaction begins before eight and is committed after the digest is made.
    late = an_envelope(a_match(3), service="matching", subject="late")
    opened = house.transactions._open_unit(MemoryStore(house.transactions.database))
    await notify(opened, late, a_match(3))
    house.at = at("2023-01-17 07:00:01")
    await house.make()
    await opened.commit()
    await house.make()
    assert len(house.digests()) == 1
    [waiting] = house.messages(STAFF, GATHERED)
    assert waiting.due_at == at("2023-01-17 07:15")


async def test_the_next_digest_waits_until_the_last_one_went(house: House) -> None:
    await house.wish(SEAT, Pace.HOURLY)
    await house.tell(a_match(1), a_match(2))
    house.at = at("2023-01-16 10:00")
    await house.make()
    await house.tell(a_match(3), a_match(4))
    house.at = at("2023-01-16 11:00")
    await house.make()
    assert len(house.digests()) == 1
    assert {one.due_at for one in house.messages(STAFF, GATHERED)} == {at("2023-01-16 11:15")}


async def test_one_that_cannot_be_made_is_looked_at_again_in_a_quarter_of_an_hour(house: House) -> None:
    await house.wish(SEAT, Pace.HOURLY)
    await house.tell(a_match(1), a_match(2))
    house.at = at("2023-01-16 10:00")
    [mailbox] = await house.due()
    await house.transactions.run(partial(put_off, mailbox=mailbox))
    assert await house.due() == []
    house.at = at("2023-01-16 10:15")
    await house.make()
    assert len(house.digests()) == 1


async def test_of_a_person_erased_while_something_waits_nothing_is_sent(house: House) -> None:
    await house.wish(HOST, Pace.DAILY)
    await house.tell(a_match(1, MatchApproved), a_match(2, MatchApproved))
    await house.transactions.run(partial(erase_notifications, registration_id="r-host"))
    house.at = at("2023-01-17 07:00")
    await house.make()
    assert house.digests(samples.HOST.email) == []
    assert samples.HOST.email not in str(house.transactions.database.collections)


async def test_a_digest_that_waits_is_written_anew_when_somebody_it_names_is_erased(house: House) -> None:
    elsewhere = samples.VISITOR.model_copy(
        update={"registration_id": "r-other", "organisation": "Alfama Looms"}
    )
    await house.wish(SEAT, Pace.DAILY)
    await house.tell(a_match(1), a_match(2, visitor=elsewhere))
    house.at = at("2023-01-17 07:00")
    await house.make()
    assert "Alfama Looms" in house.digests()[0].text

    await house.transactions.run(partial(erase_notifications, registration_id="r-other"))
    await house.make()
    [digest] = house.digests()
    assert digest.state is PENDING
    assert "Alfama" not in str(house.transactions.database.collections)
    assert "Tagus Fibre Works (sample)" in digest.text
    # Looked at once more, as erasures are, it stays as it is.
    await house.transactions.run(partial(erase_notifications, registration_id="r-other"))
    assert house.digests() == [digest]


async def test_what_a_waiting_digest_tells_of_another_registration_outlives_the_erasure_of_one(
    house: House,
) -> None:
    second = samples.HOST.model_copy(update={"registration_id": "r-second"})
    await house.wish(HOST, Pace.DAILY)
    await house.tell(a_match(1, MatchApproved, host=second), a_match(2, MatchApproved))
    house.at = at("2023-01-17 07:00")
    await house.make()
    await house.transactions.run(partial(erase_notifications, registration_id="r-host"))
    await house.make()
    [told] = house.messages(samples.HOST.email, PENDING)
    assert (told.about, told.recipient_registration, told.digest) == ("m-1", "r-second", None)
    # Looked at once more, as erasures are, it stays as it is.
    await house.transactions.run(partial(erase_notifications, registration_id="r-host"))
    assert house.messages(samples.HOST.email, PENDING) == [told]


async def test_the_words_of_a_digest_that_was_sent_go_with_an_erasure_too(house: House) -> None:
    await house.wish(HOST, Pace.DAILY)
    await house.tell(a_match(1, MatchApproved), a_match(2, MatchApproved))
    house.at = at("2023-01-17 07:00")
    await house.make()
    for document in house.transactions.database[Notification.COLLECTION].values():
        document["state"] = "sent" if document["state"] == "pending" else document["state"]
    await house.transactions.run(partial(erase_notifications, registration_id="r-host"))
    held = str(house.transactions.database.collections)
    assert samples.HOST.organisation not in held
    assert samples.HOST.email not in held


async def test_an_organisation_is_told_its_digests_when_it_asks_what_is_held(house: House) -> None:
    await house.wish(HOST, Pace.DAILY)
    await house.tell(a_match(1, MatchApproved), a_match(2, MatchApproved))
    house.at = at("2023-01-17 07:00")
    await house.make()
    office = Caller(subject="o", role=CallerRole.SUPPORT_OFFICE)
    own, _ = (await house.transactions.read(partial(tell_what_is_held, registration_id="r-host", by=office)))[
        :2
    ]
    [digest] = [one for one in own.documents if one["fact_type"] == DIGEST]
    assert "What is new" in digest["subject"] or "wait" in digest["subject"]


async def test_chat_rooms_have_digests_too(house: House) -> None:
    desk = "partnership:hempclub"
    await house.wish(desk, Pace.DAILY, channels=(Channel.CHAT,))
    await house.tell(a_match(1), a_match(2))
    house.at = at("2023-01-17 07:00")
    assert await house.due() == [Mailbox(desk, Channel.CHAT, "hempclub/team")]
    await house.make()
    stored = house.transactions.database[Notification.COLLECTION].values()
    [digest] = [one for one in stored if one["fact_type"] == DIGEST]
    assert (digest["channel"], digest["state"]) == ("chat", "pending")


async def test_what_is_critical_was_tried_or_has_waited_already_is_not_made_to_wait(house: House) -> None:
    reminded = {"state": "agreed", "awaits": ["sampletex"], "answer_by": samples.ANSWER_BY}
    await house.tell(a_match(1), a_match(1, MatchReminded, **reminded))
    mails = {one.fact_type: one for one in house.messages()}
    agreed, critical = mails[MatchAgreed.TYPE], mails[MatchReminded.TYPE]
    assert agreed.may_wait
    assert not critical.may_wait
    assert not agreed.model_copy(update={"attempts": 1}).may_wait
    assert not agreed.model_copy(update={"gathered_for": GatheredFor.BACKLOG}).may_wait
    assert not Notification.open_digest([agreed], at=house.at).may_wait


@pytest.mark.parametrize(("held_up", "mails"), [(FEW, FEW), (FEW + 1, 1)])
async def test_a_few_that_were_held_up_go_as_they_are_and_more_as_one(
    house: House, held_up: int, mails: int
) -> None:
    await house.tell(*(a_match(number) for number in range(held_up)))
    for document in house.transactions.database[Notification.COLLECTION].values():
        if document.get("address") == STAFF:
            document |= {"state": "gathered", "gathered_for": "backlog"}
    await house.make()
    assert len(house.messages(STAFF, PENDING)) == mails
