"""Puts the registration service together: settings, database, policies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.registration.cvs.keeping import BUCKET, Cvs
from services.registration.domain.rule_sets import RuleSets
from services.registration.feed.arrivals import Arrivals
from services.registration.feed.pages import prepare_feed
from services.registration.repositories import RegistrationUnitOfWork, list_older, make_indexes
from services.registration.rules_on_file import rule_sets_in
from services.registration.settings import RegistrationSettings
from shared.contracts.envelope import now
from shared.partnerships import Partnerships
from shared.storage.driver import Client, Database, close, connect
from shared.storage.files import Files
from shared.storage.store import prepare_database
from shared.storage.transactions import Transactions
from shared.storage.unit_of_work import Clock


@dataclass(frozen=True)
class Registering:
    """The composition root of the registration service."""

    settings: RegistrationSettings
    client: Client
    database: Database
    transactions: Transactions[RegistrationUnitOfWork]
    partnerships: Partnerships
    rules: RuleSets
    clock: Clock
    cvs: Cvs
    arrivals: Arrivals

    async def close(self) -> None:
        """Let the database go."""
        await self.arrivals.close()
        await close(self.client)


async def bootstrap(
    settings: RegistrationSettings | None = None,
    *,
    client: Client | None = None,
    database: str | None = None,
    clock: Clock = now,
) -> Registering:
    """A working service; reads rules and partnerships from their files and prepares the database.

    `database` names another database than the service's own.
    """
    settings = settings or RegistrationSettings.load()
    partnerships = Partnerships.load(settings.partnerships)
    rules = rule_sets_in(settings.eligibility_rules, partnerships)
    client = client or connect(settings.mongo_url.get_secret_value(), settings.mongo_driver)
    store = client[database or settings.database]
    await prepare_database(store)
    await make_indexes(store)
    await list_older(store)
    await prepare_feed(store)
    return Registering(
        settings=settings,
        client=client,
        database=store,
        transactions=Transactions(
            client,
            store,
            lambda open_store: RegistrationUnitOfWork(
                open_store,
                rules=rules,
                partnerships=partnerships,
                undo_for=timedelta(minutes=settings.undo_minutes),
                clock=clock,
            ),
        ),
        partnerships=partnerships,
        rules=rules,
        clock=clock,
        cvs=Cvs.in_files(Files(store, BUCKET), max_bytes=settings.cv_max_bytes),
        arrivals=Arrivals(store),
    )
