"""Plans made on a database in memory, by the code that makes them in a process of its own."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.matching.domain.candidate import Candidate
from services.matching.domain.match import OPEN, Match
from services.matching.domain.planning.from_pool import SAID_NO, PoolSnapshot, lines_of, problem_of
from services.matching.domain.planning.job import Figures, PlanJob, PlanLine, outlines_of
from services.matching.domain.planning.solve import make_plan
from services.matching.domain.visit_claim import VisitClaim
from services.matching.repositories import MatchingUnitOfWork, prospect_of
from services.matching.use_cases.publish_plan import publish_plan
from services.matching.use_cases.request_plan import request_plan
from services.matching.use_cases.suggest_pairs import suggest_pairs
from shared.security import Caller, CallerRole
from tests.unit.matching.builders import TODAY, WEIGHTS, Service, staff_of

HEMP_STAFF = staff_of("hempclub")
SUPPORT_OFFICE = Caller("office", CallerRole.SUPPORT_OFFICE)


def snapshot_of(service: Service) -> PoolSnapshot:
    """The pool as it is stored."""
    database = service.transactions.database
    matches = list(map(Match.from_document, database[Match.COLLECTION].values()))
    return PoolSnapshot(
        prospects=[
            prospect_of(Candidate.from_document(document), service.partnerships)
            for document in database[Candidate.COLLECTION].values()
            if document["in_pool"]
        ],
        used={claim["_id"] for claim in database[VisitClaim.COLLECTION].values() if claim["match_id"]},
        open_matches=[match for match in matches if match.state in OPEN],
        said_no={(m.visitor.registration_id, m.host.registration_id) for m in matches if m.state in SAID_NO},
    )


async def requested(service: Service, by: Caller = HEMP_STAFF, **asked: Any) -> str:
    """The id of a plan that was asked for."""
    job = await service.transactions.run(lambda uow: request_plan(uow, by=by, **asked))
    return job.id


async def made(service: Service, id: str, on: date = TODAY) -> PlanJob:
    """The plan, made as the worker's process does."""

    async def make(uow: MatchingUnitOfWork) -> PlanJob:
        job = await uow.plans.get(id)
        attempt = job.start(uow.now)
        problem = problem_of(job.asked, snapshot_of(service), weights=WEIGHTS, on=on)
        plan = make_plan(problem)
        for part in (*lines_of(problem, plan, id, attempt), *outlines_of(plan, id, attempt)):
            service.transactions.database[part.COLLECTION][part.id] = part.to_document()
        job.finish(Figures.of(plan, problem, 0.1), uow.now)
        return job

    return await service.transactions.run(make)


async def a_plan(service: Service, by: Caller = HEMP_STAFF, **asked: Any) -> str:
    """The id of a plan that is ready."""
    id = await requested(service, by, **asked)
    await made(service, id)
    return id


async def publish(
    service: Service,
    id: str,
    by: Caller = HEMP_STAFF,
    *,
    registrations: list[str] | None = None,
    answer_days: int | None = None,
) -> None:
    """Ask for the publication."""
    await service.transactions.run(
        lambda uow: publish_plan(uow, id, registrations=registrations, answer_days=answer_days, by=by)
    )


async def published(service: Service, id: str, by: Caller = HEMP_STAFF, **how: Any) -> PlanJob:
    """The plan, published to its end, three pairs at a time."""
    await publish(service, id, by, **how)
    while not await service.transactions.run(lambda uow: suggest_pairs(uow, id, 3)):
        pass
    return await service.transactions.read(lambda uow: uow.plans.get(id))


def lines(service: Service, id: str) -> list[PlanLine]:
    """All lines of the plan, in order."""
    stored = service.transactions.database[PlanLine.COLLECTION].values()
    return [
        PlanLine.from_document(line)
        for line in sorted(stored, key=lambda line: line["_id"])
        if line["plan_id"] == id
    ]
