"""What the replays of rules and of rates have in common: a candidate on file, and what it would change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer

from ops.commands import CommandFailed

C = TypeVar("C")


def candidate_on_file(path: Path, read: Callable[[Path], C]) -> C:
    """What the file says; raises `CommandFailed` where it cannot be read, or what it says is wrong."""
    try:
        return read(path)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CommandFailed(str(error)) from error


async def print_json(
    candidate: str,
    changes: AsyncIterator[C],
    as_json: Callable[[C], Mapping[str, Any]],
    counts: Callable[[], Mapping[str, Any]],
) -> None:
    """One JSON document with each change and, after the last, the counts.

    Written as it comes: all of the past may change.
    """
    typer.echo(f'{{"candidate": {json.dumps(candidate)}, "changes": [', nl=False)
    between = "\n"
    async for change in changes:
        typer.echo(between + json.dumps(as_json(change), ensure_ascii=False), nl=False)
        between = ",\n"
    typer.echo(f'],\n"counts": {json.dumps(counts(), indent=2)}}}')


async def print_lines(changes: AsyncIterator[C], lines: Callable[[C], Sequence[str]]) -> None:
    """Each change for a person to read."""
    async for change in changes:
        typer.echo("\n".join(lines(change)))


def left_out(ids: Sequence[str], why: str) -> list[str]:
    """A line that so many were left out, and the first of them; none where none was."""
    some = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
    return [f"{len(ids):,} left out {why}: {some}"] if ids else []
