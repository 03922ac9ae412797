"""Fixtures all tests share: real Kafka and MongoDB, and names nobody else uses."""

from __future__ import annotations

import os
import signal
import uuid
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, Protocol

import pytest
from hypothesis import HealthCheck, settings
from pymongo import MongoClient

from ops.embedded.kafka import KafkaServer
from ops.embedded.mongo import MongoServer
from ops.topics import apply_topics
from shared.messaging.topics import Topic
from tests.containers import KafkaContainer, MongoContainer, why_unusable

# How fast a shared machine is at the moment is no property of the code.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

ServerName = Literal["kafka", "mongo"]
MakeTopic = Callable[..., Awaitable[str]]


class Server(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


@dataclass
class Servers:
    """The Kafka and the MongoDB of this test session, in containers or embedded.

    Their addresses stay the same over restarts and their data is kept. A test that stops or kills one
    starts it again before it ends. All methods block; in a coroutine use `asyncio.to_thread`.
    """

    kafka: KafkaServer | KafkaContainer
    mongo: MongoServer | MongoContainer

    @property
    def kafka_bootstrap(self) -> str:
        return self.kafka.bootstrap

    @property
    def mongo_url(self) -> str:
        return self.mongo.url

    def start(self, name: ServerName) -> None:
        self._one(name).start()

    def stop(self, name: ServerName) -> None:
        self._one(name).stop()

    def kill(self, name: ServerName) -> None:
        """SIGKILL; stays down until `start`."""
        self._one(name).kill()

    def restart(self, name: ServerName) -> None:
        self.stop(name)
        self.start(name)

    def _one(self, name: ServerName) -> Server:
        return self.kafka if name == "kafka" else self.mongo


def pytest_configure() -> None:
    """A shell that starts the tests in the background has Ctrl-C ignored, in all their children too; some
    tests prove what it does."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """In containers where a Docker engine answers, else embedded; CXC_TEST_SERVERS names one of the two."""
    wanted = os.environ.get("CXC_TEST_SERVERS", "")
    if wanted not in ("", "embedded", "containers"):
        pytest.exit(f"CXC_TEST_SERVERS is {wanted!r}; it can be 'embedded' or 'containers'.", returncode=4)
    missing = None if wanted == "embedded" else why_unusable()
    if missing and wanted == "containers":
        pytest.exit(f"CXC_TEST_SERVERS=containers, but {missing}.", returncode=4)
    if missing and "images" in missing:
        warnings.warn(f"Docker answers, but {missing}: the tests use the embedded servers", stacklevel=1)

    if missing or wanted == "embedded":
        directory = tmp_path_factory.mktemp("servers")
        chosen = Servers(KafkaServer(directory / "kafka"), MongoServer(directory / "mongo"))
    else:
        chosen = Servers(KafkaContainer(), MongoContainer())
    both: tuple[Server, Server] = (chosen.kafka, chosen.mongo)
    try:
        with ThreadPoolExecutor(max_workers=2) as starting:
            list(starting.map(lambda server: server.start(), both))
        yield chosen
    finally:
        for server in both:
            if isinstance(server, KafkaContainer | MongoContainer):
                server.remove()
            else:
                server.kill()  # nobody reads their data again


@pytest.fixture(scope="session")
def kafka_bootstrap(servers: Servers) -> str:
    return servers.kafka_bootstrap


@pytest.fixture(scope="session")
def mongo_url(servers: Servers) -> str:
    return servers.mongo_url


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Makes a name of a topic, group or database that no other test has."""
    return lambda word: f"{word}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def database(mongo_url: str, unique: Callable[[str], str]) -> Iterator[str]:
    """The name of a fresh database, dropped after the test."""
    name = unique("test")
    yield name
    with MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(name)


@pytest.fixture
def make_topic(kafka_bootstrap: str, unique: Callable[[str], str]) -> MakeTopic:
    """Creates topics: `await make_topic("inbox", partitions=6, config={})` gives the unique name."""

    async def make(word: str = "topic", partitions: int = 3, config: dict[str, str] | None = None) -> str:
        name = unique(word)
        await apply_topics(kafka_bootstrap, topics=[Topic(name, partitions, config or {})])
        return name

    return make
