"""The visitor's partnership returns a report, to be corrected."""

from __future__ import annotations

from services.funding.access import grant_as_payer
from services.funding.domain.report import Report
from services.funding.repositories import FundingUnitOfWork
from shared.security import Caller


async def return_report(uow: FundingUnitOfWork, grant_id: str, reason: str, *, by: Caller) -> Report:
    """The report, with the visitor again; one that was validated counts no longer.

    Raises `ReportStateForbids`, and `GrantStateForbids` once the amount is in a payment.
    """
    grant = await grant_as_payer(uow, grant_id, by)
    report = await uow.reports.of(grant)
    report.send_back(grant, reason, at=uow.now)
    return report
