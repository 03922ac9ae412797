"""HempClub's grants at every point of the way, and the API on them, for tests that look at all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.funding.staged import Api, Service, serving, staged


@pytest.fixture
async def funding() -> Service:
    return await staged()


@pytest.fixture
async def api(funding: Service) -> AsyncIterator[Api]:
    async with serving(funding) as api:
        yield api
