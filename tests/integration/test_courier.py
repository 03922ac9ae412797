"""The courier against a real mail server and a real MongoDB: accept, refuse, be busy, vanish."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
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
from services.notifications.domain.limits import GatheredFor
from services.notifications.domain.notification import Notification, moment_text
from services.notifications.domain.switchboard import Outlet
from services.notifications.gate import Gate
from services.notifications.holding import Holding
from services.notifications.mail_server import smtp_of
from services.notifications.outgoing import Outgoing
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.hold_outgoing import hold_outgoing
from services.notifications.use_cases.notify import notify
from services.notifications.use_cases.release_outgoing import release_outgoing
from shared.contracts.envelope import new_id, now
from shared.messaging.outbox import unpack
from shared.security import Caller, CallerRole
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
    vanish_before_accepting: set[str] = field(default_factory=set)
    """Addresses whose next mail is not accepted, and the connection gone."""
    silent_to: set[str] = field(default_factory=set)
    """Addresses whose next mail gets no answer at all."""
    speechless_after: int | None = None
    """After so many mails it keeps each that comes, but says so to nobody."""
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
        assert isinstance(server.transport, asyncio.Transport)
        if address in self.silent_to:
            self.silent_to.discard(address)
            await asyncio.Event().wait()
        if address in self.vanish_before_accepting:
            self.vanish_before_accepting.discard(address)
            server.transport.abort()
            return "451 Nobody hears this"
        self.accepted.append((address, envelope.content))
        if self.speechless_after is not None and len(self.accepted) > self.speechless_after:
            await asyncio.Event().wait()
        if address in self.vanish_after_accepting:
            self.vanish_after_accepting.discard(address)
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
    parties = [{"registration_id": new_id(), "email": address, "owner": address} for address in addresses]
    events = [samples.an_acceptance(party=samples.VISITOR.model_copy(update=changed)) for changed in parties]

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
    return await found.sort("created_at", 1).to_list(None)


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
    assert len(await mails(root, state="sent", address={"$in": wanted})) == 9
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


async def test_a_mail_that_waited_long_to_be_sent_is_tried_as_often_as_any_other(
    root: Notifications, mail_server: MailServer
) -> None:
    mail_server.refusals["office@busy.example"] = ["451 Try later", "250 OK"]
    await tell(root, "office@busy.example")
    # It lay a week for a weekly digest, and was alone there.
    week_ago = {"created_at": moment_text(now() - timedelta(days=7)), "gathered_for": GatheredFor.WISH.value}
    await root.database[Notification.COLLECTION].update_many({}, {"$set": week_ago})
    async with mail_server.listening(), running(companion(root)):
        await until(lambda: all_settled(root))
    [mail] = await mails(root)
    assert (mail["state"], mail["attempts"], len(mail_server.accepted)) == ("sent", 2, 1)


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


async def test_a_connection_lost_before_acceptance_doubles_no_mail(
    root: Notifications, mail_server: MailServer
) -> None:
    wanted = addresses(10)
    mail_server.vanish_before_accepting = {wanted[4]}
    async with mail_server.listening(), running(companion(root)):
        await tell(root, *wanted)
        await until(lambda: all_settled(root))
    assert Counter(address for address, _ in mail_server.accepted) == Counter(wanted)


async def test_a_server_that_asks_for_less_is_given_time_and_costs_no_attempt(
    root: Notifications, mail_server: MailServer
) -> None:
    wanted = addresses(6)
    mail_server.refusals = {
        wanted[1]: ["421 4.3.2 Too busy", "250 OK"],
        wanted[2]: ["450 4.7.1 Too many mails from you", "450 4.7.1 Too many mails from you", "250 OK"],
    }
    async with mail_server.listening(), running(companion(root)):
        await tell(root, *wanted)
        await until(lambda: all_settled(root))
    assert Counter(address for address, _ in mail_server.accepted) == Counter(wanted)
    assert {mail["attempts"] for mail in await mails(root, state="sent")} == {1}


async def test_one_recipient_a_server_is_always_too_busy_for_does_not_block_a_connection(
    root: Notifications, mail_server: MailServer
) -> None:
    mail_server.refusals["office@busy.example"] = ["421 4.3.2 Too busy"]
    async with mail_server.listening(), running(companion(root)):
        await tell(root, "office@busy.example", *addresses(5))
        await until(lambda: _tried(root, "office@busy.example"))
        await until(lambda: _sent(root, 5))


async def _tried(root: Notifications, address: str) -> bool:
    return bool(await mails(root, address=address, attempts={"$gt": 0}))


async def _sent(root: Notifications, number: int) -> bool:
    return len(await mails(root, state="sent")) == number


async def test_a_server_that_falls_silent_over_one_mail_holds_up_no_other(
    root: Notifications, mail_server: MailServer
) -> None:
    wanted = addresses(20)
    mail_server.silent_to = {wanted[0]}
    settings = root.settings.model_copy(update={"smtp_timeout_s": 0.5})
    async with mail_server.listening(), running(companion(replace(root, settings=settings))):
        await tell(root, *wanted)
        await until(lambda: _sent(root, 20))
    assert Counter(address for address, _ in mail_server.accepted) == Counter(wanted)
    assert [mail["attempts"] for mail in await mails(root, address=wanted[0])] == [2]


async def test_mails_wait_for_a_login_that_works_and_the_worker_says_so(
    root: Notifications, mail_server: MailServer
) -> None:
    user = {"smtp_user": "cxc", "smtp_password": SecretStr("secret")}
    refused = replace(root, settings=root.settings.model_copy(update=user))
    async with mail_server.listening():
        async with running(companion(refused)):
            await tell(root, *addresses(3))
            await until(lambda: _remarked(root))
        assert "offers no login" in root.remarks["mail_server"]
        assert {mail["attempts"] for mail in await mails(root, state="pending")} == {0}
        async with running(companion(root)):
            await until(lambda: all_settled(root))
    assert root.remarks == {}
    assert len(mail_server.accepted) == 3


async def _remarked(root: Notifications) -> bool:
    return "mail_server" in root.remarks


# ── held, limited, suppressed ────────────────────────────────────────────────────────────────

OFFICE = Caller("support-office", CallerRole.SUPPORT_OFFICE)


async def hold(root: Notifications, *outlets: Outlet) -> None:
    await root.transactions.run(lambda uow: hold_outgoing(uow, outlets, by=OFFICE, reason="Maintenance"))


async def release(root: Notifications, *outlets: Outlet) -> None:
    await root.transactions.run(lambda uow: release_outgoing(uow, outlets, by=OFFICE, reason="Done"))


async def test_nothing_goes_out_while_mails_are_held_and_then_all_of_it_the_critical_first(
    root: Notifications, mail_server: MailServer
) -> None:
    await hold(root, Outlet.EMAIL)
    one_line = replace(root, settings=root.settings.model_copy(update={"smtp_connections": 1}))
    async with mail_server.listening(), running(companion(one_line)):
        await tell(root, *addresses(5))
        await tell(root, "urgent@sme.example")
        urgent = {"address": "urgent@sme.example", "channel": "email"}
        changed = {"$set": {"urgency": "critical"}}
        await root.database[Notification.COLLECTION].update_one(urgent, changed)
        assert await _is_held(root)
        assert mail_server.accepted == []
        await release(root, Outlet.EMAIL)
        await until(lambda: all_settled(root))
    assert mail_server.accepted[0][0] == "urgent@sme.example"
    assert len(mail_server.accepted) == 6


async def _is_held(root: Notifications) -> bool:
    return await Holding(root.database).is_held(Outlet.EMAIL)


async def test_mails_in_hand_turn_back_when_they_are_held_and_keep_their_place(
    root: Notifications, mail_server: MailServer
) -> None:
    mail_server.open.clear()
    async with mail_server.listening(), running(companion(root)):
        await tell(root, *addresses(20))
        await until(lambda: _claimed(root))
        await hold(root, Outlet.EMAIL)
        await until(lambda: root.holding.is_held(Outlet.EMAIL))
        mail_server.open.set()
        await until(lambda: _all_down(root))
        on_their_way = len(mail_server.accepted)
        assert on_their_way <= root.settings.smtp_connections
        waiting = await mails(root, state="pending")
        assert len(waiting) == 20 - on_their_way
        assert all(mail["due_at"] == mail["created_at"] and mail["attempts"] == 0 for mail in waiting)
        await release(root, Outlet.EMAIL)
        await until(lambda: all_settled(root))
    assert set(mail_server.message_ids().values()) == {1}


async def _all_down(root: Notifications) -> bool:
    return not await mails(root, state="pending", claimed_by={"$ne": None})


async def test_a_rate_is_shared_by_all_who_ask_and_what_was_not_used_is_given_back(
    root: Notifications,
) -> None:
    # So slow that no more comes while this runs.
    gates = [Gate(root.database, Outlet.EMAIL, root.holding, per_second=1e-4) for _ in range(2)]
    assert (await gates[0].ask(10)).messages == 1
    empty = await gates[1].ask(10)
    assert empty.messages == 0
    assert empty.again_in_s > 1000
    await gates[0].give_back(1)
    assert (await gates[1].ask(10)).messages == 1
    faster = Gate(root.database, Outlet.CHAT, root.holding, per_second=80)
    assert (await faster.ask(200)).messages == 20


async def test_mails_go_no_faster_than_their_rate(root: Notifications, mail_server: MailServer) -> None:
    limited = replace(root, settings=root.settings.model_copy(update={"mails_per_second": 1e-4}))
    async with mail_server.listening():
        async with running(companion(limited)):
            await tell(root, *addresses(10))
            await until(lambda: _sent(root, 1))
        assert len(mail_server.accepted) == 1
        async with running(companion(root)):
            await until(lambda: all_settled(root))
    assert len(mail_server.accepted) == 10


async def test_what_waits_for_an_address_that_turns_out_to_be_dead_is_not_sent(
    root: Notifications, mail_server: MailServer
) -> None:
    mail_server.refusals["gone@sme.example"] = ["550 5.1.1 <gone@sme.example>: User unknown"]
    await tell(root, "gone@sme.example")
    await tell(root, "gone@sme.example")
    first, second = await mails(root)
    await _due(root, second, now() + timedelta(hours=1))
    async with mail_server.listening(), running(companion(root)):
        await until(lambda: _in_state(root, first, "failed"))
        await _due(root, second, now())
        root.wake()
        await until(lambda: _in_state(root, second, "skipped"))
        await tell(root, "gone@sme.example", "office@sme.example")
        await until(lambda: all_settled(root))
    assert [mail["state"] for mail in await mails(root, address="gone@sme.example")][2:] == ["skipped"]
    warned = await mails(root, fact_type="cxc.address.suppressed.v1")
    assert [mail["address"] for mail in warned] == ["staff@hempclub.example"]
    assert {address for address, _ in mail_server.accepted} == {"office@sme.example", warned[0]["address"]}


async def _due(root: Notifications, mail: Document, at: datetime) -> None:
    messages = root.database[Notification.COLLECTION]
    await messages.update_one({"_id": mail["_id"]}, {"$set": {"due_at": moment_text(at)}})


async def _in_state(root: Notifications, mail: Document, state: str) -> bool:
    return bool(await mails(root, _id=mail["_id"], state=state))


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


async def test_what_a_courier_wrote_down_before_it_died_is_not_sent_again(
    root: Notifications, mail_server: MailServer
) -> None:
    await tell(root, *addresses(2))
    dead = Outgoing(root.client, root.database)
    first, _ = await dead.take(10, until=now())
    # It died between its two writes: that the mail is settled, and that it waits no more.
    settled = {"settled_at": moment_text(now())}
    await root.database[Notification.COLLECTION].update_one({"_id": first.id}, {"$set": settled})
    async with mail_server.listening(), running(companion(root)):
        await until(lambda: all_settled(root))
    assert [address for address, _ in mail_server.accepted] == ["office1@sme.example"]
    assert {mail["state"] for mail in await mails(root)} == {"sent"}


COURIER = """
import asyncio, sys

from services.notifications.bootstrap import bootstrap
from services.notifications.courier import carry_mails
from services.notifications.settings import NotificationsSettings


async def main(database: str) -> None:
    root = await bootstrap(NotificationsSettings.load(), database=database)
    await carry_mails(root, asyncio.Event())

asyncio.run(main(*sys.argv[1:]))
"""


async def test_of_a_courier_that_is_killed_amid_its_work_only_what_was_on_its_way_comes_twice(
    root: Notifications, mail_server: MailServer, mongo_url: str
) -> None:
    settings = root.settings
    environment = {
        **os.environ,
        "CXC_KAFKA_BOOTSTRAP": settings.kafka.bootstrap,
        "CXC_MONGO_URL": mongo_url,
        "CXC_ISSUER": settings.issuer,
        "CXC_JWKS_URL": settings.jwks_url,
        "CXC_SMTP_PORT": str(mail_server.port),
        "CXC_MAIL_LEASE_S": "2",
    }
    wanted = addresses(60)
    await tell(root, *wanted)
    mail_server.speechless_after = 30
    at_once = settings.smtp_connections
    async with mail_server.listening():
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", COURIER, root.database.name, env=environment
        )
        try:
            await until(lambda: _sent(root, 30))
            await until(lambda: _accepted(mail_server, 30 + at_once))
        finally:
            killed.kill()
            await killed.wait()
        on_their_way = {address for address, _ in mail_server.accepted[30:]}
        mail_server.speechless_after = None
        async with running(companion(root)):
            await until(lambda: all_settled(root))
    arrived = Counter(address for address, _ in mail_server.accepted)
    assert arrived.keys() == set(wanted)
    assert {address for address, times in arrived.items() if times == 2} == on_their_way
    assert max(arrived.values()) == 2
    assert len(mail_server.message_ids()) == 60
    assert len(set(await published(root))) == len(await published(root)) == 60


async def _accepted(mail_server: MailServer, number: int) -> bool:
    return len(mail_server.accepted) >= number


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
    assert not any(mail.get("claimed_by") for mail in pending)
    # Nothing was said twice or forgotten: the next courier brings the rest.
    async with mail_server.listening(), running(companion(root)):
        await until(lambda: all_settled(root))
    assert set(mail_server.message_ids().values()) == {1}
    assert len(mail_server.accepted) == 20
