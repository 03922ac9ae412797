"""Where notifications are kept, and the unit of work that has them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from pymongo import DESCENDING

from services.notifications.domain.deadlines import DeadlineTable
from services.notifications.domain.digest import Mailbox
from services.notifications.domain.fact import ToldFact, UndoneFacts
from services.notifications.domain.notification import (
    DIGEST,
    WAITING,
    Notification,
    NotificationState,
    first_id_at,
    moment_text,
)
from services.notifications.domain.recipients import Desk
from services.notifications.domain.reminder import Reminder, ReminderState
from services.notifications.domain.rules import Channel, RuleTable
from services.notifications.domain.searches import GIVEN, InboxSearch, LogSearch
from services.notifications.domain.suppression import AddressState, Suppression, address_key, why_skipped
from services.notifications.domain.switchboard import THE_ONLY, Switchboard
from services.notifications.domain.wishes import Wishes, desk_of
from services.notifications.outgoing import ORDER, PENDING
from services.notifications.webhooks.repositories import Deliveries, Endpoints
from services.notifications.webhooks.subscriptions import Subscriptions
from shared.contracts.envelope import now
from shared.erasure import Erasures, prepare_erasures
from shared.errors import NotFound
from shared.sealed import Seal
from shared.storage.driver import Database, Document
from shared.storage.store import Store
from shared.storage.unit_of_work import Clock, Repository, UnitOfWork

if TYPE_CHECKING:
    from services.notifications.words import Words

COUNTED: Final = 1000
"""Unread entries that are counted: nobody reads a higher figure, and it is counted often."""

_MENTIONING: Document = {"mentions.0": {"$exists": True}}
_INBOX: Document = {"channel": Channel.INBOX.value}
_ENTRIES: dict[str, Document] = {
    "inbox": {**_INBOX, "archived_at": None},
    "inbox_unread": {**_INBOX, "archived_at": None, "read_at": None},
    "inbox_archived": {**_INBOX, "archived_at": GIVEN},
}


def lying_with(recipient_keys: Iterable[str]) -> Document:
    """What lies in these inboxes, archived or not: in words that their indexes serve."""
    keys = sorted(recipient_keys)
    return {
        "recipient_key": {"$in": keys},
        "$or": [_ENTRIES["inbox"], _ENTRIES["inbox_archived"]],
    }


_NOT_SENT: Document = {
    "state": {
        "$in": [
            NotificationState.CANCELLED.value,
            NotificationState.FAILED.value,
            NotificationState.SKIPPED.value,
        ]
    }
}
"""Few, and what the delivery log is searched for most."""
_ARRIVED: Final = (NotificationState.SENT, NotificationState.DIGESTED)
_GATHERED: Document = {"state": NotificationState.GATHERED.value}
_DIGEST: Document = {"fact_type": DIGEST}
_NO_DIGEST: Document = {"fact_type": {"$ne": DIGEST}}
_STANDING: Document = {"order": {"$exists": True}}
"""Reminders of what is still to be done."""


_MAILBOXES: Final = 200
TOLD_IN_DIGESTS: Final = (
    *("about", "asks", "case", "case_name", "created_at", "kind", "link", "link_label", "mentions"),
    *("pace", "partnerships", "subject"),
)
"""What a digest needs to know of the messages in it."""


async def prepare_notifications(database: Database) -> None:
    """Make the service's own indexes; safe to call again and at once."""
    collection = database[Notification.COLLECTION]
    await collection.create_index([("channel", 1), *ORDER], partialFilterExpression=PENDING, name="outgoing")
    for name, entries in _ENTRIES.items():
        await collection.create_index(
            [("recipient_key", 1), ("_id", DESCENDING)], name=name, partialFilterExpression=entries
        )
    for field in ("about", "case", "correlation_id", "fact_type", "kind", "partnerships"):
        await collection.create_index([(field, 1), ("_id", DESCENDING)])
    for field in ("address", "digest", "recipient_registration"):
        await collection.create_index(
            [(field, 1), ("_id", DESCENDING)], partialFilterExpression={field: GIVEN}
        )
    await collection.create_index([("state", 1), ("_id", DESCENDING)], partialFilterExpression=_NOT_SENT)
    await collection.create_index("mentions", partialFilterExpression=_MENTIONING)
    await _prepare_digests(database)
    await _prepare_reminders(database)
    suppressions = database[Suppression.COLLECTION]
    await suppressions.create_index(
        [("partnership", 1), ("_id", 1)], partialFilterExpression={"state": AddressState.SUPPRESSED.value}
    )
    await suppressions.create_index("registration_id")
    await suppressions.create_index("changed_at")
    await prepare_erasures(database)


async def _prepare_digests(database: Database) -> None:
    messages = database[Notification.COLLECTION]
    await messages.create_index([("due_at", 1), ("channel", 1)], partialFilterExpression=_GATHERED)
    by_mailbox = [("person", 1), ("channel", 1), ("address", 1)]
    await messages.create_index([*by_mailbox, ("due_at", 1)], partialFilterExpression=_GATHERED)
    await messages.create_index([*by_mailbox, ("state", 1)], partialFilterExpression=_DIGEST)


async def _prepare_reminders(database: Database) -> None:
    reminders = database[Reminder.COLLECTION]
    await reminders.create_index(
        "due_at", partialFilterExpression={"state": ReminderState.SCHEDULED.value}, name="due"
    )
    await reminders.create_index("subjects")
    for seen_by in ("recipients", "partnerships"):
        await reminders.create_index([(seen_by, 1), ("order", 1)], partialFilterExpression=_STANDING)


def _gone_out(fact_types: Iterable[str], states: Sequence[NotificationState]) -> Document:
    """Mails and chat messages about facts of these types, in these states."""
    return {
        "fact_type": {"$in": sorted(fact_types)},
        "channel": {"$ne": Channel.INBOX.value},
        "state": {"$in": [state.value for state in states]},
    }


def _first_id_after(moment: datetime) -> str:
    return first_id_at(moment + timedelta(milliseconds=1))


class NotificationRepository(Repository[Notification]):
    """Notifications, newest fact first."""

    model = Notification

    def __init__(self, uow: UnitOfWork) -> None:
        super().__init__(uow)
        self._about: dict[str, dict[str, Notification]] = {}
        """Those at hand, by what they are about and by id."""
        self._read: set[tuple[str, str]] = set()
        """What they are about and the type of fact, of those that were read."""
        self._wanted: set[tuple[str, str]] = set()
        self._round: asyncio.Future[None] | None = None

    async def inbox(self, search: InboxSearch, *, limit: int, after: str | None) -> list[Notification]:
        """What lies in a recipient's inbox."""
        return await self._newest(search.conditions(), limit, after)

    async def entry(self, id: str, key: str) -> Notification:
        """A message to the recipient of that inbox; raises `NotFound` for anybody else's."""
        notification = await self.find(id)
        if notification is None or notification.recipient_key != key:
            raise NotFound(f"There is no notification {id} in your inbox.")
        return notification

    async def unread(self, key: str) -> Counter[str]:
        """How many entries of an inbox are unread, by kind; counted up to `COUNTED` of them."""
        where = InboxSearch(key, unread=True).conditions()
        found = await self._uow.rows(Notification, where, ["kind"], sort=[("_id", DESCENDING)], limit=COUNTED)
        return Counter(entry.get("kind", "") for entry in found)

    async def log(self, search: LogSearch, *, limit: int, after: str | None) -> list[Notification]:
        """What was told to anyone."""
        return await self._newest(search.conditions(), limit, after)

    def add(self, aggregate: Notification) -> None:
        super().add(aggregate)
        self._about.setdefault(aggregate.about, {})[aggregate.id] = aggregate

    async def on_the_way_about(
        self, about: str, matter: str | None, fact_types: Iterable[str], until: datetime
    ) -> list[Notification]:
        """Every mail and chat message about facts of these types until then that has not arrived; new ones of
        this unit of work too."""
        types, before = frozenset(fact_types), _first_id_after(until)
        await self._read_about({(about, fact_type) for fact_type in types})
        found = [
            one
            for one in self._about.get(about, {}).values()
            if one.fact_type in types
            and one.id < before
            and (matter is None or one.matter == matter)
            # New ones that do not wait were never on their way.
            and (one.stored_version or one.state in WAITING)
        ]
        return sorted(found, key=lambda one: one.id)

    async def _read_about(self, wanted: set[tuple[str, str]]) -> None:
        """Have what is on its way about these, by type of fact, at hand; one query for all who ask."""
        if wanted <= self._read:
            return
        self._wanted |= wanted
        if self._round is None:
            self._round = asyncio.ensure_future(self._read_wanted())
        await self._round

    async def _read_wanted(self) -> None:
        # One turn of the loop lets every handler that is ready say what it wants.
        await asyncio.sleep(0)
        wanted, self._wanted, self._round = self._wanted - self._read, set(), None
        where = {
            **_gone_out({fact_type for _, fact_type in wanted}, WAITING),
            "about": {"$in": sorted({about for about, _ in wanted})},
        }
        for one in await self._uow.query(Notification, where):
            self._about.setdefault(one.about, {})[one.id] = one
        self._read |= wanted

    async def heard_of(
        self, about: str, matter: str | None, fact_types: Iterable[str], until: datetime
    ) -> set[Mailbox]:
        """Where mails and chat messages about facts of these types until then have arrived."""
        where = {**_gone_out(fact_types, _ARRIVED), "about": about, "_id": {"$lt": _first_id_after(until)}}
        if matter is not None:
            where["matter"] = matter
        found = await self._uow.rows(Notification, where, ["person", "channel", "address"])
        return {Mailbox(one["person"], Channel(one["channel"]), one.get("address")) for one in found}

    async def told_in_cases_of(self, partnership: str, recipient_keys: Iterable[str]) -> list[str]:
        """Those of these recipients in whose inbox something lies about a case of this partnership."""
        where = {**lying_with(recipient_keys), "partnerships": partnership}
        found = await self._uow.rows(Notification, where, ["recipient_key"])
        return sorted({one["recipient_key"] for one in found})

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

    async def waiting_for_digests(self, at: datetime) -> tuple[int, timedelta]:
        """How many messages wait for a digest, and for how long the first of them has been due."""
        first = await self._uow.rows(Notification, _GATHERED, ["due_at"], sort=[("due_at", 1)], limit=1)
        if not first:
            return 0, timedelta(0)
        overdue = at - datetime.fromisoformat(first[0]["due_at"])
        return await self._uow.count(Notification, _GATHERED), max(overdue, timedelta(0))

    async def due_mailboxes(self, channel: Channel, at: datetime) -> list[Mailbox]:
        """Some of those for which a digest is due, the one that has waited longest first."""
        due = {**_GATHERED, "channel": channel.value, "due_at": {"$lte": moment_text(at)}}
        rows = await self._uow.rows(
            Notification, due, ["person", "address"], sort=[("due_at", 1)], limit=_MAILBOXES
        )
        found = (Mailbox(row["person"], channel, row.get("address")) for row in rows)
        return list(dict.fromkeys(found))

    async def gathered(self, mailbox: Mailbox, due: datetime, *, limit: int) -> list[Notification]:
        """What is to go into a digest for this mailbox by then, what has waited longest first."""
        return await self._uow.query(
            Notification,
            {**_GATHERED, **mailbox._asdict(), **_NO_DIGEST, "due_at": {"$lte": moment_text(due)}},
            sort=[("due_at", 1)],
            limit=limit,
        )

    async def gathered_by_wish(self, persons: Collection[str], *, limit: int) -> list[Notification]:
        """What waits for these persons' digests because they wished so, what is due first first."""
        where = {**_GATHERED, **_NO_DIGEST, "person": {"$in": list(persons)}, "gathered_for": None}
        return await self._uow.query(Notification, where, sort=[("due_at", 1)], limit=limit)

    async def digests_under_way(self, mailbox: Mailbox) -> list[Notification]:
        """Those for this mailbox that are open, or written and have not gone yet; one at the most."""
        where = {**_DIGEST, **mailbox._asdict(), "state": {"$in": [state.value for state in WAITING]}}
        return await self._uow.query(Notification, where)

    async def gone_into(self, digest: str) -> list[Notification]:
        """What was put into a digest."""
        where = {"digest": digest, "state": NotificationState.DIGESTED.value}
        return await self._uow.query(Notification, where)

    async def digested(self, digest: str) -> list[Document]:
        """What was put into a digest by the transactions before this one, as far as its words need it."""
        where = {"digest": digest, "state": NotificationState.DIGESTED.value}
        return await self._uow.rows(Notification, where, TOLD_IN_DIGESTS)

    async def _newest(self, where: Document, limit: int, after: str | None) -> list[Notification]:
        pages = [where, {"_id": {"$lt": after}}] if after is not None else [where]
        return await self._uow.query(Notification, {"$and": pages}, sort=[("_id", DESCENDING)], limit=limit)


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

    async def suppressed_since(self, moment: datetime, *, limit: int) -> list[Suppression]:
        """Some of those that were suppressed then or later, and are."""
        where: Document = {
            "state": AddressState.SUPPRESSED.value,
            "changed_at": {"$gte": moment_text(moment)},
        }
        return await self._uow.query(Suppression, where, limit=limit)

    async def of_registration(self, registration_id: str) -> list[Suppression]:
        """Those that are of the registration's organisation."""
        return await self._uow.query(Suppression, {"registration_id": registration_id})


class WishesRepository(Repository[Wishes]):
    """The wishes of organisations, desks and seats; their id is the person's."""

    model = Wishes

    async def of(self, persons: Iterable[str]) -> dict[str, Wishes]:
        """By person, those that have any."""
        return {wishes.id: wishes for wishes in await self.get_all(persons)}

    async def that_hold_for(self, person: str) -> Wishes | None:
        """Their own, or where a seat has none, its desk's."""
        found = await self.of([person, desk_of(person)])
        return found.get(person) or found.get(desk_of(person))

    async def of_none_but(self, registration_id: str, owners: Iterable[str]) -> list[Wishes]:
        """Those of these organisations that were told of nothing but this registration of theirs."""
        wishes = await self.get_all(sorted(owners))
        if not wishes:
            return []
        others = {
            **lying_with(one.id for one in wishes),
            "recipient_registration": {"$ne": registration_id},
        }
        told = await self._uow.rows(Notification, others, ["recipient_key"])
        return [one for one in wishes if one.id not in {row["recipient_key"] for row in told}]


class ToldFactRepository(Repository[ToldFact]):
    """Which facts were told."""

    model = ToldFact


class UndoneFactsRepository(Repository[UndoneFacts]):
    """Which facts were undone; their id is what they were about, and the matter."""

    model = UndoneFacts


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
        subscriptions: Subscriptions | None = None,
        chats: Mapping[str, Sequence[str]] | None = None,
        clock: Clock = now,
    ) -> None:
        super().__init__(store, service="notifications", clock=clock)
        self.notifications = NotificationRepository(self)
        self.switchboards = SwitchboardRepository(self)
        self.suppressions = SuppressionRepository(self)
        self.wishes = WishesRepository(self)
        self.told_facts = ToldFactRepository(self)
        self.undone_facts = UndoneFactsRepository(self)
        self.reminders = ReminderRepository(self)
        self.endpoints = Endpoints(self)
        self.deliveries = Deliveries(self)
        self.erasures = Erasures(self)
        self.rules = rules
        self.deadlines = deadlines
        self.words = words
        self.desks = desks
        self.seal = seal or Seal(None)
        self.subscriptions = subscriptions or Subscriptions()
        self.chats = chats or {}
        """The chat rooms of recipients that have some, by key."""
