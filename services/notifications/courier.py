"""Carries the waiting mails to the mail server, beside the worker's lanes and never in their way.

Mails are taken with a lease, sent over a few lasting connections, and settled in small transactions
a few times a second. A courier that is killed after the server accepted a mail and before that was
written down leaves it to be sent once more, with the same Message-ID: SMTP allows no better. No mail
is sent past its lease, so two couriers never carry the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPResponseException,
    SMTPStatus,
)
from prometheus_client import Counter
from pymongo.errors import PyMongoError

from services.notifications.domain.delivery import Attempt, Outcome, Refused, RetryPolicy, Sent
from services.notifications.domain.letter import Letterhead
from services.notifications.domain.notification import Notification
from services.notifications.outgoing import Outgoing
from shared.contracts.envelope import now
from shared.storage.transactions import worth_another_try
from shared.storage.unit_of_work import Clock

if TYPE_CHECKING:
    from services.notifications.bootstrap import Notifications
    from services.notifications.settings import NotificationsSettings

_log = structlog.get_logger(__name__)

MAILS = Counter("cxc_mails_total", "Attempts to hand a mail to the server, by what became of it", ["outcome"])

POLL_S: Final = 1.0
SETTLE_EVERY_S: Final = 0.2
STOP_WITHIN_S: Final = 3.0
LONGEST_PAUSE_S: Final = 15.0


class ServerAway(Exception):
    """The mail server cannot be reached, or takes no mail from us at all: no mail's fault."""


class Line:
    """One lasting connection to the mail server."""

    def __init__(self, connect: Callable[[], SMTP], letterhead: Letterhead) -> None:
        self._connect = connect
        self._letterhead = letterhead
        self._smtp: SMTP | None = None

    async def open(self) -> None:
        """Connect where that is needed, with TLS and login as configured; raises `ServerAway`."""
        if self._smtp is not None and self._smtp.is_connected:
            return
        smtp = self._connect()
        try:
            await smtp.connect()
            await smtp.ehlo()
        except (SMTPException, OSError) as error:
            smtp.close()
            raise ServerAway(str(error)) from error
        self._smtp = smtp

    async def send(self, mail: Notification, policy: RetryPolicy, at: datetime) -> Outcome:
        """Hand over one mail and say what became of it; raises `ServerAway`."""
        attempt = Attempt(mail.attempts + 1, mail.created_at, at)
        try:
            recipient = self._letterhead.envelope_address(mail)
            letter = self._letterhead.write(mail, at)
        except ValueError as error:
            return Refused(f"no mail can be written to this address: {error}")
        try:
            return await self._hand_over(recipient, letter, policy, attempt)
        except SMTPResponseException as error:
            return policy.after_reply(error.code, error.message, attempt)
        except (SMTPException, OSError) as error:
            self.close()
            return policy.after_fault(f"connection lost: {error}", attempt)

    async def _hand_over(
        self, recipient: bytes, letter: bytes, policy: RetryPolicy, attempt: Attempt
    ) -> Outcome:
        # The commands one by one: aiosmtplib's sendmail parses both addresses twice for each mail.
        smtp = self._smtp
        assert smtp is not None
        code, reply = await smtp.execute_command(b"MAIL", b"FROM:<" + self._letterhead.sender + b">")
        if code != SMTPStatus.completed:
            # The server turns down who writes, not to whom: no mail would fare better.
            self.close()
            raise ServerAway(f"{code} {reply}")
        code, reply = await smtp.execute_command(b"RCPT", b"TO:<" + recipient + b">")
        if code not in (SMTPStatus.completed, SMTPStatus.will_forward):
            await smtp.rset()
            return policy.after_reply(code, reply, attempt)
        await smtp.data(letter)
        return Sent()

    def close(self) -> None:
        """Drop the connection."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


class Courier:
    """Takes, sends and settles mails until told to stop; several may run, in one or many processes."""

    def __init__(
        self,
        mails: Outgoing,
        connect: Callable[[], SMTP],
        letterhead: Letterhead,
        *,
        waiting: asyncio.Event,
        connections: int = 4,
        batch: int = 200,
        lease: timedelta = timedelta(minutes=5),
        policy: RetryPolicy | None = None,
        clock: Clock = now,
    ) -> None:
        self._mails = mails
        self._lines = [Line(connect, letterhead) for _ in range(connections)]
        self._waiting = waiting
        self._batch = batch
        self._lease = lease
        self._policy = policy or RetryPolicy()
        self._clock = clock
        self._in_hand: asyncio.Queue[tuple[Notification, datetime] | None] = asyncio.Queue(2 * connections)
        self._finished: asyncio.Queue[tuple[Notification, Outcome] | None] = asyncio.Queue()
        self._stopping = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set or the task is cancelled; then put down in order what is in hand."""
        taker = asyncio.create_task(self._take())
        senders = [asyncio.create_task(self._send(line)) for line in self._lines]
        settler = asyncio.create_task(self._settle())
        told = asyncio.create_task(stopping.wait())
        parts = [taker, settler, *senders]
        try:
            await asyncio.wait([told, *parts], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._put_down(taker, senders, settler)
            told.cancel()
        for part in parts:
            if not part.cancelled() and (error := part.exception()):
                raise error

    async def _take(self) -> None:
        while True:
            self._waiting.clear()
            until = self._clock() + self._lease
            try:
                mails = await self._mails.take(self._batch, until)
            except PyMongoError as error:
                if not worth_another_try(error):
                    raise
                _log.warning("mails_cannot_be_taken", error=repr(error))
                mails = []
            for mail in mails:
                await self._in_hand.put((mail, until))
            if len(mails) < self._batch:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._waiting.wait(), POLL_S)

    async def _send(self, line: Line) -> None:
        pause = 0.25
        try:
            while (taken := await self._in_hand.get()) is not None:
                mail, until = taken
                while not self._stopping.is_set() and self._clock() < until - self._lease / 2:
                    try:
                        await line.open()
                        outcome = await line.send(mail, self._policy, self._clock())
                    except ServerAway as away:
                        _log.warning("mail_server_away", reason=str(away), pause_s=pause)
                        MAILS.labels("server_away").inc()
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._stopping.wait(), pause)
                        pause = min(LONGEST_PAUSE_S, pause * 2)
                        continue
                    pause = 0.25
                    MAILS.labels(type(outcome).__name__.lower()).inc()
                    self._finished.put_nowait((mail, outcome))
                    break
        finally:
            line.close()

    async def _settle(self) -> None:
        last = False
        while not last:
            outcomes: list[tuple[Notification, Outcome]] = []
            finished = await self._finished.get()
            if finished is not None:
                # Tiny transactions would cost more than the mails.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), SETTLE_EVERY_S)
            while True:
                if finished is None:
                    last = True
                else:
                    outcomes.append(finished)
                if self._finished.empty():
                    break
                finished = self._finished.get_nowait()
            if outcomes:
                await self._settle_surely(outcomes)

    async def _settle_surely(self, outcomes: list[tuple[Notification, Outcome]]) -> None:
        pause = 0.05
        while True:
            try:
                await self._mails.settle(outcomes)
                return
            except PyMongoError as error:
                if not worth_another_try(error):
                    raise
                _log.warning("mails_cannot_be_settled", mails=len(outcomes), error=repr(error))
                await asyncio.sleep(pause)
                pause = min(5.0, pause * 2)

    async def _put_down(
        self, taker: asyncio.Task[None], senders: list[asyncio.Task[None]], settler: asyncio.Task[None]
    ) -> None:
        self._stopping.set()
        taker.cancel()
        while not self._in_hand.empty():
            self._in_hand.get_nowait()
        for _ in senders:
            self._in_hand.put_nowait(None)
        # A mail on its way is brought to its end, so that it is not sent again after a plain restart.
        _, unfinished = await asyncio.wait(senders, timeout=STOP_WITHIN_S)
        self._finished.put_nowait(None)
        _, unsettled = await asyncio.wait([settler], timeout=STOP_WITHIN_S / 2)
        for task in (*unfinished, *unsettled):
            task.cancel()
        await asyncio.gather(taker, *senders, settler, return_exceptions=True)
        with contextlib.suppress(PyMongoError):
            await self._mails.release()


def smtp_of(settings: NotificationsSettings) -> Callable[[], SMTP]:
    """Makes connections to the configured mail server; none is opened yet."""
    return lambda: SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_security == "tls",
        start_tls=settings.smtp_security == "starttls",
        username=settings.smtp_user,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        timeout=settings.smtp_timeout_s,
    )


async def carry_mails(root: Notifications, stopping: asyncio.Event) -> None:
    """The worker's companion: one courier for the life of the worker."""
    settings = root.settings
    courier = Courier(
        Outgoing(root.client, root.database),
        smtp_of(settings),
        Letterhead(settings.mail_from, root.words),
        waiting=root.mail_waiting,
        connections=settings.smtp_connections,
        batch=settings.mail_batch,
        lease=timedelta(seconds=settings.mail_lease_s),
        policy=RetryPolicy(first=timedelta(seconds=settings.mail_first_retry_s)),
    )
    await courier.run(stopping)
