"""Carries messages to chat rooms through Apprise, each room for itself: one that hangs holds up no other.

A courier that is killed after a room took a message and before that was written down leaves it to be
sent once more: chats know no message ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from prometheus_client import Counter
from pydantic import SecretStr
from pymongo.errors import PyMongoError

from services.notifications.chat_rooms import Rooms, without_calls, without_secrets
from services.notifications.domain.delivery import Later, Outcome, Refused, RetryPolicy, Sent
from services.notifications.domain.notification import Notification, moment_text
from services.notifications.domain.rules import Channel
from services.notifications.domain.searches import GIVEN
from services.notifications.domain.switchboard import Outlet
from services.notifications.gate import Gate
from services.notifications.outgoing import PENDING, Outgoing, surely
from shared.contracts.envelope import now
from shared.storage.driver import Client, Database, Document
from shared.storage.transactions import worth_another_try
from shared.storage.unit_of_work import Clock

if TYPE_CHECKING:
    from services.notifications.bootstrap import Notifications

_log = structlog.get_logger(__name__)

CHATS = Counter("cxc_chat_messages_total", "Attempts to say something in a room, by outcome", ["outcome"])

LOOK_EVERY_S: Final = 1.0
GIVE_UP: Final = timedelta(days=1)
"""Later than that, a chat message is no news; the inbox and the mail have told it."""
UNKNOWN_FOR: Final = timedelta(minutes=10)
"""So long a message waits for a worker that knows its room, before it is said to be gone: while workers are
started anew one after the other with another list, some know more than others."""
STOP_WITHIN_S: Final = 3.0


class NoRoom(ValueError):
    """Apprise cannot make anything of a room's URL."""


class Room(Protocol):
    """Where something can be said."""

    async def say(self, message: Notification) -> str | None:
        """Say it; what went wrong, without secrets, or None."""
        ...


class AppriseRoom:
    """A room as Apprise reaches it: Teams, Slack, Matrix, Mattermost, and a hundred others."""

    def __init__(self, name: str, url: SecretStr, *, within_s: float) -> None:
        """Raises `NoRoom` where the URL is none that Apprise knows; nothing is connected to."""
        # Only here, where there are rooms: it takes a third of a second and 40 MB.
        from apprise import Apprise, AppriseAsset, NotifyFormat

        # What they log names the room's URL; what is to be known of an attempt is in its result.
        for teller in ("apprise", "urllib3"):
            logging.getLogger(teller).propagate = False
        asset = AppriseAsset(storage_mode="memory", secure_logging=True, service_timeout=within_s)
        asset.app_id = "ClusterXchange"
        service = Apprise.instantiate(url.get_secret_value(), asset=asset)
        if service is None:
            raise NoRoom(
                f"Apprise makes nothing of the URL of the chat room {name}: see https://appriseit.com/services"
            )
        self._apprise = Apprise(service, asset=asset)
        self._url = url
        self._text = NotifyFormat.TEXT.value
        self._within_s = within_s

    async def say(self, message: Notification) -> str | None:
        """Say it, as plain text; a thread of Apprise's own waits for the server."""
        told = f"{without_calls(message.text)}\n\n{message.link_label}: {message.link}"
        result = await self._apprise.async_notify(
            told, title=without_calls(message.subject), body_format=self._text, timeout=self._within_s
        )
        if result:
            return None
        said = "; ".join(entry.message for entry in result.logs())
        return without_secrets(said or f"it ended with {result.status.name}", self._url)[:500]


class _Carrier:
    """Takes what waits for one room there, message by message."""

    def __init__(
        self,
        name: str,
        room: Room,
        messages: Outgoing,
        gate: Gate,
        *,
        lease: timedelta,
        policy: RetryPolicy,
        clock: Clock,
    ) -> None:
        self._name = name
        self._room = room
        self._messages = messages
        self._gate = gate
        self._lease = lease
        self._policy = policy
        self._clock = clock
        self._failures = 0
        self._rests_until = clock()

    async def carry(self, stopping: asyncio.Event) -> None:
        """All that is due; until the room does not take a message, and then not again for a while."""
        try:
            while not stopping.is_set() and self._rests_until <= self._clock():
                if await self._gate.is_shut() or not await self._carry_next():
                    return
        except PyMongoError as error:
            if not worth_another_try(error):
                raise
            _log.warning("chat_messages_not_carried", room=self._name, error=repr(error)[:300])

    async def _carry_next(self) -> bool:
        found = await self._messages.take(1, self._clock() + self._lease)
        if not found:
            return False
        # What is on its way is brought to its end: a plain restart is not to say it again.
        attempt = asyncio.ensure_future(self._carry_one(found[0]))
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            await asyncio.wait([attempt], timeout=STOP_WITHIN_S)
            attempt.cancel()
            raise

    async def _carry_one(self, message: Notification) -> bool:
        outcome = await self._say(message)
        CHATS.labels(type(outcome).__name__.lower()).inc()
        write = partial(self._messages.settle, [(message, outcome)])
        await surely(write, else_say="chat_message_cannot_be_settled", room=self._name)
        if isinstance(outcome, Later):
            self._failures += 1
            # The room, not the message, is what is wrong as a rule: the others need not try.
            self._rests_until = self._clock() + self._policy.delay(self._failures)
            return False
        self._failures = 0
        return True

    async def _say(self, message: Notification) -> Outcome:
        try:
            wrong = await self._room.say(message)
        except Exception as error:  # noqa: BLE001 - a fault of one of a hundred plug-ins is its room's alone
            wrong = f"Apprise failed: {type(error).__name__}"
        if wrong is None:
            return Sent()
        _log.warning("chat_room_takes_nothing", room=self._name, reason=wrong)
        return self._policy.after_fault(wrong, message.attempt(self._clock()))


class Couriers:
    """Looks which rooms have messages waiting, and has each carried by a task of its own."""

    def __init__(
        self,
        client: Client,
        database: Database,
        rooms: Mapping[str, Room],
        gate: Gate,
        *,
        lease: timedelta,
        policy: RetryPolicy | None = None,
        clock: Clock = now,
    ) -> None:
        """`lease`: longer than a room may take for a message; then that of a dead worker comes due again."""
        self._client = client
        self._database = database
        self._messages = database[Notification.COLLECTION]
        self._clock = clock
        self._lease = lease
        self._carriers = {
            name: _Carrier(
                name,
                room,
                self._outgoing(name),
                gate,
                lease=lease,
                policy=policy or RetryPolicy(give_up=GIVE_UP),
                clock=clock,
            )
            for name, room in rooms.items()
        }
        self._at_work: dict[str, asyncio.Task[None]] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set or the task is cancelled; an error of a room's task is raised."""
        try:
            while not stopping.is_set():
                try:
                    await self._look(stopping)
                except PyMongoError as error:
                    if not worth_another_try(error):
                        raise
                    _log.warning("chat_messages_not_looked_for", error=repr(error)[:300])
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), LOOK_EVERY_S)
        finally:
            for task in self._at_work.values():
                task.cancel()
            await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    async def _look(self, stopping: asyncio.Event) -> None:
        for name in [name for name, task in self._at_work.items() if task.done()]:
            self._at_work.pop(name).result()
        due: Document = {**PENDING, "channel": Channel.CHAT.value, "address": GIVEN}
        due["due_at"] = {"$lte": moment_text(self._clock())}
        for name in await self._messages.distinct("address", due):
            if name not in self._carriers:
                await self._give_up(name)
            elif name not in self._at_work:
                self._at_work[name] = asyncio.create_task(self._carriers[name].carry(stopping))

    async def _give_up(self, name: str) -> None:
        long_ago = {"$lte": moment_text(self._clock() - UNKNOWN_FOR)}
        where = {**PENDING, "channel": Channel.CHAT.value, "address": name, "due_at": long_ago}
        if await self._messages.find_one(where, {"_id": 1}) is None:
            return
        messages = self._outgoing(name)
        for message in await messages.take(100, self._clock() + self._lease):
            await messages.settle([(message, Refused("there is no such chat room any more"))])

    def _outgoing(self, name: str) -> Outgoing:
        return Outgoing(self._client, self._database, Channel.CHAT, self._clock, address=name)


def open_rooms(rooms: Rooms, *, within_s: float) -> dict[str, Room]:
    """The rooms, ready to say something in; raises `NoRoom`."""
    return {name: AppriseRoom(name, url, within_s=within_s) for name, url in rooms.items()}


async def carry_chat(root: Notifications, stopping: asyncio.Event) -> None:
    """The worker's companion: what waits for chat rooms."""
    settings = root.settings
    rooms = open_rooms(settings.rooms, within_s=settings.chat_timeout_s)
    gate = Gate(root.database, Outlet.CHAT, root.holding)
    lease = timedelta(seconds=3 * settings.chat_timeout_s)
    await Couriers(root.client, root.database, rooms, gate, lease=lease).run(stopping)
