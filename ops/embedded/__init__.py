"""Real Kafka, MongoDB and a mail sink as ordinary user processes, from package registries alone."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cache() -> Path:
    """Where downloads are kept, apart from any state directory: CXC_CACHE_DIR, or var/cache of the clone."""
    return Path(os.environ.get("CXC_CACHE_DIR") or ROOT / "var" / "cache")
