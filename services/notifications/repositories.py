"""Where notifications are kept, and the unit of work that has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from pymongo import DESCENDING

from services.notifications.domain.deadlines import DeadlineTable
from services.notifications.domain.notification import Notification, NotificationState, moment_text
from services.notifications.domain.recipients import Desk
from services.notifications.domain.reminder import Reminder, ReminderState
from services.notifications.domain.rules import Channel, RuleTable
from services.notifications.domain.switchboard import THE_ONLY, Switchboard
from services.notifications.domain.wishes import Wishes
from services.notifications.outgoing import PENDING
from shared.contracts.envelope import now
from shared.erasure import Erasures, prepare_erasures
from shared.sealed import Seal
from shared.storage.driver import Database, Document
from shared.storage.store import Store
from services.notifications.domain.suppression import AddressState, Suppression, address_key, why_skipped
from shared.storage.unit_of_work import Clock, Repository, UnitOfWork

if TYPE_CHECKING:
    from services.notifications.words import Words

_MENTIONING: Document = {"mentions.0": {"$exists": True}}
_STANDING: Document = {"order": {"$exists": True}}
"""Reminders of what is still to be done."""


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
    await _prepare_reminders(database)
    await prepare_erasures(database)


async def _prepare_reminders(database: Database) -> None:
    reminders = database[Reminder.COLLECTION]
    await reminders.create_index(
        "due_at", partialFilterExpression={"state": ReminderState.SCHEDULED.value}, name="due"
    )
    await reminders.create_index("subjects")
    for seen_by in ("recipients", "partnerships"):
        await reminders.create_index([(seen_by, 1), ("order", 1)], partialFilterExpression=_STANDING)


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
    suppressions = database[Suppression.COLLECTION]
    await suppressions.create_index(
        [("partnership", 1), ("_id", 1)], partialFilterExpression={"state": AddressState.SUPPRESSED.value}
    )
    await suppressions.create_index("registration_id")
    await suppressions.create_index("changed_at")
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

    async def waiting(self, channel: Channel, at: datetime) -> tuple[int, datetime | None]:
        """How many messages are due and not on their way yet, and since when the first of them."""
        due = {**PENDING, "channel": channel.value, "due_at": {"$lte": moment_text(at)}}
        first = await self._uow.rows(Notification, due, ["due_at"], sort=[("due_at", 1)], limit=1)
        if not first:
            return 0, None
        return await self._uow.count(Notification, due), datetime.fromisoformat(first[0]["due_at"])

    async def _newest(
        self, where: Document, about: str | None, limit: int, after: str | None
    ) -> list[Notification]:
        if about is not None:
            where["about"] = about
        if after is not None:
            where["_id"] = {"$lt": after}
        return await self._uow.query(Notification, where, sort=[("_id", DESCENDING)], limit=limit)


class SwitchboardRepository(Repository[Switchboard]):
    """The one switchboard there is."""

    model = Switchboard

    async def the_only(self) -> Switchboard:
        """It, with nothing held where nobody has ever held anything."""
        found = await self.find(THE_ONLY)
        if found is None:
            found = Switchboard(id=THE_ONLY)
            self.add(found)
        return found


class WishesRepository(Repository[Wishes]):
    """The wishes of organisations, desks and seats; their id is the person's."""

    model = Wishes

    async def of(self, persons: Iterable[str]) -> dict[str, Wishes]:
        """By person, those that have any."""
        return {wishes.id: wishes for wishes in await self.get_all(persons)}


class ReminderRepository(Repository[Reminder]):
    """What is still to be said about deadlines."""

    model = Reminder

    async def find_all(self, ids: Iterable[str]) -> list[Reminder | None]:
        """By id, in the order asked for."""
        return await self._uow.find_all(Reminder, ids)

    async def standing(
        self,
        *,
        recipient: str | None,
        partnership: str | None,
        about: str | None,
        limit: int,
        after: str | None,
    ) -> list[Reminder]:
        """Of what is still to be done, the soonest first: of one recipient, one partnership, or all."""
        where: Document = {"order": {"$gt": after} if after else {"$exists": True}}
        if recipient is not None:
            where["recipients"] = recipient
        if partnership is not None:
            where["partnerships"] = partnership
        if about is not None:
            where["subjects"] = about
        return await self._uow.query(Reminder, where, sort=[("order", 1)], limit=limit)

    async def naming(self, registration_id: str) -> list[Reminder]:
        """Every one that names the registration; new ones of this unit of work too."""
        stored = await self._uow.query(Reminder, {"subjects": registration_id})
        named = {one.id: one for one in (*stored, *self._uow.at_hand(Reminder))}
        return [one for _, one in sorted(named.items()) if registration_id in one.mentions]


class NotificationsUnitOfWork(UnitOfWork):
    """One transaction of this service, with its rules, words and partnerships' desks."""

    def __init__(
        self,
        store: Store,
        *,
        rules: RuleTable,
        deadlines: DeadlineTable,
        words: Words,
        desks: Mapping[str, Desk],
        seal: Seal | None = None,
        chats: Collection[str] = (),
        clock: Clock = now,
    ) -> None:
        super().__init__(store, service="notifications", clock=clock)
        self.notifications = NotificationRepository(self)
        self.switchboards = SwitchboardRepository(self)
        self.wishes = WishesRepository(self)
        self.reminders = ReminderRepository(self)
        self.erasures = Erasures(self)
        self.rules = rules
        self.deadlines = deadlines
        self.words = words
        self.desks = desks
        self.seal = seal or Seal(None)
        self.chats = chats
        """The keys of recipients that have a chat room."""
class SuppressionRepository(Repository[Suppression]):
    """Addresses that something came back from."""

    model = Suppression

    async def why_skipped(self, addresses: Iterable[str]) -> dict[str, str]:
        """By address in lower case, why those of them get no mails that mails do not reach."""
        keys = {address_key(address): address.lower() for address in addresses}
        found = await self.get_all(keys)
        return {keys[one.id]: why_skipped(one.reason) for one in found if one.suppressed}

    async def suppressed(
        self, partnership: str | None, *, after: str | None, limit: int
    ) -> list[Suppression]:
        """Those that get no mails now, of one partnership or of all."""
        of: Document = {"partnership": partnership} if partnership is not None else {}
        return await self._page({"state": AddressState.SUPPRESSED.value}, of, after=after, limit=limit)

    async def of_registration(self, registration_id: str) -> list[Suppression]:
        """Those that are of the registration's organisation."""
        return await self._uow.query(Suppression, {"registration_id": registration_id})


        self.suppressions = SuppressionRepository(self)
