"""Workers of one service share its partitions; adding and removing one under load changes no effect."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol
from prometheus_client.parser import text_string_to_metric_families

from ops.platform import Platform
from shared.contracts.types import EventType
from shared.messaging.topics import ServiceName, group
from tests.e2e.onlooker import Onlooker, notification_of
from tests.e2e.outside import OutsideSystem

pytestmark = pytest.mark.e2e

SCALED: Final[tuple[ServiceName, ...]] = ("registration", "notifications")
AT_ONCE: Final = 20


async def test_workers_come_and_go_under_load_and_every_registration_takes_effect_once(
    platform: Platform, onlooker: Onlooker, outside_system: Callable[[str], OutsideSystem]
) -> None:
    sender = outside_system("scale")
    since = await onlooker.mark()
    async with load_of(sender) as references:
        added = {name: await asyncio.to_thread(platform.start_worker, name) for name in SCALED}
        for service in SCALED:
            await shared_by_two(onlooker, platform, service)
        for service, worker in added.items():
            await handled_some(onlooker, platform, f"{service}-worker")
            await handled_some(onlooker, platform, worker)

        # The first ones go: the added ones have all of it now.
        for service in SCALED:
            await asyncio.to_thread(platform.stop_one, f"{service}-worker")
        so_far = len(references)
        await onlooker.mailed(list(map(sender.address, references[so_far - AT_ONCE :])))

        for service in SCALED:
            await asyncio.to_thread(platform.start_one, f"{service}-worker")
        for service in SCALED:
            await shared_by_two(onlooker, platform, service)
        for worker in added.values():
            await asyncio.to_thread(platform.stop_one, worker)
    await onlooker.drained()

    found = await onlooker.documents("registration", "registrations", {"origin.source": sender.source})
    assert sorted(one["origin"]["reference"] for one in found) == sorted(references)
    assert {one["version"] for one in found} == {2}, "screened once, accepted once"
    ids = {one["_id"] for one in found}
    events = {
        (one.event.id, one.event.type, one.event.subject)
        for one in await onlooker.published(since, "registration")
        if one.event.subject in ids
    }
    assert Counter(subject for _, _, subject in events) == dict.fromkeys(ids, 2)

    mails = [
        notification_of(mail)
        for mail in await onlooker.all_mails()
        if sender.name in mail["To"][0]["Address"]
    ]
    told = await onlooker.documents(
        "notifications", "notifications", {"about": {"$in": list(ids)}, "channel": "email"}
    )
    accepted = [one["address"] for one in told if one["fact_type"] == EventType.REGISTRATION_ACCEPTED]
    assert sorted(accepted) == sorted(map(sender.address, references))
    assert sorted(mails) == sorted(one["_id"] for one in told)
    assert await onlooker.dead_letters(since) == []


@asynccontextmanager
async def load_of(sender: OutsideSystem) -> AsyncIterator[list[str]]:
    """Registrations without a pause while the block lasts; gives the references sent so far."""
    references: list[str] = []
    enough = asyncio.Event()

    async def publish() -> None:
        async with sender.producer() as producer:
            while not enough.is_set():
                some = [f"visitor-{len(references) + number}" for number in range(AT_ONCE)]
                await sender.send(producer, [sender.event(one, sender.visitor(one)) for one in some])
                references.extend(some)
                # As much as two cores handle beside the starting of workers.
                await asyncio.sleep(0.5)

    publishing = asyncio.create_task(publish())
    try:
        yield references
    finally:
        enough.set()
        await publishing


async def shared_by_two(onlooker: Onlooker, platform: Platform, service: ServiceName) -> None:
    """Wait until the group has two members, and each has its part of the partitions."""

    async def shares() -> bool:
        client = AIOKafkaAdminClient(bootstrap_servers=platform.kafka_bootstrap)
        try:
            await client.start()
            (answer,) = await client.describe_consumer_groups([group(service)])
        finally:
            await client.close()
        _, _, state, _, _, members, *_ = answer.groups[0]
        return state == "Stable" and len(members) == 2 and all(part(member[4]) for member in members)

    await onlooker.eventually(f"two workers of {service} share its partitions", shares)


def part(assignment: bytes) -> int:
    """How many partitions a member has."""
    return sum(len(partitions) for _, partitions in ConsumerProtocol.ASSIGNMENT.decode(assignment).assignment)


async def handled_some(onlooker: Onlooker, platform: Platform, worker: str) -> None:
    """Wait until the worker has handled messages of its own."""

    async def has_handled() -> bool:
        async with httpx.AsyncClient() as web:
            page = (await web.get(f"http://127.0.0.1:{platform.port(worker)}/metrics")).text
        return any(
            sample.name == "cxc_messages_consumed_total"
            and sample.labels["outcome"] == "handled"
            and sample.value > 0
            for family in text_string_to_metric_families(page)
            for sample in family.samples
        )

    await onlooker.eventually(f"{worker} has handled messages", has_handled)
