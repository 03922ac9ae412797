"""How far behind a worker says it is: what readiness, alerts and autoscaling go by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka import TopicPartition

from services.registration.settings import RegistrationSettings
from shared.messaging.intake import Intake
from shared.settings import KafkaSettings

PARTITION = TopicPartition("cxc.registration.inbox", 0)


class Broker:
    """What an intake asks its consumer for; `meanwhile` happens while it answers."""

    def __init__(self, first: int, committed: int | None, end: int) -> None:
        self.first, self.offset, self.end = first, committed, end
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.first)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.end)

    async def committed(self, partition: TopicPartition) -> int | None:
        read = self.offset
        if self.meanwhile is not None:
            await self.meanwhile()
        return read

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.offset = offsets[PARTITION]


async def an_intake(broker: Broker) -> Any:
    async def consume(messages: object) -> None: ...

    settings = RegistrationSettings(
        kafka=KafkaSettings(bootstrap="nowhere:1"),
        mongo_url="mongodb://nowhere",
        issuer="https://issuer.example",
        jwks_url="https://issuer.example/keys",
    )
    intake: Any = Intake("registration", settings, [PARTITION.topic], [], consume)
    intake._consumer = broker
    intake._assigned = {PARTITION}
    return intake


@pytest.mark.parametrize(
    ("first", "committed", "lag"),
    [(0, 7, 3), (0, None, 10), (8, 7, 2), (8, None, 2), (0, 10, 0), (0, 12, 0)],
    ids=["behind", "new", "expired", "new-expired", "level", "recreated"],
)
async def test_lag_is_what_is_kept_and_not_committed(first: int, committed: int | None, lag: int) -> None:
    intake = await an_intake(Broker(first, committed, end=10))
    await intake._note_offsets()
    assert intake.lag() == {PARTITION: lag}


async def test_lag_read_across_a_rebalance_is_not_believed() -> None:
    broker = Broker(first=0, committed=7, end=10)
    intake = await an_intake(broker)

    async def rebalance() -> None:
        broker.meanwhile = None
        intake._settled = {PARTITION: 10}
        await intake.on_partitions_revoked({PARTITION})
        intake._assigned = {PARTITION}

    broker.meanwhile = rebalance
    await intake._note_offsets()
    assert intake.lag() == {}
    await intake._note_offsets()
    assert intake.lag() == {PARTITION: 0}
