"""What an erasure takes of reports and evidence: all, unless money was paid for the stay, or may yet be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.funding.domain.evidence import evidence_id
from services.funding.domain.grant import NAMELESS, Grant
from services.funding.domain.report import report_id

if TYPE_CHECKING:
    from services.funding.repositories import FundingUnitOfWork


async def let_go_of_documents(uow: FundingUnitOfWork) -> None:
    """Empty report and evidence of the erased visitors' grants that pay nothing; the sweep takes the files.

    Runs before every commit, as a grant comes to that in many ways: refused or cancelled before the
    erasure, or after it.
    """
    for grant in uow.at_hand(Grant):
        if not grant.changed or grant.state not in NAMELESS:
            continue
        if grant.visitor.registration_id not in grant.erased:
            continue
        report = await uow.reports.find(report_id(grant.match_id))
        evidence = await uow.evidence.find(evidence_id(grant.match_id))
        for document in (report, evidence):
            if document is not None and not document.is_blank:
                document.let_go()
