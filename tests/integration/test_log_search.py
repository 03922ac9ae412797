"""What is looked for in inboxes and in the delivery log is found by an index, among many messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import DESCENDING

from services.notifications.bootstrap import Notifications
from services.notifications.domain.notification import Notification, NotificationState, notification_id
from services.notifications.domain.rules import Channel
from services.notifications.domain.searches import InboxSearch, LogSearch
from tests.integration.apis import running_root, settings_of

pytestmark = pytest.mark.integration

FIRST = datetime(2023, 1, 1, tzinfo=UTC)
MESSAGES = 6000
PAGE = 20
DESK = "partnership:hempclub"
RARE = "cxc.ledger.differed.v1"


def a_message(number: int) -> dict[str, Any]:
    """One a minute; each hundredth failed, every organisation has a few, the desk has every second."""
    at, desk = FIRST + timedelta(minutes=number), number % 2 == 0
    channel = Channel.INBOX if number % 3 == 0 else Channel.EMAIL
    state = NotificationState.FAILED if channel is Channel.EMAIL and number % 100 == 0 else "sent"
    message = Notification(
        id=notification_id(str(number), at, DESK, 0, channel),
        fact_id=f"f-{number}",
        fact_type=RARE if number % 1000 == 0 else "cxc.match.approved.v1",
        about=f"m-{number // 10}",
        case=f"case-{number // 20}",
        correlation_id=f"c-{number // 10}",
        kind="oversight" if number % 1000 == 0 else "matches",
        recipient="staff" if desk else "visitor",
        recipient_key=DESK if desk else f"organisation:o-{number // 20}",
        recipient_registration=None if desk else f"r-{number // 20}",
        partnerships=["woolclub" if number % 50 == 7 else "hempclub"],
        channel=channel,
        address=None if channel is Channel.INBOX else f"office@o-{number // 20}.example",
        subject="Approved",
        text="It is approved.",
        link="https://cxc.example/matches/m",
        link_label="See the match",
        why="It is your case.",
        state=state,
        created_at=at,
        digest=f"d-{number // 10}" if number % 10 == 1 else None,
        read_at=None if number % 300 == 0 else at,
        archived_at=at if number % 600 == 6 else None,
    )
    return message.to_document()


@pytest.fixture(scope="module")
async def full(mongo_url: str) -> AsyncIterator[Notifications]:
    settings = settings_of("notifications", mongo_url)
    async with running_root("notifications", settings, "test-log-search") as root:
        await root.database["notifications"].insert_many(map(a_message, range(MESSAGES)))
        yield root
        await root.client.drop_database("test-log-search")


SINCE, BEFORE = FIRST + timedelta(days=1), FIRST + timedelta(days=2)
SEARCHES: list[LogSearch | InboxSearch] = [
    LogSearch(),
    LogSearch("hempclub"),
    LogSearch("woolclub"),
    LogSearch(state=NotificationState.FAILED),
    LogSearch("hempclub", state=NotificationState.FAILED),
    LogSearch("hempclub", case="case-7"),
    LogSearch(about="m-7"),
    LogSearch(correlation_id="c-7"),
    LogSearch("hempclub", registration="r-7"),
    LogSearch("hempclub", address="office@o-7.example"),
    LogSearch(digest="d-7"),
    LogSearch(fact_type=RARE),
    LogSearch("hempclub", kinds=["oversight"]),
    LogSearch("hempclub", channel=Channel.EMAIL),
    LogSearch("hempclub", since=SINCE, before=BEFORE),
    LogSearch(state=NotificationState.FAILED, since=SINCE, before=BEFORE),
    LogSearch(words="approved", case="case-7"),
    InboxSearch(DESK),
    InboxSearch(DESK, unread=True),
    InboxSearch(DESK, archived=True),
    InboxSearch("organisation:o-7"),
]
NOTHING: list[LogSearch | InboxSearch] = [
    LogSearch("hempclub", state=NotificationState.CANCELLED),
    InboxSearch("organisation:nobody", unread=True),
]


@pytest.mark.parametrize("search", [*SEARCHES, *NOTHING], ids=str)
async def test_a_page_is_found_without_looking_through_the_rest(
    full: Notifications, search: LogSearch | InboxSearch
) -> None:
    where = {"$and": [search.conditions()]}
    told = await full.database.command(
        "explain",
        {"find": "notifications", "filter": where, "sort": {"_id": DESCENDING}, "limit": PAGE},
        verbosity="executionStats",
    )
    done = told["executionStats"]
    # A hundred more: those of a rare state are few in all, whoever's they are.
    assert max(done["totalDocsExamined"], done["totalKeysExamined"]) <= done["nReturned"] + 100
    assert (done["nReturned"] > 0) is (search not in NOTHING)


async def test_unread_entries_are_counted_by_looking_at_them_alone(full: Notifications) -> None:
    assert await full.transactions.read(lambda uow: uow.notifications.unread(DESK)) == {
        "matches": 18,
        "oversight": 2,
    }
