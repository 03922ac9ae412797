"""Reading topics: all that is kept up to now, all that comes from now on, or one message."""

from __future__ import annotations

import heapq
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.messaging.clients import Broker, KafkaTrouble
from shared.messaging.message import Message

_STALLED_AFTER_S = 30.0


async def kept(consumer: AIOKafkaConsumer) -> AsyncIterator[Message]:
    """Every message of a new consumer's topics up to their present ends, in order within a partition.

    The consumer goes on from there. Raises KafkaTrouble when the broker falls silent.
    """
    ends = await consumer.end_offsets(consumer.assignment())
    unread = {place: end for place, end in ends.items() if await consumer.position(place) < end}
    progressed = time.monotonic()
    while unread:
        records = await consumer.getmany(*unread, timeout_ms=500)
        for message in _by_time(records):
            if message.offset < unread[TopicPartition(message.topic, message.partition)]:
                yield message
        # By position and not by offset: the last ones before the end may be marks of a transaction.
        unread = {place: end for place, end in unread.items() if await consumer.position(place) < end}
        if records:
            progressed = time.monotonic()
        elif time.monotonic() - progressed > _STALLED_AFTER_S:
            raise KafkaTrouble("Kafka answers no more: see that it runs, then call this again.")


async def go_to_end(consumer: AIOKafkaConsumer) -> None:
    """Let the consumer read only what is published from now on."""
    # Not by seek_to_end: the reset to the beginning that a new consumer starts with can overtake it.
    for place, end in (await consumer.end_offsets(consumer.assignment())).items():
        consumer.seek(place, end)


async def coming(consumer: AIOKafkaConsumer) -> AsyncIterator[Message]:
    """Every message from the consumer's position on, without end."""
    while True:
        for message in _by_time(await consumer.getmany(timeout_ms=500)):
            yield message


async def message_at(broker: Broker, topic: str, partition: int, offset: int) -> Message | None:
    """The message at this place, or None when there is none or it is no longer kept."""
    place = TopicPartition(topic, partition)
    async with broker.reader(topic) as consumer:
        if place not in consumer.assignment():
            return None
        first = (await consumer.beginning_offsets([place]))[place]
        end = (await consumer.end_offsets([place]))[place]
        if not first <= offset < end:
            return None
        consumer.seek(place, offset)
        while await consumer.position(place) <= offset:
            for message in _by_time(await consumer.getmany(place, timeout_ms=500, max_records=1)):
                return message if message.offset == offset else None
        return None


def _by_time(records: dict[TopicPartition, list[Any]]) -> Iterable[Message]:
    """Fetched records, the partitions brought together by time; the order within one is never changed."""
    partitions = ([Message.of(record) for record in partition] for partition in records.values())
    return heapq.merge(*partitions, key=lambda message: message.timestamp_ms)
