"""Whoever may make a plan stops one that is not made yet."""

from __future__ import annotations

from services.matching.access import actor
from services.matching.domain.planning.job import PlanJob
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.request_plan import require_planner
from shared.security import Caller


async def cancel_plan(uow: MatchingUnitOfWork, plan_id: str, *, by: Caller) -> PlanJob:
    """Cancel it; raises `NotFound`, `Forbidden`, and `PlanStateForbids` once it is made."""
    job = await uow.plans.get_visible_to(by, plan_id)
    require_planner(by, job.asked.partnerships)
    job.cancel(actor(by), uow.now)
    return job
