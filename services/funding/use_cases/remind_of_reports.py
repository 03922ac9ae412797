"""Reports that do not come are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from services.funding.domain.report import ReminderPolicy, Report, report_id
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.vocabulary import GateState


async def remind_of_reports(
    uow: FundingUnitOfWork, grant_ids: Sequence[str], *, policy: ReminderPolicy
) -> None:
    """Remind the visitors of these grants whose report is due still; those that are erased are left alone."""
    grants = await uow.grants.get_all(grant_ids)
    begun = {
        report.grant_id: report
        for report in await uow.reports.get_all(report_id(grant.match_id) for grant in grants)
    }
    for grant in grants:
        erased = grant.visitor.registration_id in grant.erased
        if erased or grant.gates.report.state is not GateState.WAITS_FOR_VISITOR:
            continue
        report = begun.get(grant.id) or Report.begin(grant)
        if report.remind(grant, policy, today=uow.now.date()) and grant.id not in begun:
            uow.reports.add(report)
