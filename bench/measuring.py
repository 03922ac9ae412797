"""What benchmarks of running processes measure alike: CPU used, and what most of some values stay under."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ops.platform import Platform


def cpu_of(pid: int) -> float:
    """CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(platform: Platform) -> dict[str, float]:
    """CPU seconds every process of the platform that runs has used, and this one."""
    pids = {name: child.pid for name, child in platform.children.items() if child.alive and child.pid}
    return {name: cpu_of(pid) for name, pid in {**pids, "bench": os.getpid()}.items()}


def under(values: Sequence[float], share: float) -> float:
    """What this share of the values stays under."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
