"""The relay: publishes a service's outbox to Kafka, in order, until the broker has confirmed.

One relay a service is active, by a lease in the service's database. Two that overlap for a moment
publish duplicates, which every consumer's inbox absorbs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from shared.messaging.outbox import unpack
from shared.messaging.topics import MAX_DEAD_LETTER_BYTES
from shared.observability import OUTBOX_OLDEST_SECONDS, OUTBOX_PUBLISHED, RELAY_ACTIVE
from shared.settings import KafkaSettings
from shared.storage.driver import Database, Document, watch
from shared.storage.lease import Lease
from shared.storage.store import OUTBOX

_log = structlog.get_logger(__name__)

POLL_S = 1.0
ROWS_AT_ONCE = 40


class Relay:
    """Publishes one service's outbox; run it in every worker, one of them is active."""

    def __init__(self, service: str, database: Database, kafka: KafkaSettings) -> None:
        self._service = service
        self._database = database
        self._kafka = kafka
        self._lease = Lease("relay", database)
        self._wake = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None
        self.failing_since: float | None = None
        """Monotonic time since which nothing could be published; None when all is well."""

    def wake(self) -> None:
        """There may be something new."""
        self._wake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until told to stop; never gives up on a row."""
        watcher = asyncio.create_task(self._watch())
        pause = 0.05
        try:
            while not stopping.is_set():
                try:
                    if await self._hold_lease():
                        await self._publish_all(stopping)
                    self.failing_since = None
                    pause = 0.05
                except (KafkaError, PyMongoError, OSError) as error:
                    self.failing_since = self.failing_since or time.monotonic()
                    _log.warning("relay_retries", error=repr(error), pause_s=pause)
                    await self._drop_producer()
                    await asyncio.sleep(pause)
                    pause = min(5.0, pause * 2)
                    continue
                await self._wait(stopping)
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await watcher
            await self._drop_producer()
            await self._lease.let_go()
            RELAY_ACTIVE.labels(self._service).set(False)

    async def _wait(self, stopping: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), POLL_S)
        self._wake.clear()

    async def _watch(self) -> None:
        """Let rows written by other processes wake the relay; polling covers what this misses."""
        pipeline: list[Document] = [{"$match": {"operationType": "insert"}}, {"$project": {"_id": 1}}]
        while True:
            try:
                async with await watch(self._database[OUTBOX], pipeline) as stream:
                    async for _ in stream:
                        self._wake.set()
            except (PyMongoError, OSError) as error:
                _log.debug("outbox_watch_retries", error=repr(error))
                await asyncio.sleep(POLL_S)

    async def _hold_lease(self) -> bool:
        held = await self._lease.hold()
        RELAY_ACTIVE.labels(self._service).set(held)
        return held

    async def _publish_all(self, stopping: asyncio.Event) -> None:
        outbox = self._database[OUTBOX]
        while not stopping.is_set() and await self._hold_lease():
            rows = await outbox.find().sort("position", 1).limit(ROWS_AT_ONCE).to_list(None)
            self._note_oldest(rows)
            if not rows:
                return
            await self._publish(rows)
            await outbox.delete_many({"_id": {"$in": [row["_id"] for row in rows]}})
            if len(rows) < ROWS_AT_ONCE:
                self._note_oldest([])
                return

    async def _publish(self, rows: list[Document]) -> None:
        producer = await self._ready_producer()
        confirmations = []
        for row in rows:
            for message in unpack(row):
                confirmation = await producer.send(
                    message.topic, message.value, key=message.key, headers=list(message.headers)
                )
                confirmations.append(confirmation)
        await asyncio.gather(*confirmations)
        OUTBOX_PUBLISHED.labels(self._service).inc(len(confirmations))

    def _note_oldest(self, rows: list[Document]) -> None:
        age = time.time() - rows[0]["position"].time if rows else 0.0
        OUTBOX_OLDEST_SECONDS.labels(self._service).set(max(0.0, age))

    async def _ready_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._kafka.client_options(),
                client_id=f"cxc-{self._service}-relay",
                acks="all",
                enable_idempotence=True,
                max_batch_size=256 * 1024,
                max_request_size=2 * MAX_DEAD_LETTER_BYTES,
                request_timeout_ms=15000,
            )
            await producer.start()
            self._producer = producer
        return self._producer

    async def _drop_producer(self) -> None:
        """Let go of the producer; what it had not confirmed is still in the outbox."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), timeout=3.0)
