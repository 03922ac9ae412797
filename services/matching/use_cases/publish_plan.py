"""Staff publish a plan: a worker suggests its pairs, and looks at each again before it does."""

from __future__ import annotations

from collections.abc import Sequence

from services.matching.access import actor
from services.matching.domain.planning.job import PlanJob, PlanState
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.request_plan import require_planner
from shared.security import Caller


async def publish_plan(
    uow: MatchingUnitOfWork,
    plan_id: str,
    *,
    registrations: Sequence[str] | None,
    answer_days: int | None,
    by: Caller,
) -> PlanJob:
    """Let the pairs be suggested, all that are left or those of some registrations.

    Asked again it changes nothing, while it goes on and once nothing is left. Raises `NotFound`,
    `Forbidden`, and `PlanStateForbids`.
    """
    job = await uow.plans.get_visible_to(by, plan_id)
    require_planner(by, job.asked.partnerships)
    if job.state is PlanState.PUBLISHED or job.is_published_as(actor(by), registrations, answer_days):
        return job
    pairs = await uow.plan_lines.count_unpublished(job, registrations)
    job.publish(actor(by), uow.now, pairs=pairs, registrations=registrations, answer_days=answer_days)
    return job
