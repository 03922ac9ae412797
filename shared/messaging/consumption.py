"""How far the services are behind, by what the broker says of their consumer groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import GroupCoordinatorNotAvailableError

from shared.messaging.clients import Broker
from shared.messaging.topics import group


@dataclass(frozen=True)
class Consumption:
    """A service's consumer group: its workers, and by topic how many messages it is behind."""

    workers: int
    behind: dict[str, int]


async def consumption_of(broker: Broker, services: Sequence[str]) -> dict[str, Consumption]:
    """How far each of the services is behind."""
    async with broker.admin() as admin:
        read = {service: await _group(admin, group(service)) for service in services}
    topics = {topic for _, subscribed, _ in read.values() for topic in subscribed}
    firsts: dict[TopicPartition, int] = {}
    ends: dict[TopicPartition, int] = {}
    if topics:
        async with broker.reader(*topics) as consumer:
            firsts = await consumer.beginning_offsets(consumer.assignment())
            ends = await consumer.end_offsets(consumer.assignment())
    return {
        service: Consumption(
            workers,
            {
                topic: sum(
                    max(0, end - max(committed.get(place, 0), firsts[place]))
                    for place, end in ends.items()
                    if place.topic == topic
                )
                for topic in sorted(subscribed)
            },
        )
        for service, (workers, subscribed, committed) in read.items()
    }


async def _group(admin: AIOKafkaAdminClient, name: str) -> tuple[int, set[str], dict[TopicPartition, int]]:
    """How many members the group has, what they read or have read, and up to where."""
    try:
        offsets = await admin.list_consumer_group_offsets(name)
        (answer,) = await admin.describe_consumer_groups([name])
    except GroupCoordinatorNotAvailableError:
        return 0, set(), {}  # a cluster that never had a group has nobody yet who coordinates them
    committed = {place: offset.offset for place, offset in offsets.items()}
    members = answer.groups[0][5]
    subscribed = {place.topic for place in committed}
    for member in members:
        metadata: bytes = member[3]
        subscribed.update(ConsumerProtocol.METADATA.decode(metadata).subscription if metadata else ())
    return len(members), subscribed, committed
