"""One platform for all end-to-end tests; each test has an outside system of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from ops.platform import Platform, Ports
from tests.e2e.onlooker import Onlooker
from tests.e2e.outside import OutsideSystem

PARTNERSHIPS = Path(__file__).with_name("partnerships.yaml")

MAIL_LEASE_S = 20
"""A courier that is killed leaves its mails until then; five minutes by default."""


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """All servers and services as processes. A test that stops one starts it again before it ends."""
    with Platform(
        tmp_path_factory.mktemp("platform"),
        ports=Ports.any(),
        partnerships=PARTNERSHIPS,
        environment={"CXC_MAIL_LEASE_S": str(MAIL_LEASE_S)},
    ) as running:
        running.start()
        running.wait_ready(within_s=120)
        yield running


@pytest.fixture(scope="session")
async def onlooker(platform: Platform) -> AsyncIterator[Onlooker]:
    looking = Onlooker(platform)
    yield looking
    await looking.close()


@pytest.fixture
def outside_system(platform: Platform) -> Callable[[str], OutsideSystem]:
    """Makes an outside system: `outside_system("crm")`."""
    return lambda word: OutsideSystem(platform.kafka_bootstrap, word)
