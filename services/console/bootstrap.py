"""The composition root of the console."""

from __future__ import annotations

from dataclasses import dataclass

from services.console.apis import Apis
from services.console.cases import Cases
from services.console.live import Live
from services.console.rendering import Pages
from services.console.repositories import ConsoleUnitOfWork, prepare_console
from services.console.settings import ConsoleSettings
from services.console.signing_in.sessions import Sessions
from shared.contracts.envelope import now
from shared.messaging.clients import KafkaClients
from shared.partnerships import Partnerships
from shared.storage.driver import Client, Database, close, connect
from shared.storage.store import prepare_database
from shared.storage.transactions import Transactions
from shared.storage.unit_of_work import Clock


@dataclass(frozen=True)
class Console:
    """All the service is made of."""

    settings: ConsoleSettings
    client: Client
    database: Database
    transactions: Transactions[ConsoleUnitOfWork]
    clock: Clock
    partnerships: Partnerships
    apis: Apis
    broker: KafkaClients
    sessions: Sessions
    pages: Pages
    cases: Cases
    """The read model, as pages ask it."""
    live: Live
    """What changes in it, for pages that are open."""

    async def close(self) -> None:
        """Let all connections go."""
        await self.live.close()
        await self.apis.close()
        await close(self.client)


async def bootstrap(
    settings: ConsoleSettings | None = None,
    *,
    client: Client | None = None,
    database: str | None = None,
    clock: Clock = now,
) -> Console:
    """Put the service together and prepare its database; `database` names another one than the service's."""
    settings = settings or ConsoleSettings.load()
    client = client or connect(settings.mongo_url.get_secret_value(), settings.mongo_driver)
    store = client[database or settings.database]
    await prepare_database(store)
    await prepare_console(store)
    partnerships = Partnerships.load(settings.partnerships)
    return Console(
        settings=settings,
        client=client,
        database=store,
        transactions=Transactions(
            client, store, lambda open_store: ConsoleUnitOfWork(open_store, clock=clock)
        ),
        clock=clock,
        partnerships=partnerships,
        apis=Apis(settings),
        broker=KafkaClients(settings.kafka, "cxc-console"),
        sessions=Sessions(store, settings, clock=clock),
        pages=Pages(settings, partnerships),
        cases=Cases(store, partnerships, clock=clock),
        live=Live(store, streams=settings.streams, streams_of_one=settings.streams_of_one),
    )
