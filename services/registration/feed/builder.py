"""Builds the feed beside the worker's lanes: reads every event topic and writes what it finds.

One worker does it, by a lease. It reads without a consumer group: its offsets lie beside the feed,
where they change in the same transaction. Kafka is asked to answer with much at once, or after a
fifth of a second, so that a quiet hour costs little and a busy one few transactions.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from prometheus_client import Gauge

from services.registration.feed.erasure import go_on_erasing
from services.registration.feed.writer import FeedWriter
from shared.messaging import topics
from shared.messaging.message import Message
from shared.pace import Pace
from shared.settings import KafkaSettings
from shared.storage.driver import Database
from shared.storage.lease import Lease

if TYPE_CHECKING:
    from services.registration.bootstrap import Registering

_log = structlog.get_logger(__name__)

FEED_ACTIVE = Gauge("cxc_feed_active", "1 in the worker that builds the feed")
FEED_LAG = Gauge("cxc_feed_lag", "Messages of the event topics that the feed has not read")
FEED_DELAY_SECONDS = Gauge(
    "cxc_feed_delay_seconds", "From an event published to its number given, the longest of the last batch"
)

EVENT_TOPICS: Final = tuple(topics.events(service) for service in topics.PUBLISHERS)
BATCH: Final = 2000
FETCH_WAIT_MS: Final = 200
FETCH_BYTES: Final = 4 * 1024 * 1024
LOOK_AGAIN_S: Final = 30.0
"""How often it looks for new partitions, and for erasures that were not finished."""
REST_WHEN_BUSY: Final = 20.0
REST_WHEN_IDLE: Final = 4.0
LONGEST_REST_S: Final = 1.0
"""The longer it rests, the larger and so the cheaper are its batches."""
STAND_BY_S: Final = 2.0
LONGEST_PAUSE_S: Final = 10.0


async def build_feed(root: Registering, stopping: asyncio.Event) -> None:
    """Build the feed until told to stop; a companion of the worker's lanes."""
    await FeedBuilder(root.database, root.settings.kafka).run(stopping)


class FeedBuilder:
    """Reads the event topics into the feed; run it in every worker, one of them is active."""

    def __init__(
        self, database: Database, kafka: KafkaSettings, *, event_topics: Sequence[str] = EVENT_TOPICS
    ) -> None:
        self._database = database
        self._kafka = kafka
        self._topics = event_topics
        self._lease = Lease("feed", database)
        self._pace = Pace(idle=REST_WHEN_IDLE, busy=REST_WHEN_BUSY, longest_s=LONGEST_REST_S)
        self._writer: FeedWriter | None = None
        self._source: _Source | None = None
        self._looked_at = float("-inf")

    async def run(self, stopping: asyncio.Event) -> None:
        """Build until told to stop; whatever goes wrong, it begins again where the feed ends."""
        pause = 0.1
        try:
            while not stopping.is_set():
                try:
                    if await self._lease.hold():
                        FEED_ACTIVE.set(1)
                        await self._step()
                    else:
                        await self._close()
                        await asyncio.sleep(STAND_BY_S)
                    pause = 0.1
                except Exception as error:  # noqa: BLE001 - the lanes beside it go on, and so will the feed
                    _log.warning("feed_retries", error=repr(error)[:300], pause_s=pause)
                    await self._close()
                    await asyncio.sleep(pause)
                    pause = min(LONGEST_PAUSE_S, pause * 2)
        finally:
            await self._close()
            await self._lease.let_go()

    async def _step(self) -> None:
        """Write what has come, if anything has within half a second."""
        if self._writer is None:
            self._writer = await FeedWriter.open(self._database)
        if self._source is None or time.monotonic() - self._looked_at > LOOK_AGAIN_S:
            await self._look_for_partitions(self._writer)
        source = self._source
        if source is None:
            await asyncio.sleep(STAND_BY_S)
            return
        try:
            messages = await source.next_messages()
        except OffsetOutOfRangeError as error:
            for place in error.args[0]:
                beginning = await source.beginning(place)
                await self._writer.note_gap(place.topic, place.partition, beginning)
            await self._close_source()
            return
        if self._writer.erasing:
            self._writer.erasing = await go_on_erasing(self._database)
        async with self._pace:
            if messages:
                await self._writer.write(messages)
                oldest = min(message.timestamp_ms for message in messages)
                FEED_DELAY_SECONDS.set(max(0.0, time.time() - oldest / 1000))
            else:
                FEED_DELAY_SECONDS.set(0)
            FEED_LAG.set(source.lag(self._writer.offsets))

    async def _look_for_partitions(self, writer: FeedWriter) -> None:
        self._looked_at = time.monotonic()
        writer.erasing = True
        if self._source is None:
            self._source = await _Source.connect(self._kafka)
        places = await self._source.partitions_of(self._topics)
        if not places:
            await self._close_source()
            _log.warning("feed_waits_for_topics", topics=list(self._topics))
        elif places != self._source.places:
            for place, beginning in (await self._source.beginnings(places)).items():
                known = writer.offsets.get((place.topic, place.partition))
                if known is not None and known < beginning:
                    await writer.note_gap(place.topic, place.partition, beginning)
                # A partition that is new here is read from what it still holds.
                writer.offsets.setdefault((place.topic, place.partition), beginning)
            self._source.read_from({place: writer.offsets[place.topic, place.partition] for place in places})

    async def _close(self) -> None:
        """Forget everything: what is stored is true, and read again."""
        FEED_ACTIVE.set(0)
        self._writer = None
        await self._close_source()

    async def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            await source.close()


class _Source:
    """The event topics, read from given offsets; nothing of it is known to Kafka."""

    def __init__(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        self._consumer = consumer
        self._admin = admin
        self.places: set[TopicPartition] = set()

    @classmethod
    async def connect(cls, kafka: KafkaSettings) -> _Source:
        """Connected, and not reading yet."""
        consumer = AIOKafkaConsumer(
            **kafka.client_options(),
            client_id="cxc-registration-feed",
            enable_auto_commit=False,
            # What is gone is a gap to be recorded, never passed over.
            auto_offset_reset="none",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_min_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=2 * topics.MAX_EVENT_BYTES,
        )
        admin = AIOKafkaAdminClient(**kafka.client_options(), client_id="cxc-registration-feed-topics")
        source = cls(consumer, admin)
        try:
            await admin.start()
            await consumer.start()
        except BaseException:
            await source.close()
            raise
        return source

    async def partitions_of(self, names: Sequence[str]) -> set[TopicPartition]:
        """All partitions of those topics that exist."""
        return {
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await self._admin.describe_topics(list(names))
            for partition in topic["partitions"]
        }

    async def beginnings(self, places: set[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offset each of them still has."""
        found: dict[TopicPartition, int] = await self._consumer.beginning_offsets(list(places))
        return found

    async def beginning(self, place: TopicPartition) -> int:
        """The first offset it still has."""
        return (await self.beginnings({place}))[place]

    def read_from(self, offsets: dict[TopicPartition, int]) -> None:
        """Read these partitions, each from its offset."""
        self.places = set(offsets)
        self._consumer.assign(list(offsets))
        for place, offset in offsets.items():
            self._consumer.seek(place, offset)

    async def next_messages(self) -> list[Message]:
        """What has come, about in the order of time and in the order of each partition."""
        fetched = await self._consumer.getmany(timeout_ms=500, max_records=BATCH)
        in_partitions = ([Message.of(record) for record in records] for records in fetched.values())
        return list(heapq.merge(*in_partitions, key=attrgetter("timestamp_ms")))

    def lag(self, offsets: dict[tuple[str, int], int]) -> int:
        """Messages not read yet, as far as the last fetch knew."""
        return sum(
            max(0, (self._consumer.highwater(place) or 0) - offsets.get((place.topic, place.partition), 0))
            for place in self.places
        )

    async def close(self) -> None:
        """Let the connections go."""
        for client in (self._consumer.stop, self._admin.close):
            try:
                await asyncio.wait_for(client(), timeout=3.0)
            except (KafkaError, OSError, TimeoutError) as error:
                _log.debug("feed_source_not_closed", error=repr(error))
