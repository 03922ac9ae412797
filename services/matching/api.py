"""The matching API: its routes, put together."""

from __future__ import annotations

from fastapi import FastAPI

from services.matching.bootstrap import bootstrap
from services.matching.routes import (
    catalogue,
    commitments,
    group_events,
    held,
    invitations,
    matches,
    messages,
    plans,
    searches,
    suggestions,
)
from services.matching.settings import MatchingSettings
from shared.http import create_api


def create_app(settings: MatchingSettings | None = None) -> FastAPI:
    """The API; `uvicorn services.matching.api:create_app --factory`."""
    settings = settings or MatchingSettings.load()
    return create_api(
        settings,
        title="ClusterXchange matching",
        description=(
            "Finds who fits whom and says why; proposals, answers and approvals of matches. The "
            "visitor's one visit of the scheme is claimed with the last approval."
        ),
        routers=[
            catalogue.router,
            messages.router,
            searches.router,
            suggestions.router,
            matches.router,
            invitations.router,
            plans.router,
            commitments.router,
            group_events.router,
            held.router,
        ],
        bootstrap=lambda: bootstrap(settings),
    )
