"""Fixtures of the integration tests: a token issuer's process, and each API on a database of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.builders import A_SECRET
from tests.integration.apis import Api, Issuer, running_api


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """One issuer for all tests that leave it alone."""
    running = Issuer(tmp_path_factory.mktemp("issuer"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def own_issuer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Issuer]:
    """An issuer that is not running yet, for a test that starts and stops it."""
    own = Issuer(tmp_path_factory.mktemp("issuer"))
    yield own
    await asyncio.to_thread(own.stop)


@pytest.fixture(scope="module")
async def registration(mongo_url: str, issuer: Issuer) -> AsyncIterator[Api]:
    async with running_api("registration", mongo_url, issuer, _database("registration")) as api:
        yield api


@pytest.fixture(scope="module")
async def matching(mongo_url: str, issuer: Issuer) -> AsyncIterator[Api]:
    async with running_api("matching", mongo_url, issuer, _database("matching")) as api:
        yield api


@pytest.fixture(scope="module")
async def funding(mongo_url: str, issuer: Issuer) -> AsyncIterator[Api]:
    async with running_api("funding", mongo_url, issuer, _database("funding")) as api:
        yield api


@pytest.fixture(scope="module")
async def notifications(mongo_url: str, issuer: Issuer) -> AsyncIterator[Api]:
    database = _database("notifications")
    async with running_api("notifications", mongo_url, issuer, database, seal_key=A_SECRET) as api:
        yield api


def _database(service: str) -> str:
    return f"test-{service}-api-{uuid.uuid4().hex[:12]}"
