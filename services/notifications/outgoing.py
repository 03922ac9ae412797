"""The messages that wait to go out, taken and settled by the hundred for a channel's courier."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

import structlog
from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from services.notifications.domain.delivery import Later, Outcome, Refused, Sent, Skipped
from services.notifications.domain.limits import WHY_SET_ASIDE, GatheredFor
from services.notifications.domain.notification import Notification, NotificationState, moment_text
from services.notifications.domain.replies import without_addresses
from services.notifications.domain.rules import Channel
from shared.contracts.envelope import Cause, new_id, now
from shared.contracts.notifications import NotificationFailed, NotificationSent
from shared.storage.driver import Client, Database, Document, transaction
from shared.storage.store import MongoStore
from shared.storage.transactions import worth_another_try
from shared.storage.unit_of_work import Clock, UnitOfWork, because_of

_log = structlog.get_logger(__name__)

PENDING: Final[Document] = {"state": NotificationState.PENDING.value}
ORDER: Final = [("urgency", 1), ("due_at", 1)]
"""In which messages go out: `critical` comes before the others in the alphabet, too."""
_BY_ID: Final = [("_id", 1)]


async def surely(write: Callable[[], Awaitable[None]], *, else_say: str, **of: object) -> None:
    """Write down what became of messages, again and again while the database is away: they have gone out."""
    pause = 0.05
    while True:
        try:
            await write()
            return
        except PyMongoError as error:
            if not worth_another_try(error):
                raise
            _log.warning(else_say, error=repr(error)[:300], **of)
        await asyncio.sleep(pause)
        pause = min(5.0, pause * 2)


class Outgoing:
    """What waits to go out through one channel, for one courier.

    Messages are taken and settled hundreds at a time by conditions on the documents, not one by one as
    aggregates: one costs two small writes, and several couriers may take at once.
    """

    def __init__(
        self,
        client: Client,
        database: Database,
        channel: Channel = Channel.EMAIL,
        clock: Clock = now,
        *,
        address: str | None = None,
    ) -> None:
        """`address` where only what goes there is meant."""
        self._client = client
        self._database = database
        self._messages = database[Notification.COLLECTION]
        self._clock = clock
        of: Document = {**PENDING, "channel": channel.value}
        if address is not None:
            of["address"] = address
        self._waiting: Document = {**of, "settled_at": None}
        self._settled: Document = {**of, "settled_at": {"$ne": None}}
        self.courier = new_id()
        """Whose messages these are while they are on their way."""

    async def take(self, limit: int, until: datetime) -> list[Notification]:
        """Take due messages, critical ones first, then the oldest.

        Unsettled ones come due again at `until`, for any courier.
        """
        at = moment_text(self._clock())
        due = {**self._waiting, "due_at": {"$lte": at}}
        found = await self._messages.find(due, batch_size=limit).sort(ORDER).limit(limit).to_list(None)
        if not found:
            # Of a courier that died after it had written down what became of them.
            await self._finish({"due_at": {"$lte": at}}, hint="outgoing")
            return []
        ids = [document["_id"] for document in found]
        lease = {"claimed_by": self.courier, "due_at": moment_text(until)}
        claim = {**due, "_id": {"$in": ids}}
        claimed = await self._messages.update_many(claim, {"$set": lease}, hint=_BY_ID)
        if claimed.modified_count != len(found):
            # Another courier was faster with some.
            mine = {**self._waiting, **lease, "_id": {"$in": ids}}
            found = await self._messages.find(mine).to_list(None)
        return [Notification.from_document({**document, **lease}) for document in found]

    async def settle(self, outcomes: Sequence[tuple[Notification, Outcome]]) -> None:
        """Write down what became of messages, and the events of it in the same transactions.

        Those whose lease ran out and which another courier took are left to that one.
        """
        later: list[UpdateOne] = []
        announced: list[tuple[Notification, Outcome]] = []
        at = moment_text(self._clock())
        for message, outcome in outcomes:
            match outcome:
                case Later(reply, due_at):
                    change: Document = {
                        "due_at": moment_text(due_at),
                        "last_reply": reply,
                        "tried_at": moment_text(message.tried_at) if message.tried_at else at,
                    }
                    later.append(self._change(message, change, attempts=1))
                case Skipped(reason):
                    change = {
                        "state": NotificationState.SKIPPED.value,
                        "reason": reason,
                        "settled_at": at,
                        "due_at": None,
                    }
                    later.append(self._change(message, change, attempts=0))
                case _:
                    announced.append((message, outcome))
        if later:
            await self._messages.bulk_write(later, ordered=False)
        if announced:
            await self._settle_with_events(announced)
        sent = [message.id for message, outcome in announced if isinstance(outcome, Sent)]
        if sent:
            await self._finish({"claimed_by": self.courier, "_id": {"$in": sent}}, hint=_BY_ID)

    async def _settle_with_events(self, outcomes: Sequence[tuple[Notification, Outcome]]) -> None:
        ids = [message.id for message, _ in outcomes]
        mine = {**self._waiting, "claimed_by": self.courier}
        async with transaction(self._client) as session:
            found = await self._messages.find(
                {**mine, "_id": {"$in": ids}}, {"_id": 1}, batch_size=len(ids), session=session
            ).to_list(None)
            still_mine = {document["_id"] for document in found}
            uow = UnitOfWork(MongoStore(self._database, session), service="notifications", clock=self._clock)
            at = moment_text(uow.now)
            sent: list[str] = []
            refused: list[UpdateOne] = []
            for message, outcome in outcomes:
                if message.id not in still_mine:
                    continue
                self._announce(uow, message, outcome)
                if isinstance(outcome, Refused):
                    change = {
                        "state": NotificationState.FAILED.value,
                        "settled_at": at,
                        "due_at": None,
                        "last_reply": outcome.reply,
                    }
                    refused.append(self._change(message, change, attempts=1))
                else:
                    sent.append(message.id)
            if sent:
                # What an index holds is changed afterwards: in a transaction, MongoDB 6.0 takes 26 µs more
                # for each index the collection has, touched or not; outside of one, 2.
                await self._messages.update_many(
                    {**mine, "_id": {"$in": sent}},
                    {"$set": {"settled_at": at}, "$inc": {"attempts": 1, "version": 1}},
                    session=session,
                    hint=_BY_ID,
                )
            if refused:
                await self._messages.bulk_write(refused, ordered=False, session=session)
            await uow.commit()

    async def _finish(self, which: Document, hint: Any) -> None:
        """Take what is settled out of what waits."""
        await self._messages.update_many(
            {**self._settled, **which},
            {
                "$set": {"state": NotificationState.SENT.value, "due_at": None, "claimed_by": None},
                "$inc": {"version": 1},
            },
            hint=hint,
        )

    def _change(self, message: Notification, change: Document, *, attempts: int) -> UpdateOne:
        return UpdateOne(
            {**self._waiting, "claimed_by": self.courier, "_id": message.id},
            {"$set": {**change, "claimed_by": None}, "$inc": {"attempts": attempts, "version": 1}},
        )

    async def put_back(self, messages: Sequence[Notification]) -> None:
        """Let these come due at once, for any courier: they were not tried, and keep their place."""
        await self._messages.update_many(
            {**self._waiting, "claimed_by": self.courier, "_id": {"$in": [one.id for one in messages]}},
            [{"$set": {"claimed_by": None, "due_at": "$created_at"}}],
        )

    async def set_aside(self, messages: Sequence[Notification], why: GatheredFor) -> None:
        """Have messages of this courier wait for a digest instead."""
        waiting = {
            "state": NotificationState.GATHERED.value,
            "gathered_for": why.value,
            "reason": WHY_SET_ASIDE[why],
            "due_at": moment_text(why.due_at(self._clock())),
            "claimed_by": None,
        }
        await self._messages.update_many(
            {**self._waiting, "claimed_by": self.courier, "_id": {"$in": [one.id for one in messages]}},
            {"$set": waiting, "$inc": {"version": 1}},
        )

    async def release(self) -> None:
        """Let every message this courier still holds come due at once, for another one."""
        await self._messages.update_many(
            {**self._waiting, "claimed_by": self.courier},
            {"$set": {"claimed_by": None, "due_at": moment_text(self._clock())}},
        )

    def _announce(self, uow: UnitOfWork, message: Notification, outcome: Outcome) -> None:
        facts = message.in_events()
        match outcome:
            case Refused(reply):
                # Servers like to repeat the address; it stays in this service.
                reason = without_addresses(reply)
                event: NotificationSent | NotificationFailed = NotificationFailed(**facts, reason=reason)
            case _:
                event = NotificationSent(**facts)
        with because_of(Cause(correlation_id=message.correlation_id, causation_id=message.fact_id)):
            uow.publish(event, subject=message.id, sequence=message.version + 1)
