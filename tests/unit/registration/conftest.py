"""Fixtures of the registration service's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest

from services.registration.api import create_app
from services.registration.cvs.keeping import Cvs
from services.registration.rules_on_file import rule_sets_in
from services.registration.settings import RegistrationSettings
from shared.contracts.envelope import now
from shared.http import authenticated
from shared.partnerships import Partnerships
from tests.fakes import MemoryFiles
from tests.unit.registration.client import Client
from tests.unit.registration.service import transactions


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    for name, value in {
        "CXC_MONGO_URL": "mongodb://nowhere.example",
        "CXC_KAFKA_BOOTSTRAP": "nowhere.example:9092",
        "CXC_ISSUER": "https://issuer.example",
        "CXC_JWKS_URL": "https://issuer.example/keys",
    }.items():
        monkeypatch.setenv(name, value)
    settings = RegistrationSettings.load()
    partnerships = Partnerships.load(settings.partnerships)
    app = create_app(settings)
    # Without its lifespan, the app connects to nothing.
    client = Client(transport=httpx.ASGITransport(app), base_url="http://registration.example")
    client.app, client.store, client.files = app, transactions(), MemoryFiles()
    app.state.root = SimpleNamespace(
        transactions=client.store,
        settings=settings,
        clock=now,
        rules=rule_sets_in(settings.eligibility_rules, partnerships),
        partnerships=partnerships,
        cvs=Cvs.in_files(client.files, max_bytes=settings.cv_max_bytes),
    )
    app.dependency_overrides[authenticated] = lambda: client.caller
    async with client:
        yield client
