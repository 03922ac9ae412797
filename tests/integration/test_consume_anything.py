"""Whatever is written to the inbox, on real MongoDB, which stores less than memory does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.registration.handlers import handlers
from shared.messaging.consumer import BatchConsumer
from shared.messaging.message import Message
from shared.messaging.outbox import unpack
from tests.contracts.anything import messages
from tests.integration.apis import everything, running_root, settings_of
from tests.unit.registration.test_consume_anything import each_ends_in_one_way, neighbour

pytestmark = pytest.mark.integration


@pytest.fixture
async def root(mongo_url: str, database: str) -> AsyncIterator[Any]:
    async with running_root("registration", settings_of("registration", mongo_url), database) as running:
        yield running


@given(batch=st.lists(messages, min_size=20, max_size=60))
@settings(
    deadline=None,
    max_examples=12,
    # The same test on memory makes what it finds smaller; here that would take minutes.
    phases=[Phase.generate],
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
async def test_each_message_ends_in_one_way_and_a_second_delivery_changes_nothing(
    root: Any, batch: list[Message]
) -> None:
    for name in await root.database.list_collection_names():
        await root.database[name].delete_many({})
    placed = [
        message._replace(offset=offset)
        for offset, message in enumerate([neighbour("first"), *batch, neighbour("last")])
    ]
    consumer = BatchConsumer(handlers, root.transactions)
    await consumer.consume(placed)
    stored = await everything(root.database)
    rows = sorted(stored["outbox"], key=lambda row: row["position"])
    outbox = [sent for row in rows for sent in unpack(row)]
    each_ends_in_one_way(placed, outbox, {mark["_id"] for mark in stored["inbox"]})

    await consumer.consume(placed)
    assert await everything(root.database) == stored
