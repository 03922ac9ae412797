"""The courier against a real mail server and a real MongoDB: accept, refuse, be busy, vanish."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes

import orjson
import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from services.notifications.bootstrap import Notifications, bootstrap
from services.notifications.courier import Courier, carry_mails
from services.notifications.domain.delivery import RetryPolicy, Sent
from services.notifications.domain.letter import Letterhead
from services.notifications.domain.notification import Notification
from services.notifications.mail_server import smtp_of
from services.notifications.outgoing import Outgoing
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.notify import notify
from shared.contracts.envelope import now
from shared.messaging.outbox import unpack
from shared.settings import KafkaSettings
from shared.storage.driver import Document
from shared.storage.store import OUTBOX
from tests.builders import an_envelope
from tests.unit.notifications import samples

pytestmark = pytest.mark.integration

DEADLINE_S = 30.0


@dataclass
class MailServer:
    """An SMTP server that does what the test says, and keeps what it accepted."""

    port: int
    accepted: list[tuple[str, bytes]] = field(default_factory=list)
    refusals: dict[str, list[str]] = field(default_factory=dict)
    """Address → replies to its next RCPT commands; the last one stays."""
    vanish_after_accepting: set[str] = field(default_factory=set)
    """Addresses whose next mail is accepted without a word, and the connection gone."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """While not set, mails are kept waiting for their reply."""

    senders_refused: int = 0
    """How many more MAIL commands are turned down."""

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.senders_refused:
            self.senders_refused -= 1
            return "530 Authentication required"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        replies = self.refusals.get(address, [])
        reply = (replies.pop(0) if len(replies) > 1 else replies[0]) if replies else "250 OK"
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await self.open.wait()
        [address] = envelope.rcpt_tos
        assert isinstance(envelope.content, bytes)
        self.accepted.append((address, envelope.content))
        if address in self.vanish_after_accepting:
            self.vanish_after_accepting.discard(address)
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"

    def message_ids(self) -> Counter[str]:
        return Counter(message_from_bytes(raw)["Message-ID"] for _, raw in self.accepted)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.example", loop=loop), "127.0.0.1", self.port
        )
        try:
            yield
        finally:
            server.close()


@pytest_asyncio.fixture
async def mail_server() -> MailServer:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = MailServer(free.getsockname()[1])
    server.open.set()
    return server


@pytest_asyncio.fixture
async def root(mongo_url: str, database: str, mail_server: MailServer) -> AsyncIterator[Notifications]:
    settings = NotificationsSettings(
        kafka=KafkaSettings(bootstrap="127.0.0.1:1"),
        mongo_url=SecretStr(mongo_url),
        issuer="https://issuer.example",
        jwks_url="https://issuer.example/keys",
        smtp_port=mail_server.port,
        mail_first_retry_s=0.05,
        mail_batch=20,
    )
    opened = await bootstrap(settings, database=database)
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def running(*couriers: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """The couriers at work; stopped in order at the end, their errors raised."""
    stopping = asyncio.Event()
    tasks = [asyncio.ensure_future(courier(stopping)) for courier in couriers]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(asyncio.gather(*tasks), DEADLINE_S)


def companion(root: Notifications) -> Callable[[asyncio.Event], Awaitable[None]]:
    return lambda stopping: carry_mails(root, stopping)


async def tell(root: Notifications, *addresses: str) -> None:
    """One accepted registration, that is one mail, for each address; all in one transaction."""
    events = [
        samples.an_acceptance(party=samples.VISITOR.model_copy(update={"email": address, "owner": address}))
        for address in addresses
    ]

    async def batch(uow: NotificationsUnitOfWork) -> None:
        for event in events:
            fact = an_envelope(event, service="registration", subject=event.party.registration_id)
            await notify(uow, fact, event)

    await root.transactions.run(batch)
    root.wake()


def addresses(number: int, word: str = "office") -> list[str]:
    return [f"{word}{n}@sme.example" for n in range(number)]


async def mails(root: Notifications, **where: object) -> list[Document]:
    found = root.database[Notification.COLLECTION].find({"channel": "email", **where})
    return await found.to_list(None)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():  # noqa: ASYNC110 - the condition is the database's, it has no event
            await asyncio.sleep(0.02)


async def all_settled(root: Notifications) -> bool:
    return not await mails(root, state="pending")


async def published(root: Notifications) -> list[tuple[str, str]]:
    """Type and notification id of every event in the outbox."""
    rows = await root.database[OUTBOX].find({}).sort("position", 1).to_list(None)
    events = [orjson.loads(message.value) for row in rows for message in unpack(row)]
    return [(event["type"], event["data"].get("notification_id", event["subject"])) for event in events]


async def test_every_mail_arrives_once_and_is_written_down_with_its_event(
    root: Notifications, mail_server: MailServer
) -> None:
    wanted = addresses(150)
    async with mail_server.listening(), running(companion(root)):
        await tell(root, *wanted)
        await until(lambda: all_settled(root))
    assert Counter(address for address, _ in mail_server.accepted) == Counter(wanted)
    sent = await mails(root, state="sent")
    assert len(sent) == 150
    assert all(mail["settled_at"] and mail["attempts"] == 1 and not mail["claimed_by"] for mail in sent)
    assert Counter(await published(root)) == Counter(
        ("cxc.notification.sent.v1", mail["_id"]) for mail in sent
    )


async def test_one_recipient_of_ten_refused_for_good_keeps_nobody_else_waiting(
    root: Notifications, mail_server: MailServer
) -> None:
    wanted = addresses(10)
    refusal = f"550 No such mailbox: <{wanted[3]}>"
    mail_server.refusals[wanted[3]] = [refusal]
    async with mail_server.listening(), running(companion(root)):
        await tell(root, *wanted)
        await until(lambda: all_settled(root))
    assert len(await mails(root, state="sent")) == 9
    [failed] = await mails(root, state="failed")
    assert (failed["address"], failed["last_reply"]) == (wanted[3], refusal)
    assert ("cxc.notification.failed.v1", failed["_id"]) in await published(root)
    rows = await root.database[OUTBOX].find({}).to_list(None)
    said = b"".join(message.value for row in rows for message in unpack(row))
    assert b"No such mailbox: <the address>" in said
    assert wanted[3].encode() not in said


async def test_an_address_no_mail_can_be_written_to_fails_alone(
    root: Notifications, mail_server: MailServer
) -> None:
    async with mail_server.listening(), running(companion(root)):
        await tell(root, "no address", *addresses(3))
        await until(lambda: all_settled(root))
    [failed] = await mails(root, state="failed")
    assert failed["last_reply"] == "no mail can be written to this address: it is no plain mail address"
    assert len(mail_server.accepted) == 3


async def test_a_server_that_takes_no_mail_from_us_costs_no_mail(
    root: Notifications, mail_server: MailServer
) -> None:
    mail_server.senders_refused = 3
    async with mail_server.listening(), running(companion(root)):
        await tell(root, *addresses(10))
        await until(lambda: all_settled(root))
    assert len(mail_server.accepted) == 10
    assert {mail["attempts"] for mail in await mails(root, state="sent")} == {1}


async def test_a_mail_the_server_was_too_busy_for_is_tried_again(
    root: Notifications, mail_server: MailServer
) -> None:
    mail_server.refusals["office@busy.example"] = ["451 Try later", "451 Try later", "250 OK"]
    async with mail_server.listening(), running(companion(root)):
        await tell(root, "office@busy.example")
        await until(lambda: all_settled(root))
    [mail] = await mails(root)
    assert (mail["state"], mail["attempts"], len(mail_server.accepted)) == ("sent", 3, 1)
    assert [type for type, _ in await published(root)] == ["cxc.notification.sent.v1"]


async def test_a_connection_lost_after_acceptance_costs_one_duplicate_with_the_same_message_id(
    root: Notifications, mail_server: MailServer
) -> None:
    wanted = addresses(10)
    mail_server.vanish_after_accepting = {wanted[4]}
    async with mail_server.listening(), running(companion(root)):
        await tell(root, *wanted)
        await until(lambda: all_settled(root))
    arrived = mail_server.message_ids()
    [doubled] = await mails(root, address=wanted[4])
    assert len(arrived) == 10
    assert {id: times for id, times in arrived.items() if times > 1} == {
        f"<{doubled['_id']}@clusterxchange.example>": 2
    }
    assert len(await mails(root, state="sent")) == 10


async def test_mails_wait_for_a_server_that_is_away_and_nobody_is_blamed(
    root: Notifications, mail_server: MailServer
) -> None:
    async with running(companion(root)):
        await tell(root, *addresses(30))
        await until(lambda: _claimed(root))
        async with mail_server.listening():
            await until(lambda: all_settled(root))
    assert len(mail_server.accepted) == 30
    assert {mail["attempts"] for mail in await mails(root)} == {1}


async def _claimed(root: Notifications) -> bool:
    return bool(await mails(root, claimed_by={"$ne": None}))


async def test_a_server_that_does_not_answer_holds_up_no_event(
    root: Notifications, mail_server: MailServer
) -> None:
    mail_server.open.clear()
    async with mail_server.listening(), running(companion(root)):
        for n in range(5):
            await tell(root, *addresses(10, f"round{n}-"))
        assert len(await mails(root, state="pending")) == 50
        assert mail_server.accepted == []
        mail_server.open.set()
        await until(lambda: all_settled(root))
    assert len(mail_server.accepted) == 50


async def test_two_couriers_share_the_mails_and_double_none(
    root: Notifications, mail_server: MailServer
) -> None:
    wanted = addresses(200)
    async with mail_server.listening(), running(companion(root), companion(root)):
        await tell(root, *wanted[:100])
        await tell(root, *wanted[100:])
        await until(lambda: all_settled(root))
    assert Counter(address for address, _ in mail_server.accepted) == Counter(wanted)
    assert len(await published(root)) == 200


async def test_the_mails_of_a_courier_that_died_come_due_again(
    root: Notifications, mail_server: MailServer
) -> None:
    await tell(root, *addresses(5))
    dead = Outgoing(root.client, root.database)
    assert len(await dead.take(10, until=now() + timedelta(seconds=0.2))) == 5
    async with mail_server.listening(), running(companion(root)):
        await until(lambda: all_settled(root))
    assert len(mail_server.accepted) == 5
    assert set(mail_server.message_ids().values()) == {1}


async def test_a_courier_that_lost_its_lease_writes_nothing_down(root: Notifications) -> None:
    await tell(root, "office@sme.example")
    slow, quick = (Outgoing(root.client, root.database) for _ in range(2))
    [mail] = await slow.take(10, until=now())
    await until(lambda: _taken_by(quick))
    await slow.settle([(mail, Sent())])
    assert await published(root) == []
    await quick.settle([(mail, Sent())])
    assert await published(root) == [("cxc.notification.sent.v1", mail.id)]


async def _taken_by(mails: Outgoing) -> bool:
    return len(await mails.take(10, until=now() + timedelta(minutes=1))) == 1


async def test_a_courier_told_to_stop_ends_the_mail_on_its_way_and_lets_go_of_the_others(
    root: Notifications, mail_server: MailServer
) -> None:
    courier = Courier(
        Outgoing(root.client, root.database),
        smtp_of(root.settings),
        Letterhead(root.settings.mail_from, root.words),
        waiting=root.mail_waiting,
        connections=2,
        policy=RetryPolicy(),
    )
    mail_server.open.clear()
    stopping = asyncio.Event()
    async with mail_server.listening():
        await tell(root, *addresses(20))
        at_work = asyncio.create_task(courier.run(stopping))
        await until(lambda: _claimed(root))
        stopping.set()
        mail_server.open.set()
        await asyncio.wait_for(at_work, DEADLINE_S)
    sent, pending = await mails(root, state="sent"), await mails(root, state="pending")
    assert len(sent) == len(mail_server.accepted)
    assert len(sent) + len(pending) == 20
    assert not any(mail["claimed_by"] for mail in pending)
    # Nothing was said twice or forgotten: the next courier brings the rest.
    async with mail_server.listening(), running(companion(root)):
        await until(lambda: all_settled(root))
    assert set(mail_server.message_ids().values()) == {1}
    assert len(mail_server.accepted) == 20
