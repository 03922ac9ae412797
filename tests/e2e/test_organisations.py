"""A file of real organisations, dirt and all: each row ends with a verdict, or as a refusal.

CXC_TEST_ORGANISATIONS names the file (columns: ops/sample/README.md); without it this is skipped.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.organisations import registrations_from_csv
from shared.contracts.types import EventType
from shared.messaging.topics import SERVICES
from tests.e2e.onlooker import Onlooker
from tests.e2e.outside import TODAY, OutsideSystem

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(1800)
async def test_every_row_of_the_file_is_screened_or_refused_in_words(
    onlooker: Onlooker, outside_system: Callable[[str], OutsideSystem]
) -> None:
    file = os.environ.get("CXC_TEST_ORGANISATIONS")
    if not file:
        pytest.skip("CXC_TEST_ORGANISATIONS names no file of organisations")
    sender = outside_system("organisations")
    rows = list(registrations_from_csv(Path(file), start=TODAY))
    since = await onlooker.mark()
    sent = await sender.publish(*(sender.event(row.reference, row.data) for row in rows))
    await onlooker.drained(within_s=1500)

    ended: dict[str, dict[str, Any]] = {}
    outcomes: Counter[str] = Counter()
    for one in await onlooker.published(since, "registration"):
        data = one.event.data
        match one.event.type:
            case EventType.REGISTRATION_SCREENED:
                event_id, outcome = data["inbox_event_id"], data["verdict"]
            case EventType.REGISTRATION_REFUSED:
                event_id, outcome = data["refused_event_id"], data["type"].rpartition("/")[2]
                assert data["detail"]
            case _:
                continue
        if event_id not in ended:
            outcomes[outcome] += 1
        ended.setdefault(event_id, data)
    faults = Counter(fault["pointer"] for data in ended.values() for fault in data.get("errors", []))
    print(f"{len(rows)} rows: {dict(outcomes.most_common())}; faults: {dict(faults.most_common(10))}")
    assert ended.keys() == {one.id for one in sent}

    refused = sum("dead_letter" in data for data in ended.values())
    letters = Counter(letter.topic for letter in await onlooker.dead_letters(since))
    assert letters == ({"cxc.registration.dead-letters": refused} if refused else {})
    stored = await onlooker.database("registration").registrations.count_documents(
        {"origin.source": sender.source}
    )
    assert stored == len(rows) - refused
    mails = await onlooker.database("notifications").notifications.aggregate(
        [{"$match": {"channel": "email"}}, {"$group": {"_id": "$state", "count": {"$sum": 1}}}]
    )
    print({one["_id"]: one["count"] async for one in mails})
    for service in SERVICES:
        assert await onlooker.database(service).outbox.count_documents({}) == 0
