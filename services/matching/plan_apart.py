"""Makes one plan in a process of its own: reads the pool, solves, stores the result.

The worker that starts it writes the order, a line of JSON, to its standard input, and reads how far it is
from its standard output. When that input ends, the worker is gone, and this process ends at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

import orjson
from pydantic import BaseModel

from services.matching.domain.candidate import Candidate
from services.matching.domain.match import OPEN, Match
from services.matching.domain.planning.from_pool import SAID_NO, PoolSnapshot, lines_of, problem_of
from services.matching.domain.planning.job import Figures, PlanJob, outlines_of
from services.matching.domain.planning.plan import Plan, Progress
from services.matching.domain.planning.problem import CapsContradict, PlanProblem
from services.matching.domain.planning.solve import make_plan
from services.matching.domain.pool import Pool
from services.matching.domain.visit_claim import VisitClaim
from services.matching.repositories import MatchingUnitOfWork, prospect_of
from services.matching.weights_on_file import weights_in
from shared.aggregate import Aggregate
from shared.contracts.envelope import now
from shared.partnerships import Partnerships
from shared.storage.driver import Client, Database, Document, close, connect
from shared.storage.transactions import Transactions, worth_another_try

PUT_OFF: Final = os.EX_TEMPFAIL
"""Ends with this where the database is at fault and not the plan."""

_STORED_AT_ONCE: Final = 500
_LONGEST_SEARCH_S: Final = 120.0
"""Where limits bind in a large pool; what the plan is then within is told."""

_NICENESS: Final = 10
"""The lanes go first."""


class Order(BaseModel):
    """What the process is to do, and with what."""

    plan_id: str
    attempt: int
    mongo_url: str
    database: str
    partnerships: Path
    fit_weights: Path


async def make(order: Order, say: Callable[[Progress], None]) -> None:
    """Make the plan and store it, or why there is none; nothing where a later attempt has begun."""
    began = time.monotonic()
    client = connect(order.mongo_url)
    try:
        database = client[order.database]
        partnerships = Partnerships.load(order.partnerships)
        history = weights_in(order.fit_weights)
        transactions: Transactions[MatchingUnitOfWork] = Transactions(
            client,
            database,
            lambda store: MatchingUnitOfWork(store, partnerships=partnerships, weights=history, pool=Pool()),
        )
        job = await transactions.read(lambda uow: uow.plans.get(order.plan_id))
        today = now().date()
        say(Progress("reading the pool", 0.0))
        snapshot = await snapshot_of(client, database, partnerships)
        try:
            problem = problem_of(job.asked, snapshot, weights=history.on(today), on=today)
        except CapsContradict as contradiction:
            why = contradiction.detail
            await _end(transactions, order, lambda job, uow: job.fail(why, uow.now))
            return
        plan = await asyncio.to_thread(
            make_plan,
            problem,
            progress=lambda so_far: say(_of_most(so_far)),
            enough=_over(_LONGEST_SEARCH_S),
        )
        await store(database, plan, problem, order, say)
        figures = Figures.of(plan, problem, time.monotonic() - began)
        await _end(transactions, order, lambda job, uow: job.finish(figures, uow.now))
    finally:
        await close(client)


async def snapshot_of(client: Client, database: Database, partnerships: Partnerships) -> PoolSnapshot:
    """The pool as it is at one moment, whatever is changed while it is read."""
    async with client.start_session(snapshot=True) as session:

        async def all_of(collection: str, where: Document, only: Document | None = None) -> list[Document]:
            return await database[collection].find(where, only, session=session).to_list(None)

        members = await all_of(Candidate.COLLECTION, {"in_pool": True})
        claims = await all_of(VisitClaim.COLLECTION, {"match_id": {"$ne": None}})
        matches = await all_of(Match.COLLECTION, {"state": {"$in": sorted(OPEN)}})
        two = {"visitor.registration_id": 1, "host.registration_id": 1}
        ended = await all_of(Match.COLLECTION, {"state": {"$in": sorted(SAID_NO)}}, two)
    return PoolSnapshot(
        prospects=[prospect_of(Candidate.from_document(document), partnerships) for document in members],
        used={claim["_id"] for claim in claims},
        open_matches=sorted(
            map(Match.from_document, matches), key=lambda match: (match.proposed_at, match.id)
        ),
        said_no={(one["visitor"]["registration_id"], one["host"]["registration_id"]) for one in ended},
    )


async def store(
    database: Database, plan: Plan, problem: PlanProblem, order: Order, say: Callable[[Progress], None]
) -> None:
    """Write the lines and the outline of this attempt; nobody reads them before the plan is ready."""
    visitors, written = len(plan.exchanges) + len(plan.unmatched), 0
    lines = lines_of(problem, plan, order.plan_id, order.attempt)
    writing: Awaitable[None] = asyncio.sleep(0)
    while some := await asyncio.to_thread(list, islice(lines, _STORED_AT_ONCE)):
        # The database takes one part in while the next is put into words.
        await writing
        writing = asyncio.ensure_future(_insert(database, some))
        written += len(some)
        say(Progress("explaining", 0.8 + 0.2 * written / visitors, len(plan.exchanges)))
    await writing
    for outline in outlines_of(plan, order.plan_id, order.attempt):
        await _insert(database, [outline])


async def _insert(database: Database, some: Sequence[Aggregate]) -> None:
    documents = [one.to_document() for one in some]
    await database[some[0].COLLECTION].insert_many(documents, ordered=False)


async def _end(
    transactions: Transactions[MatchingUnitOfWork],
    order: Order,
    how: Callable[[PlanJob, MatchingUnitOfWork], None],
) -> None:
    async def end(uow: MatchingUnitOfWork) -> None:
        job = await uow.plans.get(order.plan_id)
        if job.is_made_by(order.attempt):
            how(job, uow)

    await transactions.run(end)


def _over(seconds: float) -> Callable[[], bool]:
    """Whether so much time has passed since that was first asked."""
    until: float | None = None

    def is_over() -> bool:
        nonlocal until
        moment = time.monotonic()
        until = until or moment + seconds
        return moment > until

    return is_over


def _of_most(progress: Progress) -> Progress:
    return replace(progress, share=0.8 * progress.share)  # the rest is for the explanations


def _say(progress: Progress) -> None:
    line = orjson.dumps({"doing": progress.doing, "share": progress.share, "exchanges": progress.exchanges})
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _end_with_the_worker() -> None:
    sys.stdin.buffer.read()
    os._exit(PUT_OFF)


def main() -> None:
    """Do what the order on standard input says."""
    order = Order.model_validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    os.nice(_NICENESS)
    try:
        asyncio.run(make(order, _say))
    except Exception as error:
        if worth_another_try(error):
            print(f"The database is at fault: {error!r}", file=sys.stderr)
            os._exit(PUT_OFF)
        raise
    sys.stdout.flush()
    # Not by the usual way out: the thread that waits for the end of the input would be in it.
    os._exit(0)


if __name__ == "__main__":
    main()
