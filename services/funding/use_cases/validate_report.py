"""The visitor's partnership validates a report: the lump sum on the real days is shown, and then taken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.funding.access import grant_as_payer
from services.funding.agreements import renew_agreements
from services.funding.domain.difference import explain_difference
from services.funding.domain.grant import Grant
from services.funding.domain.lump_sum import NOTHING, LumpSum, lump_sum
from services.funding.domain.report import Report
from services.funding.domain.stay import AcceptedDay, Stay
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.recalculate_grant import recalculate_grant
from shared.contracts.common import Window
from shared.contracts.vocabulary import GrantState
from shared.errors import Malformed, RuleBroken
from shared.security import Caller


class LumpSumOpen(RuleBroken):
    """A report is validated together with the amount; this grant has none a person has decided on."""

    code = "lump-sum-open"


@dataclass(frozen=True)
class Validation:
    """What validating a report would do, or did, to the lump sum."""

    planned: Window
    real: Window
    before: Decimal | None
    """EUR; None where none was certain."""
    after: LumpSum
    difference: str
    """What changes, in plain words."""
    changes: bool
    """Whether the lump sum is computed again; as long as no day changes, it stays what it is."""
    covered: bool
    """Whether the budget has what it is more; a grant that waits for budget goes on waiting."""
    claimed: list[date]
    """Days with a programme by the report that are no working days, and not accepted here."""


async def preview_validation(
    uow: FundingUnitOfWork, grant_id: str, *, edition: int, accepted_days: Collection[AcceptedDay], by: Caller
) -> Validation:
    """What `validate_report` would do now; changes nothing. Raises what it would raise before that."""
    grant = await grant_as_payer(uow, grant_id, by)
    report = await uow.reports.of(grant)
    return await _weigh(uow, grant, report, edition, _accepted(accepted_days, by))


async def validate_report(
    uow: FundingUnitOfWork, grant_id: str, *, edition: int, accepted_days: Collection[AcceptedDay], by: Caller
) -> Report:
    """The validated report; amount, budget, gate and progress follow in the same transaction.

    `accepted_days`: Saturdays, Sundays and holidays that count as working days, each with the reason.
    Raises `ReportChanged`, `LumpSumOpen`, `BudgetExceeded`, and nothing has changed then.
    """
    grant = await grant_as_payer(uow, grant_id, by)
    report = await uow.reports.of(grant)
    accepted = _accepted(accepted_days, by)
    validation = await _weigh(uow, grant, report, edition, accepted)
    if validation.changes:
        await recalculate_grant(
            uow,
            grant,
            validation.after,
            real_stay=validation.real,
            reason="The report says on which days the stay took place.",
        )
        # Before the gate is passed: nothing is payable by an agreement on other days.
        await renew_agreements(uow, [grant])
    if grant.state is GrantState.NEEDS_REVIEW:
        raise LumpSumOpen(
            f"The lump sum of {grant.id} is not settled: {validation.after.receipt.sentence} Settle it, and "
            "validate the report then."
        )
    report.validate_it(
        grant, accepted_days=accepted, difference=validation.difference, by=by.subject, at=uow.now
    )
    return report


async def _weigh(
    uow: FundingUnitOfWork, grant: Grant, report: Report, edition: int, accepted: list[AcceptedDay]
) -> Validation:
    real = report.require_to_validate(edition)
    if outside := [day.day for day in accepted if not real.first_day <= day.day <= real.last_day]:
        raise Malformed(
            f"{outside[0]} is not a day of the stay, {real.first_day} to {real.last_day}; accept days of it."
        )
    before = grant.lump_sum
    assert before is not None
    stay = _stay_of(before, real, accepted)
    changes = stay != _stay_of(before, grant.days, [])
    after = lump_sum(stay, uow.policies) if changes else before
    budget = await uow.budgets.get(grant.partnership)
    held = grant.holding
    claimed = {day.day for day in report.form.weekend_days}
    return Validation(
        planned=grant.stay,
        real=real,
        before=before.amount,
        after=after,
        difference=explain_difference(before, after)
        if changes
        else "The days are those the lump sum was computed on: it stays as it is.",
        changes=changes,
        covered=held.account is None or (after.amount or NOTHING) - held.amount <= budget.available,
        claimed=[day.day for day in after.days if day.day in claimed and not day.counted],
    )


def _stay_of(computed: LumpSum, real: Window, accepted: list[AcceptedDay]) -> Stay:
    """The facts the lump sum was computed from, on these days; what staff accepted before stays accepted."""
    stay = computed.stay
    days = {day.day: day for day in (*stay.accepted_days, *accepted)}
    during = [days[day] for day in sorted(days) if real.first_day <= day <= real.last_day]
    return stay.model_copy(
        update={"first_day": real.first_day, "last_day": real.last_day, "accepted_days": during}
    )


def _accepted(days: Collection[AcceptedDay], by: Caller) -> list[AcceptedDay]:
    named = [day.day for day in days]
    if twice := next((day for day in named if named.count(day) > 1), None):
        raise Malformed(f"{twice} is accepted twice; give it once, with one reason.")
    return [day.model_copy(update={"accepted_by": f"{by.partnership}: {by.subject}"}) for day in days]
