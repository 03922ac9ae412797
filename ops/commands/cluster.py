"""The Kafka and the MongoDB a command works on: the one the settings name, or the local platform's."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pymongo.errors import ConfigurationError, PyMongoError

from ops.commands import CommandFailed
from ops.platform import running
from shared.messaging.clients import KafkaClients, KafkaTrouble
from shared.settings import KafkaSettings
from shared.storage.driver import Client, close, connect, is_transient


class _Given(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CXC_", env_file=".env", extra="ignore")

    kafka_bootstrap: str | None = None
    mongo_url: SecretStr | None = None


@dataclass(frozen=True)
class Cluster:
    """Where Kafka and MongoDB are; `run` is the local platform's record where they are its own.

    Every client opened here turns what its server says into a `CommandFailed` with a sentence.
    """

    kafka: KafkaSettings
    mongo_url: SecretStr | None
    run: dict[str, Any] | None

    @classmethod
    def find(cls, state: Path) -> Self:
        """The servers that the environment or `.env` names; where it names neither, those of the platform
        that runs on `state`: the two are never mixed.

        Raises CommandFailed when there is neither.
        """
        # What these have to say of a server that is away is said in one sentence, by the command.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        given = _Given()
        run = running(state)
        if given.kafka_bootstrap is None and given.mongo_url is None:
            if run is None or not run["environment"]:
                raise CommandFailed(
                    f"No platform runs on {state.resolve()}, and the settings name no other: start one with "
                    "'cxc up', or set CXC_KAFKA_BOOTSTRAP and CXC_MONGO_URL."
                )
            local = run["environment"]
            bootstrap, mongo_url = local["CXC_KAFKA_BOOTSTRAP"], SecretStr(local["CXC_MONGO_URL"])
            return cls(_kafka(bootstrap), mongo_url, run)
        if given.kafka_bootstrap is None:
            raise CommandFailed("CXC_MONGO_URL is set but CXC_KAFKA_BOOTSTRAP is not: set both, or neither.")
        own = run is not None and run["environment"].get("CXC_KAFKA_BOOTSTRAP") == given.kafka_bootstrap
        return cls(_kafka(given.kafka_bootstrap), given.mongo_url, run if own else None)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """A connected admin client."""
        with _as_failure():
            async with self._clients.admin() as client:
                yield client

    @asynccontextmanager
    async def producer(self, topic: str) -> AsyncIterator[AIOKafkaProducer]:
        """A producer for this topic; what it sends is confirmed by all replicas."""
        with _as_failure():
            async with self._clients.producer(topic) as producer:
                yield producer

    @asynccontextmanager
    async def reader(self, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer of all partitions of the topics, in no group, so that it disturbs nobody."""
        with _as_failure():
            async with self._clients.reader(*topics) as consumer:
                yield consumer

    @property
    def _clients(self) -> KafkaClients:
        return KafkaClients(self.kafka, "cxc-cli")

    @asynccontextmanager
    async def mongo(self) -> AsyncIterator[Client]:
        """A MongoDB client."""
        if self.mongo_url is None:
            raise CommandFailed("CXC_MONGO_URL is not set: it says where MongoDB is.")
        async with mongo_at(self.mongo_url) as client:
            yield client


@contextmanager
def _as_failure() -> Iterator[None]:
    try:
        yield
    except KafkaTrouble as trouble:
        raise CommandFailed(trouble.detail) from trouble


def mongo_url(state: Path) -> SecretStr:
    """The MongoDB that the environment or `.env` names, else that of the platform that runs on `state`.

    For what needs no Kafka. Raises CommandFailed when there is neither.
    """
    given = _Given()
    if given.mongo_url is not None:
        return given.mongo_url
    if given.kafka_bootstrap is not None:
        raise CommandFailed("CXC_KAFKA_BOOTSTRAP is set but CXC_MONGO_URL is not: set both, or neither.")
    run = running(state)
    if run is None or not run["environment"]:
        raise CommandFailed(
            f"No platform runs on {state.resolve()}, and the settings name no other: start one with "
            "'cxc up', or set CXC_MONGO_URL."
        )
    return SecretStr(run["environment"]["CXC_MONGO_URL"])


@asynccontextmanager
async def mongo_at(url: SecretStr) -> AsyncIterator[Client]:
    """A MongoDB client that says what goes wrong in a sentence."""
    try:
        client = connect(url.get_secret_value())
    except ConfigurationError as error:
        raise CommandFailed(f"CXC_MONGO_URL cannot be used: {error}.") from error
    try:
        yield client
    except PyMongoError as error:
        if is_transient(error):
            raise CommandFailed(
                "MongoDB does not answer: see that it runs, and that CXC_MONGO_URL is right."
            ) from error
        raise CommandFailed(f"MongoDB refused: {error}") from error
    finally:
        await close(client)


def _kafka(bootstrap: str) -> KafkaSettings:
    try:
        return KafkaSettings(bootstrap=bootstrap)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = "_".join(str(part) for part in problem["loc"]).upper()
        raise CommandFailed(f"CXC_KAFKA_{name} is not valid: {problem['msg']}.") from error
