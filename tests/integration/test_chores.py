"""Work that comes due by time, on real MongoDB: by several workers, through faults, with any clock."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.registration.bootstrap import Registering, bootstrap
from services.registration.chores import CHORES, do_chores, silent
from services.registration.cvs.keeping import BUCKET
from services.registration.domain.draft import Draft
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.attach_cv import attach_cv
from services.registration.use_cases.begin_draft import begin_draft
from services.registration.use_cases.save_draft import save_draft
from services.registration.use_cases.submit_registration import submit_registration
from shared.chores import Chore
from shared.contracts.envelope import parse
from shared.contracts.registration import Submission
from shared.messaging.outbox import unpack
from shared.storage.store import OUTBOX
from tests.builders import a_submission
from tests.conftest import Servers
from tests.integration.apis import settings_of
from tests.unit.registration.pdfs import a_pdf
from tests.unit.registration.service import A_PARTICIPANT

pytestmark = pytest.mark.integration

WITHIN_S = 40.0


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def root(mongo_url: str, database: str, clock: Clock) -> AsyncIterator[Registering]:
    registering = await bootstrap(settings_of("registration", mongo_url), database=database, clock=clock)
    yield registering
    await registering.close()


@asynccontextmanager
async def worker(registering: Registering, *, every_s: float = 0.05) -> AsyncIterator[asyncio.Event]:
    """A worker's companion, with rounds that follow each other closely."""
    stopping = asyncio.Event()
    often = [Chore(chore.name, timedelta(seconds=every_s), chore.do_round) for chore in CHORES]
    running = asyncio.create_task(do_chores(registering, stopping, chores=often, look_every_s=every_s))
    try:
        yield stopping
    finally:
        stopping.set()
        await asyncio.wait_for(running, timeout=20)


async def registered(registering: Registering, **changes: Any) -> str:
    submission = Submission.model_validate(a_submission(**changes))
    made = await registering.transactions.run(
        lambda uow: submit_registration(uow, submission, by=A_PARTICIPANT)
    )
    return made.id


async def registered_at_once(registering: Registering, number: int) -> list[str]:
    """Many, in one transaction."""
    submission = Submission.model_validate(a_submission())

    async def work(uow: RegistrationUnitOfWork) -> list[str]:
        made = [await submit_registration(uow, submission, by=A_PARTICIPANT) for _ in range(number)]
        return [registration.id for registration in made]

    return await registering.transactions.run(work)


async def published(registering: Registering) -> list[str]:
    """The types of all events so far, in their order, with what they are about."""
    rows = await registering.database[OUTBOX].find().sort("position", 1).to_list(None)
    events = [parse(message.value) for row in rows for message in unpack(row)]
    return [f"{event.type.removeprefix('cxc.registration.')} {event.subject}" for event in events]


async def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not await holds():
        assert time.monotonic() < deadline, "it took too long"
        await asyncio.sleep(0.05)


async def test_who_falls_silent_is_asked_then_reminded_then_let_go(root: Registering, clock: Clock) -> None:
    id = await registered(root)
    said = await published(root)
    async with worker(root):
        for days, event in ((180, "interest_asked.v1"), (14, "interest_asked.v1"), (15, "lapsed.v1")):
            clock.move(days=days)
            said.append(f"{event} {id}")

            async def all_said() -> bool:
                return await published(root) == said

            await until(all_said)


async def test_several_workers_ask_each_registration_once(
    root: Registering, mongo_url: str, clock: Clock
) -> None:
    ids = [await registered(root) for _ in range(120)]
    clock.move(days=181)
    others = [
        await bootstrap(settings_of("registration", mongo_url), database=root.database.name, clock=clock)
        for _ in range(2)
    ]
    try:
        async with worker(root), worker(others[0]), worker(others[1]):

            async def all_asked() -> bool:
                asked = [line for line in await published(root) if line.startswith("interest_asked")]
                return len(asked) >= len(ids)

            await until(all_asked)
            asked = Counter(line for line in await published(root) if line.startswith("interest_asked"))
            assert asked == Counter(f"interest_asked.v1 {id}" for id in ids)
    finally:
        for other in others:
            await other.close()


async def test_a_draft_nobody_goes_on_with_is_removed_and_one_saved_since_is_kept(
    root: Registering, clock: Clock
) -> None:
    _, kept = [
        await root.transactions.run(lambda uow: begin_draft(uow, {}, by=A_PARTICIPANT)) for _ in range(2)
    ]
    clock.move(days=60)
    await root.transactions.run(lambda uow: save_draft(uow, kept.id, {}, version=1, by=A_PARTICIPANT))
    clock.move(days=31)
    async with worker(root):

        async def only_one_left() -> bool:
            drafts = await root.database[Draft.COLLECTION].find().to_list(None)
            return [draft["_id"] for draft in drafts] == [kept.id]

        await until(only_one_left)


async def test_a_cv_left_by_a_crash_is_removed_after_a_day_and_one_in_use_is_kept(
    root: Registering, clock: Clock
) -> None:
    clock.at = datetime.now(UTC)
    id = await registered(root)
    used = await root.cvs.take_in(a_pdf(1), name="cv.pdf", by="office", at=clock())
    await root.transactions.run(lambda uow: attach_cv(uow, id, used, by=A_PARTICIPANT))
    # Stored, and then the process was killed before it could commit what points to it.
    left = await root.cvs.take_in(a_pdf(2), name="cv.pdf", by="office", at=clock())
    files = root.database[f"{BUCKET}.files"]
    async with worker(root):
        clock.move(hours=23)
        young = await root.cvs.read(left)
        assert young == a_pdf(2)
        clock.move(hours=2)

        async def only_the_used_one() -> bool:
            return await files.distinct("_id") == [used.file_id]

        await until(only_the_used_one)
    assert await root.cvs.read(used) == a_pdf(1)
    assert await root.database[f"{BUCKET}.chunks"].distinct("files_id") == [used.file_id]


async def test_a_registration_that_cannot_be_read_keeps_no_other_from_being_asked(
    root: Registering, clock: Clock
) -> None:
    ids = [await registered(root) for _ in range(5)]
    broken = {"_id": ids[2]}
    await root.database[Registration.COLLECTION].update_one(broken, {"$set": {"submission": "torn"}})
    clock.move(days=181)
    async with worker(root):

        async def others_asked() -> bool:
            asked = {line for line in await published(root) if line.startswith("interest_asked")}
            return asked == {f"interest_asked.v1 {id}" for id in ids if id != ids[2]}

        await until(others_asked)


async def test_those_who_are_due_are_found_by_the_index(root: Registering, clock: Clock) -> None:
    where = silent(root.settings.interest, clock())
    plan = await root.database.command(
        "explain", {"find": Registration.COLLECTION, "filter": where}, verbosity="queryPlanner"
    )
    assert "'indexName': 'silent'" in str(plan["queryPlanner"]["winningPlan"])


WORKER = """
import asyncio, sys
from services.registration.bootstrap import bootstrap
from services.registration.chores import do_chores
from tests.integration.apis import settings_of

async def main(mongo_url, database):
    root = await bootstrap(settings_of("registration", mongo_url), database=database)
    await do_chores(root, asyncio.Event(), look_every_s=0.1)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_workers_that_are_killed_amid_their_work_leave_nothing_undone_and_nothing_done_twice(
    root: Registering, mongo_url: str
) -> None:
    ids = await registered_at_once(root, 800)  # in 2023, as the clock says: long due

    async def process() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, mongo_url, root.database.name
        )

    async def asked() -> list[str]:
        return [line for line in await published(root) if line.startswith("interest_asked")]

    async def reached(number: int) -> bool:
        return len(await asked()) >= number

    running = [await process(), await process()]
    try:
        for share in (1, 400):
            await until(lambda share=share: reached(share))  # type: ignore[misc]
            for one in running:
                one.kill()
                await one.wait()
            running = [await process(), await process()]
        await until(lambda: reached(len(ids)))
    finally:
        for one in running:
            one.kill()
            await one.wait()
    assert Counter(await asked()) == Counter(f"interest_asked.v1 {id}" for id in ids)


async def test_the_companion_outlives_a_database_that_goes_away(
    root: Registering, servers: Servers, clock: Clock
) -> None:
    id = await registered(root)
    async with worker(root):
        await asyncio.to_thread(servers.kill, "mongo")
        clock.move(days=181)
        await asyncio.sleep(1.0)
        await asyncio.to_thread(servers.start, "mongo")

        async def asked() -> bool:
            return f"interest_asked.v1 {id}" in await published(root)

        await until(asked)
