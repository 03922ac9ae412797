"""Where notifications are kept, and the unit of work that has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pymongo import DESCENDING

from services.notifications.domain.notification import Notification, NotificationState
from services.notifications.domain.recipients import Desk
from services.notifications.domain.rules import Channel, RuleTable
from services.notifications.outgoing import PENDING
from shared.contracts.envelope import now
from shared.erasure import Erasures, prepare_erasures
from shared.sealed import Seal
from shared.storage.driver import Database, Document
from shared.storage.store import Store
from shared.storage.unit_of_work import Clock, Repository, UnitOfWork

if TYPE_CHECKING:
    from services.notifications.words import Words

_MENTIONING: Document = {"mentions.0": {"$exists": True}}


async def prepare_notifications(database: Database) -> None:
    """Make the service's own indexes; safe to call again and at once."""
    collection = database[Notification.COLLECTION]
    await collection.create_index([("channel", 1), ("due_at", 1)], partialFilterExpression=PENDING)
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
