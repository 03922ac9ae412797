"""Where notifications are kept: one by one in a unit of work, and by the hundred for the courier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pymongo import DESCENDING, UpdateOne

from services.notifications.domain.delivery import Later, Outcome, Refused
from services.notifications.domain.notification import Notification, NotificationState, moment_text
from services.notifications.domain.recipients import Desk
from services.notifications.domain.rules import Channel, RuleTable
from shared.contracts.envelope import Cause, new_id, now
from shared.contracts.notifications import NotificationFailed, NotificationSent
from shared.erasure import Erasures, prepare_erasures
from shared.sealed import Seal
from shared.storage.driver import Client, Database, Document, transaction
from shared.storage.store import MongoStore, Store
from shared.storage.unit_of_work import Clock, Repository, UnitOfWork, because_of

if TYPE_CHECKING:
    from services.notifications.words import Words

_PENDING = {"state": NotificationState.PENDING.value}
_MENTIONING: Document = {"mentions.0": {"$exists": True}}


async def prepare_notifications(database: Database) -> None:
    """Make the service's own indexes; safe to call again and at once."""
    collection = database[Notification.COLLECTION]
    await collection.create_index("due_at", partialFilterExpression=_PENDING)
    await collection.create_index(
        [("recipient_key", 1), ("_id", DESCENDING)],
        partialFilterExpression={"channel": Channel.INBOX.value},
    )
    await collection.create_index([("about", 1), ("_id", DESCENDING)])
    await collection.create_index([("partnerships", 1), ("_id", DESCENDING)])
    await collection.create_index("mentions", partialFilterExpression=_MENTIONING)
    await prepare_erasures(database)


class NotificationRepository(Repository[Notification]):
    """Notifications, newest fact first."""

    model = Notification

    async def inbox(
        self, key: str, *, unread: bool, about: str | None, limit: int, after: str | None
    ) -> list[Notification]:
        """What lies in a recipient's inbox."""
        where: Document = {"recipient_key": key, "channel": Channel.INBOX.value}
        if unread:
            where["read_at"] = None
        return await self._newest(where, about, limit, after)

    async def log(
        self,
        partnership: str | None,
        *,
        state: NotificationState | None,
        channel: Channel | None,
        about: str | None,
        limit: int,
        after: str | None,
    ) -> list[Notification]:
        """What was told to anyone, of one partnership's cases or of all."""
        where: Document = {}
        if partnership is not None:
            where["partnerships"] = partnership
        if state is not None:
            where["state"] = state.value
        if channel is not None:
            where["channel"] = channel.value
        return await self._newest(where, about, limit, after)

    async def naming(self, registration_id: str) -> list[Notification]:
        """Every message about the registration or that may name it, oldest first; new ones of this unit of
        work too."""
        mentioned = {"mentions": registration_id, **_MENTIONING}
        stored = await self._uow.query(
            Notification, {"$or": [{"about": registration_id}, mentioned]}, sort=[("_id", 1)]
        )
        named = {one.id: one for one in (*stored, *self._uow.at_hand(Notification))}
        return [one for one in named.values() if one.names(registration_id)]

    async def _newest(
        self, where: Document, about: str | None, limit: int, after: str | None
    ) -> list[Notification]:
        if about is not None:
            where["about"] = about
        if after is not None:
            where["_id"] = {"$lt": after}
        return await self._uow.query(Notification, where, sort=[("_id", DESCENDING)], limit=limit)


class NotificationsUnitOfWork(UnitOfWork):
    """One transaction of this service, with its rules, words and partnerships' desks."""

    def __init__(
        self,
        store: Store,
        *,
        rules: RuleTable,
        words: Words,
        desks: Mapping[str, Desk],
        seal: Seal | None = None,
        clock: Clock = now,
    ) -> None:
        super().__init__(store, service="notifications", clock=clock)
        self.notifications = NotificationRepository(self)
        self.erasures = Erasures(self)
        self.rules = rules
        self.words = words
        self.desks = desks
        self.seal = seal or Seal(None)


class PendingMails:
    """The mails that wait, for one courier.

    They are taken and settled hundreds at a time by conditions on the documents, not one by one as
    aggregates: a mail costs two small writes, and several couriers may take at once.
    """

    def __init__(self, client: Client, database: Database, clock: Clock = now) -> None:
        self._client = client
        self._database = database
        self._mails = database[Notification.COLLECTION]
        self._clock = clock
        self.courier = new_id()
        """Whose mails these are while they are on their way."""

    async def take(self, limit: int, until: datetime) -> list[Notification]:
        """Take due mails, oldest first; unsettled ones come due again at `until`, for any courier."""
        at = moment_text(self._clock())
        due = {**_PENDING, "due_at": {"$lte": at}}
        found = await self._mails.find(due, {"_id": 1}).sort("due_at", 1).limit(limit).to_list(None)
        if not found:
            return []
        ids = [document["_id"] for document in found]
        lease = {"claimed_by": self.courier, "due_at": moment_text(until)}
        await self._mails.update_many({**due, "_id": {"$in": ids}}, {"$set": lease})
        # Another courier may have been faster with some.
        taken = await self._mails.find({**_PENDING, **lease, "_id": {"$in": ids}}).to_list(None)
        return [Notification.from_document(document) for document in taken]

    async def settle(self, outcomes: Sequence[tuple[Notification, Outcome]]) -> None:
        """Write down what became of mails, with their events, in one transaction.

        Those whose lease ran out and which another courier took are left to that one.
        """
        ids = [mail.id for mail, _ in outcomes]
        mine = {**_PENDING, "claimed_by": self.courier}
        async with transaction(self._client) as session:
            found = await self._mails.find(
                {**mine, "_id": {"$in": ids}}, {"_id": 1}, session=session
            ).to_list(None)
            still_mine = {document["_id"] for document in found}
            uow = UnitOfWork(MongoStore(self._database, session), service="notifications", clock=self._clock)
            at = moment_text(uow.now)
            sent: list[str] = []
            others: list[UpdateOne] = []
            for mail, outcome in outcomes:
                if mail.id not in still_mine:
                    continue
                match outcome:
                    case Later(reply, due_at):
                        change: Document = {"due_at": moment_text(due_at), "last_reply": reply}
                    case Refused(reply):
                        change = {
                            "state": NotificationState.FAILED.value,
                            "settled_at": at,
                            "due_at": None,
                            "last_reply": reply,
                        }
                    case _:
                        sent.append(mail.id)
                        self._announce(uow, mail, outcome)
                        continue
                others.append(
                    UpdateOne(
                        {**mine, "_id": mail.id},
                        {"$set": {**change, "claimed_by": None}, "$inc": {"attempts": 1, "version": 1}},
                    )
                )
                self._announce(uow, mail, outcome)
            if sent:
                await self._mails.update_many(
                    {**mine, "_id": {"$in": sent}},
                    {
                        "$set": {
                            "state": NotificationState.SENT.value,
                            "settled_at": at,
                            "due_at": None,
                            "claimed_by": None,
                        },
                        "$inc": {"attempts": 1, "version": 1},
                    },
                    session=session,
                )
            if others:
                await self._mails.bulk_write(others, ordered=False, session=session)
            await uow.commit()

    async def release(self) -> None:
        """Let every mail this courier still holds come due at once, for another one."""
        await self._mails.update_many(
            {**_PENDING, "claimed_by": self.courier},
            {"$set": {"claimed_by": None, "due_at": moment_text(self._clock())}},
        )

    def _announce(self, uow: UnitOfWork, mail: Notification, outcome: Outcome) -> None:
        facts = {
            "notification_id": mail.id,
            "fact_id": mail.fact_id,
            "fact_type": mail.fact_type,
            "about": mail.about,
            "recipient": mail.recipient,
            "partnership": mail.partnership,
        }
        match outcome:
            case Later():
                return
            case Refused(reply):
                # Servers like to repeat the address; it stays in this service.
                reason = reply.replace(mail.address, "the address") if mail.address else reply
                event: NotificationSent | NotificationFailed = NotificationFailed(**facts, reason=reason)
            case _:
                event = NotificationSent(**facts)
        with because_of(Cause(correlation_id=mail.correlation_id, causation_id=mail.fact_id)):
            uow.publish(event, subject=mail.id, sequence=mail.version + 1)
