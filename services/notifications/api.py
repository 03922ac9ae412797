"""The notifications API: its routes, put together."""

from __future__ import annotations

from fastapi import FastAPI

from services.notifications.bootstrap import bootstrap
from services.notifications.routes import (
    held,
    inbox,
    log,
    outgoing,
    previews,
    reminders,
    stream,
    suppressions,
    unsubscribe,
    webhooks,
    wishes,
)
from services.notifications.settings import NotificationsSettings
from shared.http import create_api


def create_app(settings: NotificationsSettings | None = None) -> FastAPI:
    """The API; `uvicorn services.notifications.api:create_app --factory`."""
    settings = settings or NotificationsSettings.load()
    return create_api(
        settings,
        title="ClusterXchange notifications",
        description="Who was told what, when, through which channel, and what became of it.",
        routers=[
            inbox.router,
            stream.router,
            log.router,
            wishes.router,
            previews.router,
            reminders.router,
            outgoing.router,
            suppressions.router,
            unsubscribe.router,
            webhooks.router,
            held.router,
        ],
        bootstrap=lambda: bootstrap(settings),
    )
