"""The funding API: its routes, put together."""

from __future__ import annotations

from fastapi import FastAPI

from services.funding.bootstrap import bootstrap
from services.funding.routes import (
    agreements,
    bank_accounts,
    certificates,
    evidence,
    forecasts,
    funder_reports,
    grants,
    held,
    ledger,
    lump_sums,
    partnerships,
    payments,
    readiness,
    recoveries,
    reports,
    settlements,
)
from services.funding.settings import FundingSettings
from shared.http import create_api


def create_app(settings: FundingSettings | None = None) -> FastAPI:
    """The API: `uvicorn services.funding.api:create_app --factory`."""
    settings = settings or FundingSettings.load()
    return create_api(
        settings,
        title="ClusterXchange funding",
        description="Lump sums of approved matches, with their receipts, and the budgets they are paid from.",
        routers=[
            grants.router,
            settlements.router,
            agreements.router,
            lump_sums.router,
            partnerships.router,
            ledger.router,
            readiness.router,
            forecasts.router,
            funder_reports.router,
            bank_accounts.router,
            payments.router,
            recoveries.router,
            reports.router,
            evidence.router,
            certificates.router,
            held.router,
        ],
        bootstrap=lambda: bootstrap(settings),
        body_limits={
            "/payments/bank-answers": payments.ANSWER_BYTES,
            "/grants/*/evidence": settings.evidence_max_bytes,
        },
    )
