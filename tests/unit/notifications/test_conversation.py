"""Mails handed over to a mail server, by servers that read ahead and servers that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from aiosmtplib import SMTP as Client
from aiosmtplib import SMTPReadTimeoutError, SMTPServerDisconnected

from ops.embedded.mail_sink import SinkSMTP
from services.notifications.conversation import Conversation, Reply, Step

SENDER = b"no-reply@cxc.example"
LETTER = b"Subject: One dot\r\n\r\nGood day,\r\n.\r\n..and two\r\n"


@dataclass
class Reception:
    """Keeps what it accepts; says of some addresses what the test wants, once each."""

    announces: list[str] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)
    accepted: list[tuple[list[str], bytes]] = field(default_factory=list)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [responses[0], *self.announces, *responses[1:]]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.replies.pop(address, "250 OK")
        if reply.startswith("250"):
            envelope.mail_from = address
        return reply

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.replies.pop(address, "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        reply = self.replies.pop("data", "250 Kept")
        if reply.startswith("250"):
            self.accepted.append((envelope.rcpt_tos, envelope.content))
        return reply


@asynccontextmanager
async def talking(
    server: Callable[[], asyncio.Protocol], timeout: float = 10.0
) -> AsyncIterator[Conversation]:
    """A conversation with a server of its own."""
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = Client(hostname="127.0.0.1", port=port, start_tls=False, timeout=timeout)
    await client.connect()
    await client.ehlo()
    conversation = Conversation.over(client)
    try:
        yield conversation
    finally:
        conversation.close()
        listening.close()


ANNOUNCED = {
    "one by one": [],
    "together": ["250-PIPELINING"],
    "the embedded one, together": ["250-PIPELINING"],
    "the embedded one, all in one": ["250-PIPELINING", "250-CHUNKING"],
}


@pytest.fixture(params=ANNOUNCED)
def server(request: pytest.FixtureRequest) -> tuple[Reception, Callable[[], asyncio.Protocol]]:
    reception = Reception(ANNOUNCED[request.param])
    made = SinkSMTP if "embedded" in request.param else SMTP
    return reception, lambda: made(reception, hostname="mail.example")


Server = tuple[Reception, Callable[[], asyncio.Protocol]]


async def test_mails_arrive_to_the_byte_one_after_the_other(server: Server) -> None:
    reception, listening = server
    async with talking(listening) as conversation:
        for number in range(3):
            reply = await conversation.hand_over(SENDER, b"office%d@sme.example" % number, LETTER)
            assert reply == Reply(Step.MAIL, 250, "Kept")
            assert reply.taken
    assert reception.accepted == [([f"office{number}@sme.example"], LETTER) for number in range(3)]


@pytest.mark.parametrize(
    ("asked", "reply", "step"),
    [
        ("no-reply@cxc.example", "530 Authentication required", Step.SENDER),
        ("office@sme.example", "550 No such mailbox", Step.RECIPIENT),
        ("office@sme.example", "450-4.2.1 Try again\r\n450 later", Step.RECIPIENT),
        ("data", "554 Not this", Step.MAIL),
    ],
)
async def test_a_no_says_where_and_the_next_mail_follows(
    server: Server, asked: str, reply: str, step: Step
) -> None:
    reception, listening = server
    reception.replies[asked] = reply
    async with talking(listening) as conversation:
        refused = await conversation.hand_over(SENDER, b"office@sme.example", LETTER)
        assert (refused.step, refused.code, refused.taken) == (step, int(reply[:3]), False)
        assert refused.text == reply[4:].replace("\r\n450 ", "\n")
        assert (await conversation.hand_over(SENDER, b"desk@sme.example", LETTER)).taken
    assert reception.accepted == [(["desk@sme.example"], LETTER)]


async def test_the_embedded_server_takes_a_mail_in_several_chunks_and_none_without_a_recipient() -> None:
    reception = Reception(["250-CHUNKING"])
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SinkSMTP(reception, hostname="mail.example"), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname()[:2])

    async def say(said: bytes) -> bytes:
        writer.write(said)
        return (await reader.readuntil(b"\r\n"))[:3]

    assert (await reader.readline())[:3] == b"220"
    assert await say(b"HELO cxc.example\r\n") == b"250"
    assert await say(b"BDAT 6 LAST\r\nQUIT\r\n") == b"503"
    assert await say(b"MAIL FROM:<no-reply@cxc.example>\r\n") == b"250"
    assert await say(b"RCPT TO:<office@sme.example>\r\n") == b"250"
    assert await say(b"BDAT 15\r\nSubject: One\r\n\r") == b"250"
    assert await say(b"DATA\r\n") == b"503"
    assert await say(b"bdat 8 last\r\n\n.\r\nend\n") == b"250"
    assert reception.accepted == [(["office@sme.example"], b"Subject: One\r\n\r\n.\r\nend\n")]
    assert await say(b"BDAT much\r\n") == b"501"
    assert await reader.read() == b""
    writer.close()
    listening.close()


class Scripted(asyncio.Protocol):
    """Announces PIPELINING, then says one thing after the other for what it gets; None hangs up."""

    def __init__(self, *said: bytes | None) -> None:
        self._said = [b"250-mail.example\r\n250 PIPELINING\r\n", *said]
        self.heard: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 mail.example\r\n")

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)
        for said in self._said[:1]:
            if said is None:
                self._transport.abort()
            else:
                self._transport.write(said)
        del self._said[:1]


async def test_a_server_that_waits_for_the_mail_of_a_refused_recipient_gets_an_empty_one() -> None:
    listening = Scripted(
        b"250 OK\r\n550 No such mailbox\r\n354 Go ahead\r\n", b"554 Nobody\r\n", b"250 OK\r\n"
    )
    async with talking(lambda: listening) as conversation:
        refused = await conversation.hand_over(SENDER, b"office@sme.example", LETTER)
        assert refused == Reply(Step.RECIPIENT, 550, "No such mailbox")
    assert listening.heard[1:] == [
        b"MAIL FROM:<no-reply@cxc.example>\r\nRCPT TO:<office@sme.example>\r\nDATA\r\n",
        b".\r\n",
        b"RSET\r\n",
    ]


async def test_a_no_that_ends_the_conversation_is_still_a_no() -> None:
    listening = Scripted(b"421 Too many mails\r\n", None)
    async with talking(lambda: listening, timeout=0.2) as conversation:
        refused = await conversation.hand_over(SENDER, b"office@sme.example", LETTER)
        assert refused == Reply(Step.SENDER, 421, "Too many mails")
        assert not conversation.goes_on


async def test_replies_that_come_in_pieces_are_put_together() -> None:
    class Hesitant(Scripted):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if b"MAIL FROM" in data:
                asyncio.get_running_loop().call_soon(self._transport.write, b"K\r\n250 OK\r\n354 ")
                asyncio.get_running_loop().call_later(0.01, self._transport.write, b"Go ahead\r\n")

    async with talking(lambda: Hesitant(b"250-O\r\n250 ", b"250 Kept\r\n")) as conversation:
        assert (await conversation.hand_over(SENDER, b"office@sme.example", LETTER)).taken


@pytest.mark.parametrize("said", [None, b"What?\r\n", b"250 " + b"x" * 5000])
async def test_a_server_that_hangs_up_or_talks_nonsense_ends_the_conversation(said: bytes | None) -> None:
    async with talking(lambda: Scripted(said)) as conversation:
        with pytest.raises(SMTPServerDisconnected):
            await conversation.hand_over(SENDER, b"office@sme.example", LETTER)
        assert not conversation.goes_on
        with pytest.raises(SMTPServerDisconnected):
            await conversation.hand_over(SENDER, b"office@sme.example", LETTER)


async def test_a_server_that_falls_silent_is_left() -> None:
    async with talking(lambda: Scripted(b""), timeout=0.05) as conversation:
        with pytest.raises(SMTPReadTimeoutError, match=r"no answer within 0\.05 s"):
            await conversation.hand_over(SENDER, b"office@sme.example", LETTER)
        assert not conversation.goes_on
