"""The console's pages, put together."""

from __future__ import annotations

from fastapi import FastAPI

from services.console import assets
from services.console.bootstrap import bootstrap
from services.console.pages import home
from services.console.settings import ConsoleSettings
from shared.http import create_api


def create_app(settings: ConsoleSettings | None = None) -> FastAPI:
    """The pages; `uvicorn services.console.api:create_app --factory`."""
    settings = settings or ConsoleSettings.load()
    return create_api(
        settings,
        title="ClusterXchange console",
        description="A public programme page, a place for participants, and a desk for staff.",
        routers=[assets.router, home.router],
        bootstrap=lambda: bootstrap(settings),
    )
