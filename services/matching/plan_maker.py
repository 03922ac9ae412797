"""Makes the plans that were asked for and publishes them, beside the worker's lanes and never in their way.

Of all workers one makes plans, one plan after the other and each in a process of its own; and one
publishes, some pairs at a time, each time in one short transaction with the note of what became of them.
A worker that is killed takes its process with it; the one that takes over begins the plan anew, and goes
on with a publication where it was left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import structlog
from prometheus_client import Counter

from services.matching.bootstrap import Matching
from services.matching.domain.planning.job import UNFINISHED, PlanJob, PlanLine, PlanOutline, PlanState
from services.matching.plan_apart import PUT_OFF, Order
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.suggest_pairs import drop_next, suggest_pairs
from shared.contracts.envelope import Cause
from shared.jobs import LOOK_EVERY_S, Interrupted, JobHolder, work_off
from shared.storage.transactions import is_outrun, worth_another_try
from shared.storage.unit_of_work import because_of

_log = structlog.get_logger(__name__)

PLANS = Counter("cxc_plans", "Plans a worker worked on, by what came of it", ["outcome"])

PAIRS_AT_ONCE: Final = 400
"""In one transaction at the most; fewer where people change the same things at the same moment."""


async def make_plans(matching: Matching, stopping: asyncio.Event) -> None:
    """The worker's companion: make what is asked for, the oldest first."""
    maker = PlanMaker(matching, stopping)
    await work_off(maker, maker.make_next, stopping)


async def publish_plans(matching: Matching, stopping: asyncio.Event) -> None:
    """The worker's companion: suggest the pairs of plans that are being published."""
    publisher = PlanPublisher(matching, stopping)
    await work_off(publisher, publisher.publish_next, stopping)


async def _oldest(matching: Matching, *states: PlanState) -> str | None:
    waiting = await matching.database[PlanJob.COLLECTION].find_one(
        {"state": {"$in": list(states)}}, {"_id": 1}, sort=[("_id", 1)]
    )
    return waiting["_id"] if waiting else None


class PlanMaker(JobHolder):
    """Makes plans, one at a time."""

    def __init__(self, matching: Matching, stopping: asyncio.Event) -> None:
        super().__init__("plans", matching.database, stopping)
        self._matching = matching

    async def make_next(self) -> bool:
        """Make the plan that waits longest; whether there was one.

        Raises `Interrupted`, and what the database raises while it is away.
        """
        await self._go_on()
        id = await _oldest(self._matching, *UNFINISHED)
        if id is None:
            return False
        attempt = await self._change(id, lambda job, uow: job.start(uow.now))
        if attempt is not None:
            await self._make(id, attempt)
        return True

    async def _make(self, id: str, attempt: int) -> None:
        settings = self._matching.settings
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "services.matching.plan_apart"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Its order says all it needs, secrets included; others could read those here.
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"},
            # What stops the worker must not look like a plan that cannot be made.
            start_new_session=True,
        )
        assert child.stdin is not None
        assert child.stderr is not None
        order = Order(
            plan_id=id,
            attempt=attempt,
            mongo_url=settings.mongo_url.get_secret_value(),
            database=self._matching.database.name,
            partnerships=settings.partnerships.absolute(),
            fit_weights=settings.fit_weights.absolute(),
        )
        said = asyncio.ensure_future(child.stderr.read())
        try:
            with contextlib.suppress(ConnectionError):
                child.stdin.write(order.model_dump_json().encode() + b"\n")
                await child.stdin.drain()
            await self._follow(child, id, attempt)
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            status = await child.wait()
            errors = (await said).decode(errors="replace")[-1000:]
        if status == 0:
            PLANS.labels("made").inc()
            await self._discard_other_attempts(id, attempt)
            return
        _log.warning("plan_process_ended", id=id, status=status, said=errors)
        PLANS.labels("put_off" if status == PUT_OFF else "crashed").inc()
        if status == PUT_OFF:
            raise Interrupted
        await self._change(id, lambda job, uow: job.crash(uow.now), attempt)

    async def _follow(self, child: asyncio.subprocess.Process, id: str, attempt: int) -> None:
        """Note how far it is until it ends; raises `Interrupted` once nobody wants it from here any more."""
        assert child.stdout is not None
        heard: dict[str, Any] | None = None
        looked = time.monotonic()
        reading = asyncio.ensure_future(child.stdout.readline())
        try:
            while True:
                await asyncio.wait({reading}, timeout=LOOK_EVERY_S)
                if reading.done():
                    line = reading.result()
                    if not line:
                        return
                    heard = orjson.loads(line)
                    reading = asyncio.ensure_future(child.stdout.readline())
                if time.monotonic() - looked < LOOK_EVERY_S:
                    continue
                looked = time.monotonic()
                await self._go_on()
                if not await self._is_wanted(id, attempt):
                    raise Interrupted
                if heard is not None:
                    await self._note(id, attempt, **heard)
                    heard = None
        finally:
            reading.cancel()

    async def _note(self, id: str, attempt: int, **so_far: Any) -> None:
        await self._change(id, lambda job, _: job.go_on(**so_far), attempt)

    async def _is_wanted(self, id: str, attempt: int) -> bool:
        job = await self._matching.transactions.read(lambda uow: uow.plans.get(id))
        return job.attempt == attempt and job.state is not PlanState.CANCELLED

    async def _change(
        self, id: str, how: Callable[[PlanJob, MatchingUnitOfWork], Any], attempt: int | None = None
    ) -> Any:
        """What `how` returns; None where the plan is none to be made any more, or by another attempt."""

        async def change(uow: MatchingUnitOfWork) -> Any:
            job = await uow.plans.get(id)
            if attempt is not None and not job.is_made_by(attempt):
                return None
            return how(job, uow) if job.state in UNFINISHED else None

        return await self._matching.transactions.run(change)

    async def _discard_other_attempts(self, id: str, attempt: int) -> None:
        for collection in (PlanLine.COLLECTION, PlanOutline.COLLECTION):
            where = {"plan_id": id, "attempt": {"$lt": attempt}}
            await self._matching.database[collection].delete_many(where)


class PlanPublisher(JobHolder):
    """Publishes plans, one at a time."""

    def __init__(self, matching: Matching, stopping: asyncio.Event) -> None:
        super().__init__("plan publications", matching.database, stopping)
        self._matching = matching

    async def publish_next(self) -> bool:
        """Publish the plan that waits longest, to its end; whether there was one. Raises `Interrupted`."""
        await self._go_on()
        id = await _oldest(self._matching, PlanState.PUBLISHING)
        if id is None:
            return False
        with because_of(Cause(correlation_id=id)):
            await self._publish(id)
        return True

    async def _publish(self, id: str) -> None:
        at_once, is_done = PAIRS_AT_ONCE, False
        while not is_done:
            await self._go_on()
            async with self.pace:
                try:
                    is_done = await self._some(id, at_once)
                    at_once = min(PAIRS_AT_ONCE, at_once * 2)
                except Exception as error:
                    if at_once == 1:
                        if worth_another_try(error):
                            raise
                        _log.error("pair_not_suggested", plan=id, exc_info=error)
                        await self._matching.transactions.run(lambda uow: drop_next(uow, id, _OURS))
                    elif not is_outrun(error) and worth_another_try(error):
                        raise
                    else:
                        at_once = at_once // 2 if is_outrun(error) else 1
        PLANS.labels("published").inc()

    async def _some(self, id: str, at_once: int) -> bool:
        # Few attempts with many pairs: fewer pairs are the better answer to a conflict.
        attempts = 2 if at_once > 1 else 8
        return await self._matching.transactions.run(
            lambda uow: suggest_pairs(uow, id, at_once), attempts=attempts
        )


_OURS: Final = (
    "The pair could not be suggested, by an error of ours, which is in the service's log. Propose it by "
    "hand, or ask for a new plan once that is mended."
)


async def forget_old_plans(matching: Matching, at: datetime) -> None:
    """Forget plans that were finished long before that moment; the matches they led to stay."""
    database, plans = matching.database, matching.database[PlanJob.COLLECTION]
    before = at - timedelta(days=matching.settings.plan_days)
    long_ago = before.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    old = await plans.distinct(
        "_id", {"finished_at": {"$lt": long_ago}, "state": {"$ne": PlanState.PUBLISHING}}
    )
    for id in old:
        for collection in (PlanLine.COLLECTION, PlanOutline.COLLECTION):
            await database[collection].delete_many({"plan_id": id})
        await plans.delete_one({"_id": id})
