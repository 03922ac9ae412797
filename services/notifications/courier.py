"""Carries the waiting mails to the mail server, beside the worker's lanes and never in their way.

Mails are taken with a lease, sent over a few lasting connections, and settled in small transactions
a few times a second. A courier that is killed after the server accepted a mail and before that was
written down leaves it to be sent once more, with the same Message-ID: SMTP allows no better. No mail
is sent past its lease, so two couriers never carry the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from aiosmtplib import SMTP, SMTPException
from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from services.notifications.conversation import Conversation, Step
from services.notifications.domain.delivery import Outcome, Refused, RetryPolicy, Sent, Skipped
from services.notifications.domain.letter import Letterhead
from services.notifications.domain.limits import GatheredFor, RecipientLimits
from services.notifications.domain.notification import Notification
from services.notifications.domain.replies import asks_to_slow_down
from services.notifications.domain.switchboard import Outlet
from services.notifications.gate import Gate, Room
from services.notifications.mail_server import Away, ServerAway, smtp_of
from services.notifications.outgoing import Outgoing, surely
from services.notifications.suppressing import Suppressing
from services.notifications.unsubscribing import marks_of, unsubscriptions_of
from shared.contracts.envelope import now
from shared.storage.transactions import worth_another_try
from shared.storage.unit_of_work import Clock

if TYPE_CHECKING:
    from services.notifications.bootstrap import Notifications
    from services.notifications.settings import NotificationsSettings
    from services.notifications.words import Words

_log = structlog.get_logger(__name__)

MAILS = Counter("cxc_mails_total", "Attempts to hand a mail to the server, by what became of it", ["outcome"])
SET_ASIDE = Counter("cxc_mails_set_aside_total", "Mails made to wait for a digest, by why", ["why"])
AWAY = Gauge("cxc_mail_server_away", "1 while a connection cannot be used, by what is in its way", ["why"])
IN_HAND = Gauge("cxc_outgoing_in_hand", "Messages a worker has taken to send", ["channel"])

POLL_S: Final = 1.0
SETTLE_EVERY_S: Final = 0.2
STOP_WITHIN_S: Final = 3.0
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 15.0
BUSY_AT_MOST: Final = 3
"""So often in a row a server may say that it has too much, before that counts as an attempt of the mail."""


class ServerBusy(Exception):
    """The mail server wants less of us: the connection rests, and the attempt does not count at first."""

    def __init__(self, counted: Outcome) -> None:
        super().__init__()
        self.counted = counted


class Addresses(Protocol):
    """Which addresses mails do not reach."""

    async def suppressed(self, mails: Sequence[Notification]) -> Mapping[str, str]:
        """Of these mails, those that cannot arrive, by their ids, and why."""

    async def note(self, mail: Notification, refused: Refused) -> None:
        """The server has said something of this mail's address."""


class Line:
    """One lasting connection to the mail server."""

    def __init__(self, connect: Callable[[], Awaitable[SMTP]], letterhead: Letterhead) -> None:
        self._connect = connect
        self._letterhead = letterhead
        self._conversation: Conversation | None = None
        self._pause_s = FIRST_PAUSE_S

    async def send(self, mail: Notification, policy: RetryPolicy, at: datetime) -> Outcome:
        """Hand over one mail and say what became of it; raises `ServerAway` and `ServerBusy`."""
        attempt = mail.attempt(at)
        try:
            sender = self._letterhead.envelope_sender(mail)
            recipient = self._letterhead.envelope_address(mail)
            letter = self._letterhead.write(mail, at)
        except ValueError as error:
            return Refused(f"no mail can be written to this address: {error}")
        conversation = await self._open()
        try:
            reply = await conversation.hand_over(sender, recipient, letter)
        except (SMTPException, OSError) as error:
            self.close()
            return policy.after_fault(f"connection lost: {error}", attempt)
        if reply.step is Step.SENDER:
            # The server turns down who writes, not to whom: no mail would fare better.
            self.close()
            raise ServerAway(Away.REFUSED, f"it takes no mails from us: {reply.code} {reply.text}")
        outcome = Sent() if reply.taken else policy.after_reply(reply.code, reply.text, attempt)
        if asks_to_slow_down(reply.code, reply.text):
            self.close()
            raise ServerBusy(outcome)
        self._pause_s = FIRST_PAUSE_S
        return outcome

    async def _open(self) -> Conversation:
        if self._conversation is None or not self._conversation.goes_on:
            self._conversation = Conversation.over(await self._connect())
        return self._conversation

    def pause_s(self) -> float:
        """How long to rest before it is tried again: twice as long each time, until there is an answer."""
        paused_s = self._pause_s
        self._pause_s = min(LONGEST_PAUSE_S, 2 * paused_s)
        return paused_s

    def close(self) -> None:
        """Drop the connection."""
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None


class Courier:
    """Takes, sends and settles mails until told to stop; several may run, in one or many processes."""

    def __init__(
        self,
        mails: Outgoing,
        connect: Callable[[], Awaitable[SMTP]],
        letterhead: Letterhead,
        *,
        waiting: asyncio.Event,
        gate: Gate | None = None,
        addresses: Addresses | None = None,
        limits: RecipientLimits | None = None,
        remarks: MutableMapping[str, str] | None = None,
        connections: int = 4,
        batch: int = 200,
        lease: timedelta = timedelta(minutes=5),
        policy: RetryPolicy | None = None,
        clock: Clock = now,
    ) -> None:
        self._mails = mails
        self._lines = [Line(self._connecting(connect), letterhead) for _ in range(connections)]
        self._waiting = waiting
        self._gate = gate
        self._addresses = addresses
        self._limits = limits
        self._remarks = {} if remarks is None else remarks
        self._batch = batch
        self._lease = lease
        self._policy = policy or RetryPolicy()
        self._clock = clock
        self._in_hand: asyncio.Queue[tuple[Notification, datetime] | None] = asyncio.Queue(2 * connections)
        self._finished: asyncio.Queue[tuple[Notification, Outcome | None] | None] = asyncio.Queue()
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
            room = Room(self._batch)
            taken: list[Notification] = []
            mails: list[Notification] = []
            dead: Mapping[str, str] = {}
            try:
                room = await self._gate.ask(self._batch) if self._gate else room
                if room.messages:
                    taken = await self._mails.take(room.messages, until)
                    dead = await self._addresses.suppressed(taken) if self._addresses and taken else {}
                    mails = await self._within_limits(taken, dead)
                if self._gate:
                    await self._gate.give_back(room.messages - len(mails) + len(dead))
            except PyMongoError as error:
                if not worth_another_try(error):
                    raise
                _log.warning("mails_cannot_be_taken", error=repr(error))
            for mail in mails:
                IN_HAND.labels(Outlet.EMAIL).inc()
                if mail.id in dead:
                    self._finish(mail, Skipped(dead[mail.id]))
                else:
                    await self._in_hand.put((mail, until))
            if len(taken) < max(1, room.messages):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._waiting.wait(), min(POLL_S, room.again_in_s or POLL_S))

    async def _within_limits(
        self, taken: Sequence[Notification], dead: Collection[str]
    ) -> list[Notification]:
        """Those that go now; the others are set aside for a digest."""
        at = self._clock()
        through: list[Notification] = []
        aside: dict[GatheredFor, list[Notification]] = {}
        for mail in taken:
            why = None
            if self._limits and mail.id not in dead:
                why = self._limits.next_mail(
                    mail.person, mail.case, at, may_wait=mail.may_wait, since=mail.created_at
                )
            (through if why is None else aside.setdefault(why, [])).append(mail)
        for reason, mails in aside.items():
            await self._mails.set_aside(mails, reason)
            SET_ASIDE.labels(reason.value).inc(len(mails))
        return through

    async def _send(self, line: Line) -> None:
        try:
            while (taken := await self._in_hand.get()) is not None:
                mail, until = taken
                self._finish(mail, await self._carry(line, mail, until))
        finally:
            line.close()

    async def _carry(self, line: Line, mail: Notification, until: datetime) -> Outcome | None:
        """What became of the mail; None where it was left alone, for whoever takes it next."""
        busy = 0
        while not self._stopping.is_set() and self._clock() < until - self._lease / 2:
            if self._gate and await self._gate.is_shut():
                return None
            try:
                return await line.send(mail, self._policy, self._clock())
            except ServerBusy as slower:
                busy += 1
                if busy == BUSY_AT_MOST:
                    return slower.counted
                MAILS.labels("server_busy").inc()
            except ServerAway as away:
                _log.warning("mail_server_away", why=away.why.value, reason=str(away))
                AWAY.labels(away.why.value).set(1)
                self._remarks["mail_server"] = str(away)
                MAILS.labels("server_away").inc()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), line.pause_s())
        return None

    def _connecting(self, connect: Callable[[], Awaitable[SMTP]]) -> Callable[[], Awaitable[SMTP]]:
        async def and_say_so() -> SMTP:
            smtp = await connect()
            AWAY.clear()
            self._remarks.pop("mail_server", None)
            return smtp

        return and_say_so

    def _finish(self, mail: Notification, outcome: Outcome | None) -> None:
        IN_HAND.labels(Outlet.EMAIL).dec()
        if outcome is not None:
            MAILS.labels(type(outcome).__name__.lower()).inc()
        self._finished.put_nowait((mail, outcome))

    async def _settle(self) -> None:
        last = False
        while not last:
            outcomes: list[tuple[Notification, Outcome | None]] = []
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
                write = partial(self._write_down, outcomes)
                await surely(write, else_say="mails_cannot_be_settled", mails=len(outcomes))

    async def _write_down(self, outcomes: Collection[tuple[Notification, Outcome | None]]) -> None:
        left_alone = [mail for mail, outcome in outcomes if outcome is None]
        settled = [(mail, outcome) for mail, outcome in outcomes if outcome is not None]
        if left_alone:
            await self._mails.put_back(left_alone)
        # First, so that a bounce is noted for certain: noted twice, it counts once.
        for mail, outcome in settled:
            if self._addresses and isinstance(outcome, Refused) and outcome.bounce:
                await self._addresses.note(mail, outcome)
        if settled:
            await self._mails.settle(settled)

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


def letterhead_of(settings: NotificationsSettings, words: Words) -> Letterhead:
    """Who writes, as the settings say."""
    return Letterhead(
        settings.mail_from,
        words,
        unsubscriptions=unsubscriptions_of(settings),
        bounces=settings.bounce_mailbox,
        marks=marks_of(settings),
        wishes=f"{settings.public_url.rstrip('/')}/wishes",
    )


async def carry_mails(root: Notifications, stopping: asyncio.Event) -> None:
    """The worker's companion: one courier for the life of the worker."""
    settings = root.settings
    courier = Courier(
        Outgoing(root.client, root.database, clock=root.clock),
        smtp_of(settings),
        letterhead_of(settings, root.words),
        waiting=root.mail_waiting,
        gate=Gate(root.database, Outlet.EMAIL, root.holding, per_second=settings.mails_per_second),
        addresses=Suppressing(root),
        remarks=root.remarks,
        limits=RecipientLimits(settings.mails_per_hour, settings.mails_per_case),
        connections=settings.smtp_connections,
        batch=settings.mail_batch,
        lease=timedelta(seconds=settings.mail_lease_s),
        policy=RetryPolicy(first=timedelta(seconds=settings.mail_first_retry_s)),
        clock=root.clock,
    )
    await courier.run(stopping)
