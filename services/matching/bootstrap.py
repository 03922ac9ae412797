"""Puts the matching service together: settings, database, weights, and the pool with its feed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.matching.catalogue import Catalogue
from services.matching.domain.pool import Pool
from services.matching.pool_feed import PoolFeed
from services.matching.repositories import MatchingUnitOfWork, make_indexes
from services.matching.settings import MatchingSettings
from services.matching.weights_on_file import weights_in
from shared.contracts.envelope import now
from shared.partnerships import Partnerships
from shared.sealed import Seal
from shared.storage.driver import Client, Database, close, connect
from shared.storage.store import prepare_database
from shared.storage.transactions import Transactions
from shared.storage.unit_of_work import Clock


@dataclass(frozen=True)
class Matching:
    """The composition root of the matching service."""

    settings: MatchingSettings
    client: Client
    database: Database
    transactions: Transactions[MatchingUnitOfWork]
    partnerships: Partnerships
    pool: Pool
    catalogue: Catalogue
    clock: Clock
    feed: PoolFeed
    feeding: asyncio.Task[None]

    async def close(self) -> None:
        """End the pool's feed and let the database go."""
        # PyMongo can swallow a cancellation, such as one that meets it while it connects.
        while not self.feeding.done():
            self.feeding.cancel()
            await asyncio.wait([self.feeding], timeout=1.0)
        await close(self.client)


async def bootstrap(
    settings: MatchingSettings | None = None,
    *,
    client: Client | None = None,
    database: str | None = None,
    clock: Clock = now,
    browsed: bool = True,
) -> Matching:
    """A working service, its pool loaded; `database` names another database than the service's own.

    `browsed` as for `PoolFeed`: nobody looks through the catalogue of a worker.
    """
    settings = settings or MatchingSettings.load()
    partnerships = Partnerships.load(settings.partnerships)
    weights = weights_in(settings.fit_weights)
    client = client or connect(settings.mongo_url.get_secret_value(), settings.mongo_driver)
    store = client[database or settings.database]
    await prepare_database(store)
    await make_indexes(store)
    pool = Pool()
    catalogue = Catalogue(pool)
    loaded = asyncio.Event()
    feed = PoolFeed(pool, catalogue, store, partnerships, browsed=browsed)
    feeding = asyncio.create_task(feed.follow(loaded), name="pool feed")
    await loaded.wait()
    return Matching(
        settings=settings,
        client=client,
        database=store,
        transactions=Transactions(
            client,
            store,
            lambda open_store: MatchingUnitOfWork(
                open_store,
                partnerships=partnerships,
                weights=weights,
                pool=pool,
                answers=settings.answers,
                invitation_days=settings.invitation_days,
                seal=Seal(settings.seal_key),
                clock=clock,
            ),
        ),
        partnerships=partnerships,
        pool=pool,
        catalogue=catalogue,
        clock=clock,
        feed=feed,
        feeding=feeding,
    )
