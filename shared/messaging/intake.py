"""The intake: one Kafka consumer whose batches go to lanes, with offsets committed only afterwards.

A partition is always in the same lane, so its order holds; every lane fetches for itself, so one
that waits for the database holds up no other. Offsets are committed for what the batch consumer
has settled, every quarter of a second, at a rebalance and at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalGenerationError, KafkaError, RebalanceInProgressError

from shared.messaging.consumer import Consume
from shared.messaging.message import Message
from shared.messaging.topics import ServiceName, group
from shared.observability import CONSUMER_LAG
from shared.settings import ServiceSettings

_log = structlog.get_logger(__name__)

COMMIT_EVERY_S = 0.25
FETCH_WAIT_MS = 1000


class Batch(NamedTuple):
    """Messages of one lane, fetched under one assignment."""

    epoch: int
    messages: list[Message]


@dataclass
class Lane:
    """One line of batches, each handled before the next; `channel` hands them to the lane's agent."""

    number: int
    channel: Any
    agent_ready: asyncio.Event = field(default_factory=asyncio.Event)
    partitions: list[TopicPartition] = field(default_factory=list)


class Intake(ConsumerRebalanceListener):  # type: ignore[misc]
    """Fetches a service's topics for its lanes and commits what they have settled."""

    def __init__(
        self,
        service: ServiceName,
        settings: ServiceSettings,
        topics: Sequence[str],
        lanes: Sequence[Lane],
        consume: Consume,
    ) -> None:
        self._service = service
        self._settings = settings
        self._topics = list(topics)
        self._lanes = lanes
        self._consume = consume
        self._consumer: AIOKafkaConsumer | None = None
        self._epoch = 0
        self._assigned: set[TopicPartition] = set()
        self._settled: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._began_at: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._fetchers: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with the exception that stopped the intake for good."""
        self.joined = False
        self.progressed_at = time.monotonic()

    # ── life ─────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Join the group; fetching begins with the first assignment."""
        for lane in self._lanes:
            await lane.agent_ready.wait()
        timeout_ms = int(self._settings.session_timeout_s * 1000)
        self._consumer = AIOKafkaConsumer(
            **self._settings.kafka.client_options(),
            client_id=f"cxc-{self._service}-worker",
            group_id=group(self._service),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=timeout_ms,
            heartbeat_interval_ms=timeout_ms // 4,
            rebalance_timeout_ms=2 * timeout_ms,
            # A lane may wait for the database for as long as it takes; that is no reason to leave.
            max_poll_interval_ms=24 * 3600 * 1000,
            fetch_max_wait_ms=250,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        self._consumer.subscribe(topics=self._topics, listener=self)
        await self._consumer.start()
        self._tasks = [asyncio.create_task(self._commit_regularly()), asyncio.create_task(self._note_lag())]
        for task in self._tasks:
            task.add_done_callback(self._note_failure)

    async def stop(self) -> None:
        """Stop fetching, let what is in flight finish (within the session timeout), commit, leave."""
        for task in self._tasks:
            task.cancel()
        await self._let_go()
        if self._consumer is not None:
            with contextlib.suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(self._consumer.stop(), timeout=5.0)

    def pause(self) -> None:
        """Fetch nothing new until `resume`; the worker stays in its group."""
        self._open.clear()

    def resume(self) -> None:
        """Fetch again."""
        self._open.set()

    @property
    def paused(self) -> bool:
        """Whether operators have paused the intake."""
        return not self._open.is_set()

    @property
    def busy(self) -> bool:
        """Whether a batch is being handled."""
        return self._in_flight > 0

    # ── lanes ────────────────────────────────────────────────────────────────────────────────

    async def settle(self, batch: Batch) -> None:
        """Handle one batch of a lane; called by the lane's agent."""
        if batch.epoch != self._epoch:
            return  # fetched before a rebalance; whoever has the partition now fetches it again
        self._in_flight += 1
        self._idle.clear()
        try:
            await self._consume(batch.messages)
            # Of each partition the last is the highest.
            last = {(message.topic, message.partition): message.offset for message in batch.messages}
            for place, offset in last.items():
                partition = TopicPartition(*place)
                if partition in self._assigned:
                    self._settled[partition] = max(self._settled.get(partition, 0), offset + 1)
            self.progressed_at = time.monotonic()
        except Exception as error:
            self._fail(error)
            raise
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._idle.set()

    async def _fetch(self, lane: Lane, epoch: int) -> None:
        while True:
            await self._open.wait()
            messages = await self._next_messages(lane.partitions)
            # A pause may have come while it waited for messages: these stay in hand until `resume`.
            await self._open.wait()
            if messages:
                await lane.channel.put(Batch(epoch, messages))

    async def _next_messages(self, partitions: list[TopicPartition]) -> list[Message]:
        """Up to a full batch; one that is not full lingers a moment for more."""
        assert self._consumer is not None
        wanted = self._settings.batch_size
        records = await self._consumer.getmany(*partitions, timeout_ms=FETCH_WAIT_MS, max_records=wanted)
        messages = _messages(records)
        if messages and len(messages) < wanted and self._settings.linger_ms:
            await asyncio.sleep(self._settings.linger_ms / 1000)
            more = await self._consumer.getmany(*partitions, timeout_ms=0, max_records=wanted - len(messages))
            messages += _messages(more)
        return messages

    # ── assignment ───────────────────────────────────────────────────────────────────────────

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Finish what is in flight, commit it, let go of the rest."""
        await self._let_go()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Deal the partitions out to the lanes and start fetching."""
        self._assigned = set(assigned)
        self.joined = True
        self.progressed_at = time.monotonic()
        for lane in self._lanes:
            lane.partitions = []
        for place, partition in enumerate(sorted(assigned)):
            self._lanes[place % len(self._lanes)].partitions.append(partition)
        self._fetchers = [
            asyncio.create_task(self._fetch(lane, self._epoch)) for lane in self._lanes if lane.partitions
        ]
        for task in self._fetchers:
            task.add_done_callback(self._note_failure)
        _log.info("partitions_assigned", count=len(assigned))

    async def _let_go(self) -> None:
        self._epoch += 1
        for task in self._fetchers:
            task.cancel()
        self._fetchers = []
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout=self._settings.session_timeout_s)
        await self._commit()
        for partition in self._assigned:
            with contextlib.suppress(KeyError):
                CONSUMER_LAG.remove(self._service, partition.topic, str(partition.partition))
        self._assigned = set()
        self._settled = {}
        self._committed = {}
        self._began_at = {}
        self._ends = {}

    # ── offsets ──────────────────────────────────────────────────────────────────────────────

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_EVERY_S)
            await self._commit()

    async def _commit(self) -> None:
        new = {
            partition: offset
            for partition, offset in self._settled.items()
            if self._committed.get(partition) != offset
        }
        if not new or self._consumer is None:
            return
        try:
            await self._consumer.commit(new)
            self._committed.update(new)
        except (CommitFailedError, IllegalGenerationError, RebalanceInProgressError) as error:
            _log.info("offsets_left_to_next_owner", error=type(error).__name__)
        except KafkaError as error:
            _log.warning("offsets_not_committed", error=repr(error))

    def lag(self) -> dict[TopicPartition, int]:
        """Messages behind the end of each assigned partition, as of the last second."""
        return {
            partition: max(0, end - self._settled.get(partition, self._began_at[partition]))
            for partition, end in self._ends.items()
        }

    async def _note_lag(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            with contextlib.suppress(KafkaError):
                await self._note_offsets()
            for partition, lag in self.lag().items():
                CONSUMER_LAG.labels(self._service, partition.topic, str(partition.partition)).set(lag)

    async def _note_offsets(self) -> None:
        """Ask the broker where the partitions end, once also where this worker began in them.

        Not what fetching knows of the ends: where that is stuck, there would seem to be no lag.
        """
        assert self._consumer is not None
        epoch, assigned = self._epoch, sorted(self._assigned)
        began_at: dict[TopicPartition, int] = {}
        if new := [partition for partition in assigned if partition not in self._began_at]:
            # What was committed may be of before the first message that is still kept.
            first = await self._consumer.beginning_offsets(new)
            for partition in new:
                began_at[partition] = max(first[partition], await self._consumer.committed(partition) or 0)
        ends = await self._consumer.end_offsets(assigned) if assigned else {}
        if (
            epoch == self._epoch
        ):  # else read across a rebalance, before its commit: it would show lag for ever
            self._began_at |= began_at
            self._ends = ends

    # ── failure ──────────────────────────────────────────────────────────────────────────────

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)


def _messages(records: dict[TopicPartition, list[Any]]) -> list[Message]:
    return [Message.of(record) for partition in records.values() for record in partition]
