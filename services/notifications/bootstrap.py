"""The composition root of the notifications service."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from services.notifications.chat_rooms import by_desk
from services.notifications.domain.deadlines import DeadlineTable
from services.notifications.domain.recipients import SUPPORT_OFFICE, Desk
from services.notifications.domain.rules import RuleTable
from services.notifications.holding import Holding
from services.notifications.live import Live
from services.notifications.overrides import read_own_texts
from services.notifications.repositories import NotificationsUnitOfWork, prepare_notifications
from services.notifications.settings import NotificationsSettings
from services.notifications.webhooks.addresses import Destinations
from services.notifications.webhooks.lanes import prepare_lanes
from services.notifications.webhooks.subscriptions import Subscriptions
from services.notifications.words import Words
from shared.contracts.catalogue import EVENTS
from shared.contracts.envelope import Event, now
from shared.partnerships import Partnerships
from shared.sealed import Seal
from shared.storage.driver import Client, Database, close, connect
from shared.storage.store import prepare_database
from shared.storage.transactions import Transactions
from shared.storage.unit_of_work import Clock

RULES: Final = Path(__file__).parent / "data" / "rules.yaml"
REMINDERS: Final = RULES.with_name("reminders.yaml")


@dataclass(frozen=True)
class Notifications:
    """All the service is made of."""

    settings: NotificationsSettings
    client: Client
    database: Database
    transactions: Transactions[NotificationsUnitOfWork]
    clock: Clock
    rules: RuleTable
    deadlines: DeadlineTable
    words: Words
    live: Live
    """What is new in inboxes, for those who listen."""
    holding: Holding
    """What is held, for couriers."""
    remarks: dict[str, str]
    """What is to be said on the worker's page of health, though its own work is done."""
    seal: Seal
    subscriptions: Subscriptions
    """The webhook endpoints there are; a worker keeps them current."""
    destinations: Destinations
    """Where webhooks may go."""
    mail_waiting: asyncio.Event
    """Set when there may be mails to send."""
    webhooks_waiting: asyncio.Event
    """Set when there may be events for webhook endpoints."""

    def wake(self) -> None:
        """A batch was committed; the worker calls this."""
        self.mail_waiting.set()
        self.webhooks_waiting.set()

    async def close(self) -> None:
        """Let the database's connections go."""
        await self.live.close()
        await close(self.client)


def load_rules(path: Path = RULES) -> RuleTable:
    """Read the rule table; raises pydantic's ValidationError with the place of what is wrong."""
    return RuleTable.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def load_deadlines(path: Path = REMINDERS) -> DeadlineTable:
    """Read the table of deadlines; raises pydantic's ValidationError with the place of what is wrong."""
    return DeadlineTable.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def require_deadlines_to_fit(deadlines: DeadlineTable, rules: RuleTable, words: Words) -> None:
    """Raises ValueError, naming all that does not fit the contracts, templates and links there are."""
    others = (models for service, models in EVENTS.items() if service != "notifications")
    told: dict[str, type[Event]] = {model.TYPE: model for models in others for model in models}
    if problems := deadlines.problems(told, words.names(), rules.links):
        raise ValueError(f"The table of deadlines does not fit: {'; '.join(problems)}.")


def desks_of(partnerships: Partnerships, support_office: str | None = None) -> dict[str, Desk]:
    """The staff of every partnership, by its id, and the support office, if it has an address."""
    desks = {
        partnership.id: Desk(
            partnership.id,
            partnership.name,
            tuple(contact.email for contact in partnership.staff),
            partnership.auto_accept,
            {contact.email: contact.language for contact in partnership.staff},
        )
        for partnership in partnerships
    }
    if support_office is not None:
        desks[SUPPORT_OFFICE] = Desk(SUPPORT_OFFICE, "the support office", (support_office,))
    return desks


async def bootstrap(
    settings: NotificationsSettings | None = None,
    *,
    client: Client | None = None,
    database: str | None = None,
    clock: Clock = now,
) -> Notifications:
    """Put the service together and prepare its database; `database` names another one than the service's."""
    settings = settings or NotificationsSettings.load()
    client = client or connect(settings.mongo_url.get_secret_value(), settings.mongo_driver)
    store = client[database or settings.database]
    await prepare_database(store)
    await prepare_notifications(store)
    await prepare_lanes(store)

    desks = desks_of(Partnerships.load(settings.partnerships), settings.support_office_email)
    rules, deadlines, chats = load_rules(), load_deadlines(), by_desk(settings.rooms)
    overrides = read_own_texts(settings.texts, desks, rules, deadlines) if settings.texts else None
    words = Words(desks, settings.public_url, overrides=overrides)
    require_deadlines_to_fit(deadlines, rules, words)
    seal, subscriptions = Seal(settings.seal_key), Subscriptions()
    await subscriptions.look(store)
    return Notifications(
        settings=settings,
        client=client,
        database=store,
        transactions=Transactions(
            client,
            store,
            lambda open_store: NotificationsUnitOfWork(
                open_store,
                rules=rules,
                deadlines=deadlines,
                words=words,
                desks=desks,
                seal=seal,
                chats=chats,
                subscriptions=subscriptions,
                clock=clock,
            ),
        ),
        clock=clock,
        rules=rules,
        deadlines=deadlines,
        words=words,
        live=Live(store, streams=settings.inbox_streams, streams_of_one=settings.inbox_streams_of_one),
        holding=Holding(store),
        remarks={},
        seal=seal,
        subscriptions=subscriptions,
        destinations=settings.destinations,
        mail_waiting=asyncio.Event(),
        webhooks_waiting=asyncio.Event(),
    )
