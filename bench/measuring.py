"""What benchmarks of running processes measure alike: CPU used, and what most of some values stay under."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ops.platform import Platform, Ports


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


def measured_alone(
    name: str,
    partnerships: Iterable[Mapping[str, Any]],
    measure: Callable[[Platform], Coroutine[Any, Any, Mapping[str, object]]],
) -> None:
    """Measure on a fresh MongoDB and issuer, without services; a line a figure, then one line of JSON."""
    state = Path("var/bench") / name
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    written = state / "partnerships.yaml"
    written.write_text(yaml.safe_dump({"partnerships": list(partnerships)}))
    with Platform(
        state,
        ports=Ports.any(),
        servers=("mongo", "issuer"),
        services=[],
        kafka_bootstrap="127.0.0.1:1",
        partnerships=written,
    ) as platform:
        platform.start()
        platform.wait_ready()
        figures = asyncio.run(measure(platform))
    for figure_name, figure in figures.items():
        print(f"{figure_name:<40}{figure}")
    print(json.dumps({"bench": name, "load": os.getloadavg()[0], **figures}))
