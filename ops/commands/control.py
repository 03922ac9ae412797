"""`cxc control`: says something to every running worker of a service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import typer

from ops.commands.cluster import Cluster
from shared.messaging.topics import control as control_topic

LEVELS = ("debug", "info", "warning", "error")


def control(state: Path, service: str, command: str, level: str | None) -> None:
    """Write one command to the service's control topic."""
    said = {"command": command.replace("-", "_")}
    if command == "log-level":
        if level not in LEVELS:
            raise typer.BadParameter(f"log-level needs a LEVEL: {', '.join(LEVELS)}.")
        said["level"] = level
    elif level is not None:
        raise typer.BadParameter(f"{command} takes no LEVEL.")
    asyncio.run(_say(Cluster.find(state), service, said))
    what = f"log at level {level}" if level else command
    typer.echo(f"Told the workers of {service} that run now: {what}.")


async def _say(cluster: Cluster, service: str, said: dict[str, str]) -> None:
    topic = control_topic(service)
    async with cluster.producer(topic) as producer:
        await producer.send_and_wait(topic, json.dumps(said).encode())
