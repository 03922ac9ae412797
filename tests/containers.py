"""Kafka and MongoDB in containers, for the tests where a Docker engine answers."""

from __future__ import annotations

import time
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ops.processes import completed, free_port
from ops.topics import apply_topics

KAFKA_IMAGE: Final = "apache/kafka:4.3.1"
MONGO_IMAGE: Final = "mongo:8"
_READY_WITHIN_S: Final = 90.0


def why_unusable() -> str | None:
    """Why Kafka and MongoDB can't be started in containers here, or None."""
    from docker.errors import DockerException
    from testcontainers.core.config import testcontainers_config

    if missing := why_not_had(KAFKA_IMAGE, MONGO_IMAGE):
        return missing
    try:
        if not testcontainers_config.ryuk_disabled:
            _have(testcontainers_config.ryuk_image)
    except DockerException:
        # It only cleans up after a test run that was killed.
        testcontainers_config.ryuk_disabled = True
    return None


def why_not_had(*images: str) -> str | None:
    """Why containers of these images can't be started here, or None once all are on this machine: no engine
    answers, or an image is missing and can't be pulled."""
    import docker
    from docker.errors import DockerException

    try:
        docker.from_env(timeout=5).ping()
    except DockerException as error:
        return f"no Docker engine answers ({error})"
    try:
        for image in images:
            _have(image)
    except DockerException as error:
        return f"its images can't be had ({error})"
    return None


def _have(image: str) -> None:
    import docker

    engine = docker.from_env(timeout=300)
    if not engine.images.list(name=image):
        engine.images.pull(image)


class _Container:
    """One server on a port that stays the same over restarts, which Docker's own choice does not."""

    def __init__(self, image: str, inside: int) -> None:
        from testcontainers.core.container import DockerContainer

        self.port = free_port()
        self._container = DockerContainer(image).with_bind_ports(inside, self.port)
        self.host = self._container.get_docker_client().host()
        self._created = False

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        """Start, the first time or again, and return once clients can use it."""
        if self._created:
            self._docker.start()
        else:
            self._container.start()
            self._created = True
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._is_ready():
            if time.monotonic() > deadline:
                log = self._docker.logs(tail=20).decode(errors="replace")
                raise TimeoutError(
                    f"{self._docker.name} was not ready within {_READY_WITHIN_S:.0f} s:\n{log}"
                )
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop in order; its data stays."""
        self._docker.stop(timeout=20)

    def kill(self) -> None:
        """SIGKILL; its data stays."""
        self._docker.kill()

    def remove(self) -> None:
        if self._created:
            self._container.stop()

    @property
    def _docker(self) -> Any:
        return self._container.get_wrapped_container()

    def _is_ready(self) -> bool:
        raise NotImplementedError


class KafkaContainer(_Container):
    """apache/kafka, one node, set up as the embedded one is."""

    def __init__(self) -> None:
        super().__init__(KAFKA_IMAGE, 9092)
        self._container.with_envs(
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_LISTENERS="PLAINTEXT://:9092,INTERNAL://:9093,CONTROLLER://:9094",
            KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://{self.address},INTERNAL://localhost:9093",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
            KAFKA_INTER_BROKER_LISTENER_NAME="INTERNAL",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9094",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
            KAFKA_BROKER_SESSION_TIMEOUT_MS="5000",
            KAFKA_BROKER_HEARTBEAT_INTERVAL_MS="1000",
            KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
            KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS="3000",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS="4",
            KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
            KAFKA_MESSAGE_MAX_BYTES=str(20 * 1024 * 1024),
            KAFKA_REPLICA_FETCH_MAX_BYTES=str(20 * 1024 * 1024),
            KAFKA_HEAP_OPTS="-Xmx512m",
        )

    @property
    def bootstrap(self) -> str:
        return self.address

    def _is_ready(self) -> bool:
        try:
            completed(apply_topics(self.bootstrap, topics=[], request_timeout_ms=2000))
        except Exception:  # noqa: BLE001  whatever a server half started answers
            return False
        return True


class MongoContainer(_Container):
    """mongo without users, a one-member replica set: transactions and change streams work."""

    def __init__(self) -> None:
        super().__init__(MONGO_IMAGE, 27017)
        self._container.with_command(
            "mongod --replSet rs0 --bind_ip_all --wiredTigerCacheSizeGB 0.5"
            " --setParameter transactionLifetimeLimitSeconds=15"
        )

    @property
    def url(self) -> str:
        """A direct connection: the member's own name is not the port mapped to the outside."""
        return f"mongodb://{self.address}/?directConnection=true"

    def _is_ready(self) -> bool:
        with MongoClient[dict[str, Any]](self.url, serverSelectionTimeoutMS=1000) as client:
            try:
                hello = client.admin.command("hello")
                if not hello["isWritablePrimary"] and "me" not in hello:
                    member = {"_id": 0, "host": "localhost:27017"}
                    client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
                    return False
                return bool(hello["isWritablePrimary"])
            except PyMongoError:
                return False
