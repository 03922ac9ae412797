"""A conversation with a mail server that is connected, secured and logged in: one mail after the other.

Sender, recipient and the wish to send go out together where the server announces that it reads ahead
(PIPELINING, RFC 2920), as nearly all do: two round trips a mail instead of four, and half the CPU of
aiosmtplib's commands one by one, which opens the connection. Where it also takes a mail by its length
(CHUNKING, RFC 3030), as most do, the mail goes along: one round trip, one write, and no dots to double.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Self, cast

from aiosmtplib import SMTP, SMTPException, SMTPReadTimeoutError, SMTPServerDisconnected

_GO_AHEAD: Final = 354
_LONGEST_LINE: Final = 4096
_MOST_LINES: Final = 100


class Step(StrEnum):
    """The parts of handing a mail over, in their order."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    MAIL = "mail"


class Reply(NamedTuple):
    """How far a mail came, and what the server said there."""

    step: Step
    code: int
    text: str

    @property
    def taken(self) -> bool:
        """Whether the server has the mail now."""
        return self.step is Step.MAIL and self.code < 300


class Conversation(asyncio.Protocol):
    """Takes over the transport of a connection; hands over one mail at a time."""

    def __init__(
        self, transport: asyncio.Transport, *, reads_ahead: bool, takes_chunks: bool, timeout: float | None
    ) -> None:
        self._transport = transport
        self._reads_ahead = reads_ahead
        self._all_in_one = reads_ahead and takes_chunks
        self._timeout = timeout
        self._received = bytearray()
        self._lines: list[str] = []
        self._replies: deque[tuple[int, str]] = deque()
        self._awaited: asyncio.Future[None] | None = None
        self._lost: SMTPException | None = None

    @classmethod
    def over(cls, smtp: SMTP) -> Self:
        """Go on where aiosmtplib has connected and said EHLO."""
        transport = cast(asyncio.Transport, smtp.transport)
        conversation = cls(
            transport,
            reads_ahead=smtp.supports_extension("pipelining"),
            takes_chunks=smtp.supports_extension("chunking"),
            timeout=smtp.timeout,
        )
        transport.set_protocol(conversation)
        return conversation

    @property
    def goes_on(self) -> bool:
        """Whether the connection is there."""
        return self._lost is None and not self._transport.is_closing()

    async def hand_over(self, sender: bytes, recipient: bytes, letter: bytes) -> Reply:
        """Send one mail, whose lines end in CRLF; addresses come without brackets, checked by the caller.

        After a no the next mail may follow, while the conversation goes on. Raises SMTPException where the
        connection is lost, the server falls silent, or what it says is no reply.
        """
        to_send = b"BDAT %d LAST\r\n" % len(letter) + letter if self._all_in_one else b"DATA\r\n"
        answer = await self._ask(
            (b"MAIL FROM:<" + sender + b">\r\n", b"RCPT TO:<" + recipient + b">\r\n", to_send)
        )
        if self._all_in_one or answer.code >= 400:
            return answer
        self._write(letter.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return Reply(Step.MAIL, *await self._reply())

    def close(self) -> None:
        """Drop the connection."""
        self._transport.close()

    async def _ask(self, wishes: Sequence[bytes]) -> Reply:
        """The first no, after which all is as before; else the last answer."""
        refused: Reply | None = None
        waits = False
        steps = iter(Step)
        try:
            for together in [wishes] if self._reads_ahead else [[wish] for wish in wishes]:
                self._write(b"".join(together))
                for _ in together:
                    answer = Reply(next(steps), *await self._reply())
                    waits = answer.code == _GO_AHEAD
                    if refused is None and answer.code >= 400:
                        refused = answer
                if refused is not None:
                    break
            if refused is None:
                return answer
            if waits:
                # For a mail to nobody, as its one recipient was refused: it ends before it begins.
                self._write(b".\r\n")
                await self._reply()
            self._write(b"RSET\r\n")
            await self._reply()
        except SMTPException:
            if refused is None:
                raise
            # A no that ends the conversation is still a no.
            self.close()
        return refused

    def _write(self, content: bytes) -> None:
        if self._lost is not None:
            raise self._lost
        self._transport.write(content)

    async def _reply(self) -> tuple[int, str]:
        if not self._replies:
            if self._lost is not None:
                raise self._lost
            self._awaited = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._awaited
            except TimeoutError:
                self.close()
                raise SMTPReadTimeoutError(f"no answer within {self._timeout:g} s") from None
        return self._replies.popleft()

    # ── what the transport calls ─────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        self._received += data
        *lines, rest = self._received.split(b"\n")
        self._received = rest
        for line in lines:
            if not line[:3].isdigit() or len(self._lines) > _MOST_LINES:
                self._end(SMTPServerDisconnected(f"what it says is no reply: {bytes(line[:80])!r}"))
                return
            self._lines.append(line[4:].decode("utf-8", "replace").strip())
            if line[3:4] != b"-":
                self._replies.append((int(line[:3]), "\n".join(self._lines)))
                self._lines = []
        if len(rest) > _LONGEST_LINE:
            self._end(SMTPServerDisconnected("it does not come to the end of a line"))
        elif self._replies:
            self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = self._lost or SMTPServerDisconnected(str(exc or "closed by the server"))
        self._wake()

    def _end(self, why: SMTPException) -> None:
        self._lost = self._lost or why
        self.close()
        self._wake()

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            if self._replies or self._lost is None:
                self._awaited.set_result(None)
            else:
                self._awaited.set_exception(self._lost)
