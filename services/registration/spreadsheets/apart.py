"""Has a file read by a process of its own, with bounds on its memory and time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import orjson
import structlog

from services.registration.spreadsheets.cells import Cell, Unreadable, read_row
from services.registration.spreadsheets.reading import Format

_log = structlog.get_logger(__name__)

_MEMORY_MB: Final = 256
_ROWS_MB: Final = 200
"""Of all rows together: a few texts that many cells refer to can make a small file that large."""
_CPU_S: Final = 120


@dataclass(frozen=True)
class Spool:
    """The rows of a file that was read to its end without fault, and where they are kept."""

    format: Format
    header: list[str]
    notes: list[str]
    rows: int
    path: Path

    def read(self, after: int = 0) -> Iterator[tuple[int, list[Cell]]]:
        """The rows one by one with their numbers, those after the first `after`."""
        with self.path.open("rb") as lines:
            for line in islice(lines, after, None):
                yield read_row(line)


async def read_apart(file: Path, into: Path, *, max_rows: int) -> Spool:
    """Read the file into the file `into`; raises `Unreadable`.

    The process ends with its reader, however that ends: it writes to nobody else.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.registration.spreadsheets.reading"),
        *map(str, (file, into, max_rows, _MEMORY_MB, _ROWS_MB, _CPU_S)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Neither settings nor secrets: it reads what a stranger wrote.
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1"},
        # What stops the worker must not look like a file that cannot be read.
        start_new_session=True,
    )
    try:
        out, errors = await child.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        raise
    if errors:
        _log.info(
            "spreadsheet_reader_said", status=child.returncode, said=errors.decode(errors="replace")[-500:]
        )
    if child.returncode != 0:
        raise Unreadable(
            "The file could not be read within the time and memory there is for one; save it anew, without "
            "pictures, formats and other sheets, or as CSV."
        )
    answer = orjson.loads(out)
    if "unreadable" in answer:
        raise Unreadable(answer["unreadable"])
    return Spool(path=into, **answer)
