"""Staff, or the support office, ask for a plan for their visitors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from services.matching.access import actor
from services.matching.domain.planning.job import Asked, AskedCap, PlanJob
from services.matching.estimates_on_file import estimated_lump_sums
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.envelope import new_id
from shared.errors import Forbidden, RuleBroken
from shared.security import Caller, CallerRole

MAX_UNFINISHED: Final = 5


class TooManyPlans(RuleBroken):
    """Enough of the caller's plans are waiting already."""

    code = "too-many-plans"
    title = "Too many plans are waiting"


async def request_plan(
    uow: MatchingUnitOfWork,
    *,
    by: Caller,
    partnerships: Sequence[str] | None = None,
    caps: Sequence[AskedCap] = (),
    budgets: Mapping[str, Decimal] | None = None,
    lump_sums: Mapping[str, Decimal] | None = None,
    keep_margin: float = 0.0,
    dry_run: bool = False,
) -> PlanJob:
    """Put a plan in line for a worker; without `partnerships` it is for all the caller may plan for.

    Budgets and lump sums are in EUR; without `lump_sums` the estimates on file are held against the
    budgets. Raises `Forbidden`, `UnknownPartnership` and `TooManyPlans`.
    """
    scope = _scope(uow, partnerships, by)
    budgets = dict(budgets or {})
    for id in (*scope, *budgets):
        uow.partnerships.require(id)
    if await uow.plans.count_unfinished(by) >= MAX_UNFINISHED:
        raise TooManyPlans(
            f"{MAX_UNFINISHED} of your plans are waiting or being made; wait for one, or cancel one."
        )
    if lump_sums is None:
        lump_sums = estimated_lump_sums(uow.today) if budgets else {}
    asked = Asked(
        partnerships=scope,
        caps=list(caps),
        budgets=budgets,
        lump_sums=dict(lump_sums),
        keep_margin=keep_margin,
        dry_run=dry_run,
    )
    job = PlanJob.request(new_id(), by=actor(by), asked=asked, at=uow.now)
    uow.plans.add(job)
    return job


def require_planner(by: Caller, partnerships: Sequence[str]) -> None:
    """Raises `Forbidden` unless the caller may make and publish plans for just these partnerships."""
    if by.role is CallerRole.SUPPORT_OFFICE:
        return
    if by.role is CallerRole.STAFF and list(partnerships) == [by.partnership]:
        return
    raise Forbidden(
        "Staff plan for the visitors of their own partnership alone; the support office for those of several."
    )


def _scope(uow: MatchingUnitOfWork, partnerships: Sequence[str] | None, by: Caller) -> list[str]:
    if partnerships is not None:
        scope = sorted(set(partnerships))
    elif by.role is CallerRole.STAFF and by.partnership is not None:
        scope = [by.partnership]
    else:
        scope = sorted(partnership.id for partnership in uow.partnerships)
    require_planner(by, scope)
    return scope
