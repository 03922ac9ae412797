"""The console's pages, put together."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI

from services.console import assets
from services.console.bootstrap import bootstrap
from services.console.pages import (
    catalogue,
    drafts,
    errors,
    home,
    matches,
    messages,
    money,
    payments,
    plans,
    readiness,
    signing_in,
    staff_grants,
    start,
    suggestions,
)
from services.console.people import SignInFirst
from services.console.settings import ConsoleSettings
from services.console.signing_in.csrf import from_own_page
from services.console.signing_in.protection import protect
from shared.http import create_api

PAGES = (
    catalogue.router,
    drafts.router,
    home.router,
    matches.router,
    messages.router,
    money.router,
    payments.router,
    plans.router,
    readiness.router,
    signing_in.router,
    staff_grants.router,
    start.router,
    suggestions.router,
)


def create_app(settings: ConsoleSettings | None = None) -> FastAPI:
    """The pages; `uvicorn services.console.api:create_app --factory`."""
    settings = settings or ConsoleSettings.load()
    pages = APIRouter(dependencies=[Depends(from_own_page)])
    for router in PAGES:
        pages.include_router(router)
    app = create_api(
        settings,
        title="ClusterXchange console",
        description="A public programme page, a place for participants, and a desk for staff.",
        routers=[assets.router, pages],
        bootstrap=lambda: bootstrap(settings),
    )
    app.add_exception_handler(SignInFirst, signing_in.sign_in_first)
    errors.show_errors(app)
    protect(app, settings)
    return app
