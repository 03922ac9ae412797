"""The visitor writes its report, as often as it wants."""

from __future__ import annotations

from services.funding.access import grant_as_visitor
from services.funding.domain.report import Report, ReportForm
from services.funding.repositories import FundingUnitOfWork
from shared.security import Caller


async def save_report(
    uow: FundingUnitOfWork, grant_id: str, form: ReportForm, *, edition: int | None, by: Caller
) -> Report:
    """The report with this content; raises `NotFound`, `Forbidden`, and what forbids a change."""
    grant = await grant_as_visitor(uow, grant_id, by)
    report = await uow.reports.of(grant)
    report.save(grant, form, edition=edition, at=uow.now)
    return report
