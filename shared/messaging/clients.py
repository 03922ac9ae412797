"""Kafka clients for whoever looks after an installation; what their broker says, in a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NodeNotReadyError,
)

from shared.errors import CxcError
from shared.messaging.topics import MAX_DEAD_LETTER_BYTES
from shared.settings import KafkaSettings

_PATIENCE_MS: Final = 10_000
_WHOLE_MESSAGE: Final = 8 * MAX_DEAD_LETTER_BYTES


class KafkaTrouble(CxcError):
    """Kafka is away, or refused."""

    code = "kafka-trouble"
    status = 503
    title = "Kafka cannot be asked at the moment"


class Broker(Protocol):
    """Who opens clients; each closes with its block."""

    def admin(self) -> AbstractAsyncContextManager[AIOKafkaAdminClient]: ...
    def producer(self, topic: str) -> AbstractAsyncContextManager[AIOKafkaProducer]: ...
    def reader(self, *topics: str) -> AbstractAsyncContextManager[AIOKafkaConsumer]: ...


class KafkaClients:
    """Clients of one cluster. What their server says comes out of their blocks as `KafkaTrouble`."""

    def __init__(self, settings: KafkaSettings, client_id: str) -> None:
        self._settings = settings
        self._client_id = client_id

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """A connected admin client."""
        client = AIOKafkaAdminClient(**self._settings.client_options(), request_timeout_ms=_PATIENCE_MS)
        with self._in_words():
            try:
                await client.start()
                yield client
            finally:
                await client.close()

    @asynccontextmanager
    async def producer(self, topic: str) -> AsyncIterator[AIOKafkaProducer]:
        """A producer for this topic; what it sends is confirmed by all replicas.

        Compressed, so that what once came through the broker's limits comes through again.
        """
        await self._require([topic])
        producer = AIOKafkaProducer(
            **self._settings.client_options(),
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            compression_type="gzip",
            max_request_size=_WHOLE_MESSAGE,
            request_timeout_ms=_PATIENCE_MS,
        )
        with self._in_words():
            try:
                await producer.start()
                yield producer
            finally:
                await producer.stop()

    @asynccontextmanager
    async def reader(self, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer of all partitions of the topics, in no group, so that it disturbs nobody."""
        await self._require(topics)
        consumer = AIOKafkaConsumer(
            *topics,
            **self._settings.client_options(),
            client_id=self._client_id,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_WHOLE_MESSAGE,
            request_timeout_ms=_PATIENCE_MS,
        )
        with self._in_words():
            try:
                await consumer.start()
                yield consumer
            finally:
                await consumer.stop()

    async def _require(self, topics: Sequence[str]) -> None:
        # For a missing topic the clients would wait until their patience ends, then say that Kafka is away.
        async with self.admin() as admin:
            missing = set(topics) - set(await admin.list_topics())
        if missing:
            raise KafkaTrouble(
                f"There is no topic {', '.join(sorted(missing))} at {self._settings.bootstrap}: "
                "'cxc topics apply' creates the platform's."
            )

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except MessageSizeTooLargeError as error:
            raise KafkaTrouble("The message is larger than the topic takes, even compressed.") from error
        except (KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError) as error:
            raise KafkaTrouble(
                f"Kafka does not answer at {self._settings.bootstrap}: see that it runs, and that "
                "CXC_KAFKA_BOOTSTRAP is right."
            ) from error
        except KafkaError as error:
            raise KafkaTrouble(f"Kafka at {self._settings.bootstrap} refused: {error!r}.") from error
