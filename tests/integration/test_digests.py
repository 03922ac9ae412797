"""Digests on real MongoDB and a real mail server: one mail of a flood, whoever makes it, dies or is held."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes, policy
from functools import partial

import pytest
from pydantic import SecretStr

from services.notifications.bootstrap import Notifications, bootstrap
from services.notifications.courier import carry_mails
from services.notifications.digests import make_digests
from services.notifications.domain.digest import Mailbox
from services.notifications.domain.notification import DIGEST, Notification
from services.notifications.domain.rules import Channel
from services.notifications.domain.switchboard import Outlet
from services.notifications.domain.wishes import KindWish, Pace, seat_key
from services.notifications.handlers import handlers
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases import make_digest as making
from services.notifications.use_cases.hold_outgoing import hold_outgoing
from services.notifications.use_cases.make_digest import Made, make_digest
from services.notifications.use_cases.release_outgoing import release_outgoing
from services.notifications.use_cases.state_wishes import state_wishes
from shared.contracts.funding import PaymentPrepared
from shared.messaging.consumer import BatchConsumer
from shared.messaging.topics import events
from shared.security import Caller, CallerRole
from shared.settings import KafkaSettings
from shared.storage.driver import Document
from tests.builders import a_message, an_envelope
from tests.integration.test_courier import MailServer, running, until
from tests.unit.notifications import samples

pytestmark = pytest.mark.integration

STAFF = "staff@hempclub.example"
SEAT = seat_key("partnership:hempclub", STAFF)
MAILBOX = Mailbox(SEAT, Channel.EMAIL, STAFF)
OFFICE = Caller(subject="office", role=CallerRole.SUPPORT_OFFICE)


class Clock:
    """One that stands still until it is set."""

    def __init__(self) -> None:
        self.at = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def mail_server(unused_tcp_port: int) -> MailServer:
    server = MailServer(unused_tcp_port)
    server.open.set()
    return server


@pytest.fixture
async def root(
    mongo_url: str, database: str, mail_server: MailServer, clock: Clock
) -> AsyncIterator[Notifications]:
    opened = await bootstrap(_settings(mongo_url, mail_server), database=database, clock=clock)
    yield opened
    await opened.close()


def _settings(mongo_url: str, mail_server: MailServer) -> NotificationsSettings:
    return NotificationsSettings(
        kafka=KafkaSettings(bootstrap="127.0.0.1:1"),
        mongo_url=SecretStr(mongo_url),
        issuer="https://issuer.example",
        jwks_url="https://issuer.example/keys",
        smtp_port=mail_server.port,
    )


async def wish_daily(root: Notifications) -> None:
    wishes = partial(
        state_wishes,
        person=SEAT,
        language="en",
        time_zone="Europe/Rome",
        quiet=None,
        kinds={"money": KindWish(pace=Pace.DAILY)},
        seen_version=0,
    )
    await root.transactions.run(wishes)


def payments(number: int, *, cases: int = 1) -> list[PaymentPrepared]:
    """So many different facts for the staff of HempClub, about so many payments."""
    return [
        samples.a_payment(PaymentPrepared, payment_id=f"p-{n % cases}", total=Decimal(n))
        for n in range(number)
    ]


async def consume(root: Notifications, told: Iterable[PaymentPrepared]) -> None:
    """Through the service's own handlers, in batches as they come from Kafka."""
    consumer = BatchConsumer(handlers, root.transactions, after_commit=root.wake)
    messages = [
        a_message(
            an_envelope(event, service="funding", subject=event.payment_id), topic=events("funding"), offset=n
        )
        for n, event in enumerate(told)
    ]
    for start in range(0, len(messages), 500):
        await consumer.consume(messages[start : start + 500])


async def mails(root: Notifications, **where: object) -> list[Document]:
    found = root.database[Notification.COLLECTION].find({"address": STAFF, **where})
    return await found.to_list(None)


def text_of(raw: bytes) -> str:
    body = message_from_bytes(raw, policy=policy.SMTP).get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


async def test_ten_thousand_events_about_one_case_within_a_minute_are_one_mail_that_two_workers_make(
    root: Notifications, mail_server: MailServer, clock: Clock
) -> None:
    await wish_daily(root)
    await consume(root, payments(10_000))
    clock.at = datetime(2023, 1, 17, 7, 0, tzinfo=UTC)
    companions = [partial(make_digests, root), partial(make_digests, root), partial(carry_mails, root)]
    async with mail_server.listening(), running(*companions):
        await until(partial(_sent, root))
    [(address, raw)] = mail_server.accepted
    assert address == STAFF
    text = text_of(raw)
    assert "and after 9,995 earlier messages" in text
    assert text.count("/payments/p-0") == 1
    assert len(raw) < 20_000
    states = Counter(mail["state"] for mail in await mails(root))
    assert states == {"digested": 10_000, "sent": 1}


async def _sent(root: Notifications) -> bool:
    return bool(await mails(root, fact_type=DIGEST, state="sent"))


async def test_two_that_make_the_same_digest_at_the_same_moment_make_one(
    root: Notifications, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "AT_ONCE", 40)
    await wish_daily(root)
    await consume(root, payments(150, cases=3))
    clock.at = datetime(2023, 1, 17, 7, 0, tzinfo=UTC)

    async def make() -> None:
        while await root.transactions.run(partial(make_digest, mailbox=MAILBOX)) is Made.SO_FAR:
            pass

    await asyncio.gather(make(), make(), make())
    [digest] = await mails(root, fact_type=DIGEST)
    assert digest["state"] == "pending"
    assert len(await mails(root, digest=digest["_id"], state="digested")) == 150
    assert "3 cases wait for you, 150 messages" in digest["subject"]


async def test_a_worker_that_dies_while_it_makes_a_digest_leaves_one_that_the_next_ends(
    root: Notifications, mail_server: MailServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "AT_ONCE", 20)
    await wish_daily(root)
    await consume(root, payments(200))
    clock.at = datetime(2023, 1, 17, 7, 0, tzinfo=UTC)
    dying = asyncio.create_task(make_digests(root, asyncio.Event()))
    await until(partial(_begun, root))
    dying.cancel()
    await asyncio.wait([dying])
    assert [one["state"] for one in await mails(root, fact_type=DIGEST)] == ["gathered"]
    async with mail_server.listening(), running(partial(make_digests, root), partial(carry_mails, root)):
        await until(partial(_sent, root))
    [(_, raw)] = mail_server.accepted
    assert "and after 195 earlier messages" in text_of(raw)
    assert len(await mails(root, state="digested")) == 200


async def _begun(root: Notifications) -> bool:
    return bool(await mails(root, state="digested"))


async def test_of_a_flood_five_come_at_once_and_the_others_as_one_mail_in_the_next_quarter_of_an_hour(
    root: Notifications, mail_server: MailServer, clock: Clock
) -> None:
    async with mail_server.listening(), running(partial(make_digests, root), partial(carry_mails, root)):
        await consume(root, payments(300))
        await until(partial(_settled, root))
        assert len(mail_server.accepted) == 5
        assert {mail["reason"] for mail in await mails(root, state="gathered")} == {
            "Its recipient had had many mails: it was made to wait for a digest."
        }
        assert {mail["due_at"] for mail in await mails(root, state="gathered")} == {
            "2023-01-16T09:45:00.000000Z"
        }
        clock.at += timedelta(minutes=15)
        await until(partial(_sent, root))
    assert len(mail_server.accepted) == 6
    assert "and after 290 earlier messages" in text_of(mail_server.accepted[-1][1])


async def _settled(root: Notifications) -> bool:
    return not await mails(root, state="pending")


async def test_what_was_held_goes_without_a_flood_when_it_is_let_go(
    root: Notifications, mail_server: MailServer, clock: Clock
) -> None:
    hold = partial(hold_outgoing, outlets=[Outlet.EMAIL], by=OFFICE, reason="The mail server moves.")
    await root.transactions.run(hold)
    async with mail_server.listening(), running(partial(make_digests, root), partial(carry_mails, root)):
        await consume(root, payments(60, cases=30))
        clock.at += timedelta(hours=3)
        release = partial(release_outgoing, outlets=[Outlet.EMAIL], by=OFFICE, reason="It has moved.")
        await root.transactions.run(release)
        await until(partial(_settled, root))
        assert mail_server.accepted == []
        clock.at += timedelta(minutes=2)
        await until(partial(_sent, root))
    [(_, raw)] = mail_server.accepted
    assert "30 cases wait for you, 60 messages" in str(message_from_bytes(raw, policy=policy.SMTP)["Subject"])


async def test_what_is_due_is_found_by_indexes_among_all_that_waits_and_was_sent(
    root: Notifications, clock: Clock
) -> None:
    await wish_daily(root)
    await consume(root, payments(20, cases=4))
    messages = root.database[Notification.COLLECTION]
    [one, *_] = await mails(root, state="gathered")
    later = "2023-01-18T07:00:00.000000Z"
    others = [{**one, "_id": f"o-{n}", "person": f"organisation:{n}", "due_at": later} for n in range(1000)]
    own = [{**one, "_id": f"l-{n}", "due_at": later} for n in range(1000)]
    sent = [{**one, "_id": f"s-{n}", "state": "sent"} for n in range(1000)]
    await messages.insert_many([*others, *own, *sent])
    clock.at = datetime(2023, 1, 17, 7, 0, tzinfo=UTC)

    async def look(uow: NotificationsUnitOfWork) -> None:
        found = uow.notifications
        assert await found.due_mailboxes(Channel.EMAIL, clock.at) == [MAILBOX]
        assert len(await found.gathered(MAILBOX, clock.at, limit=500)) == 20
        assert len(await found.gathered_by_wish([SEAT], limit=10)) == 10
        assert await found.digests_under_way(MAILBOX) == []
        assert await found.digested("no digest") == []

    await root.database.command("profile", 2)
    await root.transactions.read(look)
    await root.database.command("profile", 0)
    looked = (
        await root.database["system.profile"]
        .find({"op": "query", "ns": {"$regex": "notifications$"}})
        .to_list(None)
    )
    assert [(one["planSummary"][:6], one["nreturned"]) for one in looked] == [
        ("IXSCAN", returned) for returned in (20, 20, 10, 0, 0)
    ]
    assert [one["docsExamined"] for one in looked] == [20, 20, 10, 0, 0]
