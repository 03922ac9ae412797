"""`cxc dead-letters`: what the services could not handle; to read, and to send back to them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import typer
from aiokafka import AIOKafkaProducer

from ops.commands import CommandFailed
from ops.commands.cluster import Cluster
from ops.commands.reading import kept, message_at
from ops.commands.shown import printable, shorter, show_table, text_of
from shared.messaging import dead_letters, topics
from shared.messaging.message import Message


@dataclass(frozen=True)
class Letter:
    """A dead letter without its value; `bytes` is the size the message had."""

    service: str
    offset: int
    failed_at: str
    reason: str
    detail: str
    source: str
    bytes: int
    truncated: bool
    replayed: bool

    @classmethod
    def of(cls, message: Message, service: str, replayed: Collection[str]) -> Self:
        """What its headers say; `replayed` holds the coordinates of letters that were sent back."""
        truncated_from = message.header(dead_letters.TRUNCATED)
        return cls(
            service=service,
            offset=message.offset,
            failed_at=message.header(dead_letters.FAILED_AT) or "",
            reason=message.header(dead_letters.REASON) or "",
            detail=message.header(dead_letters.DETAIL) or "",
            source=message.header(dead_letters.SOURCE) or "",
            bytes=int(truncated_from or len(message.value or b"")),
            truncated=truncated_from is not None,
            replayed=message.coordinates in replayed,
        )


async def letters_of(cluster: Cluster, service: str) -> list[Letter]:
    """All dead letters of a service, oldest first."""
    replayed = await _replayed(cluster, service)
    async with cluster.reader(topics.dead_letters(service)) as consumer:
        return [Letter.of(message, service, replayed) async for message in kept(consumer)]


async def _replayed(cluster: Cluster, service: str) -> set[str]:
    """Coordinates of the service's dead letters that were sent back, by what its replay topic says."""
    async with cluster.reader(topics.replays(service)) as consumer:
        return {
            letter async for message in kept(consumer) if (letter := message.header(dead_letters.REPLAY_OF))
        }


# ── list and show ────────────────────────────────────────────────────────────────────────────


def show_all(state: Path, services: Sequence[str], as_json: bool) -> None:
    """A table, or JSON, of the services' dead letters."""

    async def collected() -> list[Letter]:
        cluster = Cluster.find(state)
        return [letter for service in services for letter in await letters_of(cluster, service)]

    letters = asyncio.run(collected())
    if as_json:
        typer.echo(json.dumps([asdict(letter) for letter in letters], indent=2))
    elif not letters:
        typer.echo("There are no dead letters.")
    else:
        show_table(
            "Dead letters",
            ("service", "#offset", "failed at", "reason", "detail", "source", "#bytes", "replayed"),
            (
                (
                    letter.service,
                    str(letter.offset),
                    letter.failed_at[:19],
                    letter.reason,
                    shorter(printable(letter.detail), 200),
                    letter.source,
                    str(letter.bytes),
                    "yes" if letter.replayed else "no",
                )
                for letter in letters
            ),
        )


def show_one(state: Path, service: str, offset: int, raw: bool) -> None:
    """One dead letter in full, its value as harmless text; `raw`: the value's very bytes and nothing else."""

    async def found() -> tuple[Message, set[str]]:
        cluster = Cluster.find(state)
        return await _letter_at(cluster, service, offset), await _replayed(cluster, service)

    message, replayed = asyncio.run(found())
    if raw:
        sys.stdout.buffer.write(message.value or b"")
        return
    letter = Letter.of(message, service, replayed)
    said = {
        "service": letter.service,
        "offset": str(letter.offset),
        "failed at": letter.failed_at,
        "reason": letter.reason,
        "detail": letter.detail,
        "source": letter.source,
        "bytes": f"{letter.bytes}" + (f", of which {len(message.value or b'')} kept" * letter.truncated),
        "replayed": "yes" if letter.replayed else "no",
        "key": text_of(message.key),
    }
    for name, text in said.items():
        typer.echo(f"{name + ':':<10} {printable(text)}")
    for name, value in dead_letters.original_headers(message.headers):
        typer.echo(f"{'header:':<10} {printable(name)}: {text_of(value)}")
    typer.echo()
    typer.echo(text_of(message.value, keep="\n\t"))


async def _letter_at(cluster: Cluster, service: str, offset: int) -> Message:
    message = await message_at(cluster, topics.dead_letters(service), 0, offset)
    if message is None:
        raise CommandFailed(
            f"{service} has no dead letter {offset}: 'cxc dead-letters list --service {service}' shows those "
            "it has."
        )
    return message


# ── replay ───────────────────────────────────────────────────────────────────────────────────


def replay(
    state: Path, service: str, *, offsets: Sequence[int], every: bool, reason: str | None, again: bool
) -> bool:
    """Send dead letters back to the service that failed on them; False when one of them could not be.

    Chosen by offset, by reason or all; those sent back before only with `again`.
    """
    if [bool(offsets), every, reason is not None].count(True) != 1:
        raise typer.BadParameter("choose by OFFSET, by --reason or --all; one of the three.")
    return asyncio.run(_replay(Cluster.find(state), service, offsets, reason, again))


async def _replay(
    cluster: Cluster, service: str, offsets: Sequence[int], reason: str | None, again: bool
) -> bool:
    replayed = await _replayed(cluster, service)

    def wanted(message: Message) -> bool:
        return reason is None or message.header(dead_letters.REASON) == reason

    sent = passed_over = failed = 0
    async with cluster.producer(topics.replays(service)) as producer:
        async for message in _chosen(cluster, service, offsets, wanted):
            if message.coordinates in replayed and not again:
                passed_over += 1
                continue
            try:
                place = await _send_back(cluster, producer, message)
            except CommandFailed as why:
                failed += 1
                typer.echo(str(why), err=True)
            else:
                sent += 1
                typer.echo(f"Replayed dead letter {message.offset} of {service} to {place}.")
    before = f" {passed_over} had been replayed before: --again sends them once more." if passed_over else ""
    done = not failed and not (offsets and passed_over)
    typer.echo(f"{sent} replayed.{before}", err=not done)
    return done


async def _chosen(
    cluster: Cluster, service: str, offsets: Sequence[int], wanted: Callable[[Message], bool]
) -> AsyncIterator[Message]:
    if offsets:
        # All are looked up before the first is sent: a wrong one sends none.
        for message in [await _letter_at(cluster, service, offset) for offset in sorted(set(offsets))]:
            yield message
        return
    async with cluster.reader(topics.dead_letters(service)) as consumer:
        async for message in kept(consumer):
            if wanted(message):
                yield message


async def _send_back(cluster: Cluster, producer: AIOKafkaProducer, letter: Message) -> str:
    try:
        outgoing = dead_letters.replay_of(await _whole(cluster, letter))
    except ValueError as error:
        raise CommandFailed(f"Dead letter {letter.offset} cannot be replayed: {error}.") from error
    where = await producer.send_and_wait(
        outgoing.topic, outgoing.value, key=outgoing.key, headers=list(outgoing.headers)
    )
    return f"{where.topic}/{where.partition}/{where.offset}"


async def _whole(cluster: Cluster, letter: Message) -> Message:
    """The letter with the value it had before it was truncated, from where it was first read."""
    size = letter.header(dead_letters.TRUNCATED)
    if size is None:
        return letter
    source = letter.header(dead_letters.SOURCE) or "//"
    topic, partition, offset = source.rsplit("/", 2)
    original = await message_at(cluster, topic, int(partition), int(offset)) if topic else None
    if original is None or len(original.value or b"") != int(size):
        raise CommandFailed(
            f"Dead letter {letter.offset} was too large to be kept whole, and {source} is kept no longer: "
            "ask the sender to send it again."
        )
    return letter._replace(value=original.value)
