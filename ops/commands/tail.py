"""`cxc tail`: follows the event feed, one line an event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer

from ops.commands.cluster import Cluster
from ops.commands.gist import gist
from ops.commands.shown import printable, shorter, text_of
from shared.contracts.envelope import NotACloudEvent, parse
from shared.messaging.message import Message
from shared.messaging.reading import coming, go_to_end, kept


def tail(state: Path, topics: Sequence[str], *, from_start: bool, follow: bool, as_json: bool) -> None:
    """Print what the topics hold (`from_start`) and what comes (`follow`), until Ctrl-C."""
    cluster = Cluster.find(state)
    try:
        asyncio.run(_tail(cluster, topics, from_start, follow, as_json))
    except KeyboardInterrupt:
        return


async def _tail(
    cluster: Cluster, topics: Sequence[str], from_start: bool, follow: bool, as_json: bool
) -> None:
    show = json_line if as_json else line
    async with cluster.reader(*topics) as consumer:
        if from_start:
            async for message in kept(consumer):
                typer.echo(show(message))
        else:
            await go_to_end(consumer)
        if follow:
            async for message in coming(consumer):
                typer.echo(show(message))


def line(message: Message) -> str:
    """Time (UTC), type, subject, gist and correlation of an event; of anything else its first characters."""
    try:
        event = parse(message.value, message.headers)
    except NotACloudEvent:
        start = shorter(text_of(message.value), 120) if message.value is not None else "no value"
        return f"{_time(message)}  no CloudEvent  {message.coordinates}  {start}"
    parts = (_time(message, event.time), event.type.removeprefix("cxc."), event.subject or "-", gist(event))
    correlation = f"  [{event.correlationid}]" if event.correlationid else ""
    return printable("  ".join(part for part in parts if part) + correlation)


def json_line(message: Message) -> str:
    """One JSON object: place, time and key of the message, and the CloudEvent, or else its `text`."""
    shown: dict[str, object] = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "time": datetime.fromtimestamp(message.timestamp_ms / 1000, UTC).isoformat(),
        "key": message.key.decode("utf-8", "backslashreplace") if message.key else None,
    }
    try:
        shown["event"] = parse(message.value, message.headers).model_dump(mode="json", exclude_none=True)
    except NotACloudEvent:
        shown["text"] = None if message.value is None else message.value.decode("utf-8", "backslashreplace")
    return json.dumps(shown)


def _time(message: Message, said: datetime | None = None) -> str:
    moment = said or datetime.fromtimestamp(message.timestamp_ms / 1000, UTC)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
