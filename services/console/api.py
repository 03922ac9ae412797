"""The console's pages, put together."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.gzip import GZipMiddleware

from services.console import assets
from services.console.apis import ServiceDown
from services.console.bootstrap import Console, bootstrap
from services.console.pages import (
    audit,
    cases,
    catalogue,
    changes,
    commitments,
    decisions,
    drafts,
    duplicates,
    errors,
    evidence,
    grants,
    group_events,
    held,
    imports,
    inbox,
    invitations,
    matches,
    messages,
    money,
    my_data,
    notifications,
    operations,
    own_group_events,
    own_registrations,
    payments,
    plans,
    previews,
    public,
    readiness,
    registrations,
    reports,
    resuming,
    signing_in,
    staff_grants,
    staff_matches,
    start,
    suggestions,
    suppressions,
    today,
    unsubscribe,
    webhooks,
    wishes,
)
from services.console.people import SignInFirst
from services.console.settings import ConsoleSettings
from services.console.signing_in.csrf import FromElsewhere, from_own_page
from services.console.signing_in.protection import protect
from shared.http import create_api

PAGES = (
    audit.router,
    cases.router,
    catalogue.router,
    changes.router,
    commitments.router,
    decisions.router,
    drafts.router,
    duplicates.router,
    evidence.router,
    grants.router,
    group_events.router,
    imports.router,
    inbox.router,
    invitations.router,
    matches.router,
    messages.router,
    money.router,
    my_data.router,
    notifications.router,
    operations.router,
    own_group_events.router,
    own_registrations.router,
    payments.router,
    plans.router,
    previews.router,
    public.router,
    readiness.router,
    registrations.router,
    reports.router,
    signing_in.router,
    staff_grants.router,
    staff_matches.router,
    start.router,
    suggestions.router,
    suppressions.router,
    today.router,
    webhooks.router,
    wishes.router,
)

FORM_BYTES = 64 * 1024
"""What a form may have besides its files."""


def create_app(settings: ConsoleSettings | None = None) -> FastAPI:
    """The pages; `uvicorn services.console.api:create_app --factory`."""
    settings = settings or ConsoleSettings.load()
    pages = APIRouter(dependencies=[Depends(from_own_page)])
    for router in PAGES:
        pages.include_router(router)

    async def begin() -> Console:
        console = await bootstrap(settings)
        console.pages.prepare()
        return console

    app = create_api(
        settings,
        title="ClusterXchange console",
        description="A public programme page, a place for participants, and a desk for staff.",
        routers=[assets.router, held.router, unsubscribe.router, pages],
        bootstrap=begin,
        body_limits={
            "/grants/*/evidence": evidence.AT_ONCE * settings.evidence_max_bytes + FORM_BYTES,
            "/imports": settings.import_max_bytes + FORM_BYTES,
            "/registrations/*/cv": settings.cv_max_bytes + FORM_BYTES,
        },
    )
    app.add_exception_handler(SignInFirst, signing_in.sign_in_first)
    app.add_exception_handler(FromElsewhere, resuming.on_stale_form)
    app.add_exception_handler(ServiceDown, resuming.on_service_away)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    errors.show_errors(app)
    protect(app, settings)
    return app
