"""The visitor hands in its report."""

from __future__ import annotations

from services.funding.access import grant_as_visitor
from services.funding.domain.report import Report
from services.funding.repositories import FundingUnitOfWork
from shared.security import Caller


async def submit_report(uow: FundingUnitOfWork, grant_id: str, *, by: Caller) -> Report:
    """The submitted report; raises `ReportIncomplete`, `StayNotOver`, and what else forbids it."""
    grant = await grant_as_visitor(uow, grant_id, by)
    report = await uow.reports.of(grant)
    report.submit(grant, at=uow.now)
    return report
