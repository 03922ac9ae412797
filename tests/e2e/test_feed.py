"""The feed of a whole platform: every event of the four services has one number, whatever was killed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from ops.issuer import Role, issue_token
from ops.platform import Platform
from shared.contracts.common import ERASED
from shared.messaging.topics import PUBLISHERS, events
from shared.scopes import EVERYTHING, scopes_of
from tests.e2e.onlooker import Onlooker
from tests.e2e.outside import OutsideSystem

pytestmark = pytest.mark.e2e

Numbered = list[dict[str, Any]]


async def feed_of(platform: Platform, role: Role, **claims: Any) -> Numbered:
    """All items of a reader's feed, page after page."""
    token = issue_token(platform.issuer_key, issuer=platform.issuer_url, role=role, **claims)
    found: Numbered = []
    async with httpx.AsyncClient(
        base_url=platform.api_url("registration"), headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as api:
        while True:
            page = await api.get("/feed", params={"after": len(found), "limit": 700})
            page.raise_for_status()
            found += page.json()["items"]
            if page.json()["next"] == page.json()["last"]:
                return found


async def test_every_event_of_all_services_has_one_number_in_each_scope_it_concerns(
    platform: Platform, onlooker: Onlooker, outside_system: Callable[[str], OutsideSystem]
) -> None:
    sender = outside_system("feed")
    worker = platform.children["registration-worker"]
    for part in range(3):
        pairs = [message for number in range(40) for message in sender.pair(f"feed-{part}-{number}")]
        await sender.publish(*pairs, sender.event(f"wrong-{part}", {"roles": []}))
        await asyncio.to_thread(worker.kill)
        worker.start()
    await onlooker.ready("registration-worker")
    await onlooker.drained()

    # In each partition as it is there, and once though a relay may have published it twice.
    published: dict[tuple[str, int], dict[str, dict[str, Any]]] = defaultdict(dict)
    beginning = dict.fromkeys(await onlooker.mark(), 0)
    async for message in onlooker.messages(beginning, *(events(service) for service in PUBLISHERS)):
        event = orjson.loads(message.value or b"")
        published[message.topic, message.partition].setdefault(event["id"], event)
    known = {id: event for partition in published.values() for id, event in partition.items()}

    async def complete() -> bool:
        return (
            await onlooker.database("registration").feed_pages.count_documents(
                {"scope": EVERYTHING, "last": {"$gte": len(known)}}
            )
            > 0
        )

    await onlooker.eventually("all events in the feed", complete)
    feed = await feed_of(platform, "auditor")
    assert [item["number"] for item in feed] == list(range(1, len(known) + 1))
    assert {item["event"]["id"] for item in feed} == known.keys()
    # What another test had erased is blanked in the feed, and still as it was in the topics.
    kept = [item["event"] for item in feed if ERASED.encode() not in orjson.dumps(item["event"])]
    assert kept == [known[event["id"]] for event in kept]
    assert len(kept) > len(feed) / 2
    places = {item["event"]["id"]: item["number"] for item in feed}
    for partition in published.values():
        in_order = [places[id] for id in partition]
        assert in_order == sorted(in_order)

    for role, claims, scope in (
        ("external", {"subject": sender.source}, f"source:{sender.source}"),
        ("staff", {"partnership": "open-looms"}, "partnership:open-looms"),
    ):
        own = await feed_of(platform, role, **claims)  # type: ignore[arg-type]
        assert [item["number"] for item in own] == list(range(1, len(own) + 1))
        concerned = [item["event"]["id"] for item in feed if scope in scopes_of(item["event"]["data"])]
        assert [item["event"]["id"] for item in own] == concerned
        assert len(own) >= 3 * 80
