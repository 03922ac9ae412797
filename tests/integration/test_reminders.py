"""Reminders on real MongoDB: once each through kills, not at all by a wrong clock, found by an index."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.notifications.bootstrap import Notifications, bootstrap
from services.notifications.chores import do_chores
from services.notifications.domain.deadlines import ZONE
from services.notifications.domain.notification import Notification, moment_text
from services.notifications.domain.reminder import Reminder, ReminderState
from services.notifications.reminding import due_by
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.schedule_reminders import schedule_reminders
from shared.contracts.common import Window
from shared.contracts.envelope import Cause, now, parse, wrap
from shared.contracts.matching import CommitmentDrawnUp
from shared.contracts.types import EventType
from shared.messaging.outbox import unpack
from shared.storage.lease import LEASES
from shared.storage.store import OUTBOX
from tests.integration.apis import settings_of
from tests.unit.notifications import samples

pytestmark = pytest.mark.integration

WITHIN_S = 40.0


class Clock:
    """The real one, set forward or back."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return now() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def root(mongo_url: str, database: str, clock: Clock) -> AsyncIterator[Notifications]:
    notifications = await bootstrap(settings_of("notifications", mongo_url), database=database, clock=clock)
    yield notifications
    await notifications.close()


async def asked_ten_days_ago(root: Notifications, clock: Clock, number: int) -> None:
    """So many commitments for stays in five days: a first reminder should have come two days ago."""
    begins = now().astimezone(ZONE).date() + timedelta(days=5)
    stay = Window(first_day=begins, last_day=begins + timedelta(days=2))
    clock.ahead = -timedelta(days=10)

    async def work(uow: NotificationsUnitOfWork) -> None:
        for of in range(number):
            event = samples.a_commitment(CommitmentDrawnUp, match_id=f"m-{of}", stay=stay)
            fact = wrap(event, service="matching", subject=f"c-{of}", sequence=1, cause=Cause(), at=uow.now)
            await schedule_reminders(uow, fact, event)

    await root.transactions.run(work)
    clock.ahead = timedelta(0)


async def reminded(root: Notifications) -> list[str]:
    """What was reminded of, as published, in its order."""
    rows = await root.database[OUTBOX].find().sort("position", 1).to_list(None)
    events = [parse(message.value) for row in rows for message in unpack(row)]
    return [event.subject or "" for event in events if event.type == EventType.DEADLINE_REMINDED]


def is_held() -> bool:
    return REGISTRY.get_sample_value("cxc_reminders_held") == 1


async def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not await holds():
        assert time.monotonic() < deadline, "it took too long"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def worker(root: Notifications) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    running = asyncio.create_task(do_chores(root, stopping, look_every_s=0.05, reminders_every_s=0.05))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(running, timeout=20)


WORKER = """
import asyncio, sys
from services.notifications.bootstrap import bootstrap
from services.notifications.chores import do_chores
from tests.integration.apis import settings_of

async def main(mongo_url, database):
    root = await bootstrap(settings_of("notifications", mongo_url), database=database)
    await do_chores(root, asyncio.Event(), look_every_s=0.1)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_worker_that_is_killed_amid_its_work_leaves_nobody_unreminded_and_nobody_reminded_twice(
    root: Notifications, mongo_url: str, clock: Clock
) -> None:
    await asked_ten_days_ago(root, clock, 400)

    async def process() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, mongo_url, root.database.name
        )

    async def reached(number: int) -> bool:
        return len(await reminded(root)) >= number

    running = await process()
    try:
        await until(lambda: reached(100))
        running.kill()
        await running.wait()
        await root.database[LEASES].delete_many({})  # or wait ten seconds, until it has run out
        running = await process()
        await until(lambda: reached(400))
    finally:
        running.kill()
        await running.wait()

    assert Counter(await reminded(root)) == Counter(f"commitment_to_sign:m-{of}" for of in range(400))
    messages = root.database[Notification.COLLECTION]
    assert len(await messages.distinct("fact_id")) == 400
    # A mail and an entry in the inbox for the visitor, the host and HempClub's staff each.
    assert await messages.count_documents({}) == 400 * 6
    told = {"state": ReminderState.SCHEDULED.value, "told": 1, "due_at": {"$gt": moment_text(now())}}
    assert await root.database[Reminder.COLLECTION].count_documents(told) == 400


async def test_while_a_clock_is_wrong_nobody_is_reminded_and_then_everybody_is(
    root: Notifications, clock: Clock
) -> None:
    await asked_ten_days_ago(root, clock, 3)
    clock.ahead = timedelta(days=365)
    async with worker(root):

        async def held() -> bool:
            return is_held()

        await until(held)
        assert await reminded(root) == []
        clock.ahead = timedelta(0)

        async def all_reminded() -> bool:
            return len(await reminded(root)) == 3

        await until(all_reminded)
    assert not is_held()


async def test_what_is_over_for_as_long_as_messages_are_kept_is_let_go_of(
    root: Notifications, clock: Clock
) -> None:
    await asked_ten_days_ago(root, clock, 3)
    reminders = root.database[Reminder.COLLECTION]
    long_ago = moment_text(now() - timedelta(days=root.settings.kept_days + 1))
    ended = {"state": ReminderState.ENDED.value, "due_at": None, "changed_at": long_ago}
    await reminders.update_one({"_id": "commitment_to_sign:m-0"}, {"$set": ended})
    await reminders.update_one({"_id": "commitment_to_sign:m-1"}, {"$set": {"changed_at": long_ago}})
    async with worker(root):

        async def gone() -> bool:
            return await reminders.count_documents({}) == 2

        await until(gone)
    assert await reminders.count_documents({"_id": "commitment_to_sign:m-0"}) == 0


async def test_what_is_due_and_what_stands_is_found_by_indexes_however_much_is_scheduled(
    root: Notifications, clock: Clock
) -> None:
    await asked_ten_days_ago(root, clock, 2)
    reminders = root.database[Reminder.COLLECTION]
    later = [
        {
            "_id": f"sample:{number}",
            "state": ReminderState.SCHEDULED.value,
            "due_at": moment_text(now() + timedelta(days=1, seconds=number)),
            "recipients": [f"organisation:{number}"],
            "partnerships": ["hempclub"],
            "subjects": [f"m-{number}"],
            "order": f"2099-01-01|{number}",
        }
        for number in range(2000)
    ]
    await reminders.insert_many(later)

    async def looked_at(where: dict[str, Any], **how: Any) -> tuple[int, int]:
        plan = await root.database.command(
            "explain", {"find": Reminder.COLLECTION, "filter": where, **how}, verbosity="executionStats"
        )
        stats = plan["executionStats"]
        assert "COLLSCAN" not in str(plan)
        assert "'SORT'" not in str(plan["queryPlanner"]["winningPlan"])
        return stats["totalDocsExamined"], stats["nReturned"]

    assert await looked_at(due_by(now()), sort={"due_at": 1}, projection={"_id": 1}) == (2, 2)
    page = {"order": {"$exists": True}, "partnerships": "hempclub"}
    assert await looked_at(page, sort={"order": 1}, limit=50) == (50, 50)
    own = {"order": {"$exists": True}, "recipients": "organisation:7"}
    assert await looked_at(own, sort={"order": 1}, limit=50) == (1, 1)
