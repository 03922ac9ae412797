"""`cxc topics`: creates the platform's topics, and shows what is there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import typer

from ops.commands import CommandFailed
from ops.commands.cluster import Cluster
from ops.commands.shown import show_table
from ops.topics import TopicsNotApplied, TopicsReport, apply_topics
from shared.messaging.topics import all_topics


def apply(state: Path, partitions: int, replication_factor: int) -> None:
    """Create the topics that are missing; those that differ from the plan are named and left alone."""
    report = asyncio.run(_apply(Cluster.find(state), partitions, replication_factor))
    for name in report.created:
        typer.echo(f"Created {name}.")
    for name, differences in report.differing.items():
        typer.echo(f"{name} is left as it is, though it {', '.join(differences)}.")
    typer.echo(
        f"{len(report.created)} created, {len(report.present)} as planned, {len(report.differing)} differing."
    )


async def _apply(cluster: Cluster, partitions: int, replication_factor: int) -> TopicsReport:
    async with cluster.admin():  # says in a sentence when nobody answers
        pass
    connection = cluster.kafka.client_options()
    try:
        return await apply_topics(
            connection.pop("bootstrap_servers"),
            partitions,
            replication_factor=replication_factor,
            **connection,
        )
    except TopicsNotApplied as error:
        raise CommandFailed(f"The topics could not be created: {error}.") from error


def show(state: Path, as_json: bool) -> None:
    """The platform's topics: partitions, messages kept; a missing one is shown as such."""
    topics = asyncio.run(_listed(Cluster.find(state)))
    if as_json:
        typer.echo(json.dumps(topics, indent=2))
        return
    show_table(
        "Topics",
        ("topic", "#partitions", "#messages kept", "#kept for, days"),
        (
            (
                topic["name"],
                str(topic["partitions"]) if topic["partitions"] else "missing: 'cxc topics apply' creates it",
                str(topic["messages"]),
                f"{topic['planned_retention_days']:g}",
            )
            for topic in topics
        ),
    )


async def _listed(cluster: Cluster) -> list[dict[str, Any]]:
    planned = {topic.name: topic for topic in all_topics()}
    async with cluster.admin() as admin:
        found = {
            topic["topic"]: len(topic["partitions"])
            for topic in await admin.describe_topics()
            if not topic["error_code"] and topic["topic"] in planned
        }
    messages = dict.fromkeys(planned, 0)
    if found:
        async with cluster.reader(*found) as consumer:
            firsts = await consumer.beginning_offsets(consumer.assignment())
            for place, end in (await consumer.end_offsets(consumer.assignment())).items():
                messages[place.topic] += end - firsts[place]
    return [
        {
            "name": name,
            "partitions": found.get(name, 0),
            "messages": messages[name],
            "planned_retention_days": int(topic.config["retention.ms"]) / 86_400_000,
        }
        for name, topic in planned.items()
    ]
