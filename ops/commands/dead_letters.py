"""`cxc dead-letters`: what the services could not handle; to read, and to send back to them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from ops.commands import CommandFailed
from ops.commands.cluster import Cluster
from ops.commands.shown import printable, shorter, show_table, text_of
from shared.messaging import dead_letters
from shared.messaging.letters import (
    Letter,
    NotToReplay,
    letter_at,
    letters_of,
    messages_of,
    replayed_of,
    replays_to,
)
from shared.messaging.message import Message

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
        return await _letter_at(cluster, service, offset), await replayed_of(cluster, service)

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
    message = await letter_at(cluster, service, offset)
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
    replayed = await replayed_of(cluster, service)

    def wanted(message: Message) -> bool:
        return reason is None or message.header(dead_letters.REASON) == reason

    sent = passed_over = failed = 0
    async with replays_to(cluster, service) as replays:
        async for message in _chosen(cluster, service, offsets, wanted):
            if message.coordinates in replayed and not again:
                passed_over += 1
                continue
            try:
                place = await replays.send_back(message)
            except NotToReplay as why:
                failed += 1
                typer.echo(why.detail, err=True)
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
    async for message in messages_of(cluster, service):
        if wanted(message):
            yield message
