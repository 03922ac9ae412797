"""The registration API: its routes, put together."""

from __future__ import annotations

from fastapi import FastAPI

from services.registration.bootstrap import bootstrap
from services.registration.routes import (
    audit,
    cvs,
    decisions,
    drafts,
    duplicates,
    eligibility,
    erasure,
    exports,
    feed,
    held,
    imports,
    inbox,
    registrations,
    schemas,
    versions,
)
from services.registration.settings import RegistrationSettings
from shared.http import create_api


def create_app(settings: RegistrationSettings | None = None) -> FastAPI:
    """The API; `uvicorn services.registration.api:create_app --factory`."""
    settings = settings or RegistrationSettings.load()
    return create_api(
        settings,
        title="ClusterXchange registration",
        description=(
            "Organisations register as visitor or host and are screened by the scheme's rules; every "
            "verdict comes with its receipt. The same by event: see the JSON Schemas of the commands."
        ),
        routers=[
            registrations.router,
            versions.router,
            cvs.router,
            drafts.router,
            audit.router,
            decisions.router,
            eligibility.router,
            erasure.router,
            held.router,
            duplicates.router,
            imports.router,
            exports.router,
            feed.router,
            inbox.router,
            schemas.router,
        ],
        bootstrap=lambda: bootstrap(settings),
        body_limits={
            "/registrations/*/cv": settings.cv_max_bytes,
            "/drafts": drafts.MAX_BYTES,
            "/drafts/*": drafts.MAX_BYTES,
            "/imports": settings.import_max_bytes + imports.MULTIPART_BYTES,
        },
    )
