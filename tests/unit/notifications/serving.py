"""The notifications API on a database in memory, asked in some caller's name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from services.notifications.api import create_app
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.settings import NotificationsSettings
from shared.http import authenticated
from shared.security import Caller
from shared.settings import KafkaSettings
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples


@dataclass
class Root:
    """What the routes need of the composition root."""

    transactions: MemoryTransactions[NotificationsUnitOfWork]
    settings: NotificationsSettings
    rules: Any = samples.RULES
    words: Any = samples.WORDS


def settings_with(**given: Any) -> NotificationsSettings:
    """Settings of a service that connects to nothing."""
    return NotificationsSettings(
        kafka=KafkaSettings(bootstrap="127.0.0.1:1"),
        mongo_url=SecretStr("mongodb://127.0.0.1:1"),
        issuer="https://issuer.example",
        jwks_url="https://issuer.example/keys",
        **given,
    )


@asynccontextmanager
async def served(
    transactions: MemoryTransactions[NotificationsUnitOfWork], *, as_: Caller | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """The API, for this caller or for nobody in particular; with these settings."""
    chosen = settings_with(**settings)
    app = create_app(chosen)
    app.state.root = Root(transactions, chosen)
    if as_ is not None:
        app.dependency_overrides[authenticated] = lambda: as_
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://api.example") as http:
        yield http
