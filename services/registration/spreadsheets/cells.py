"""What stands in a cell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from shared.spreadsheets import unguarded

MAX_TEXT: Final = 32_000
"""Characters in one cell; Excel takes 32,767, an apostrophe before them included."""


SAVE_AS: Final = "open it in your spreadsheet program and save it as 'Excel workbook (.xlsx)' or 'CSV UTF-8'"


class Unreadable(Exception):
    """The file holds no rows that could be read; the text says why, and what to do."""


class Faulty(NamedTuple):
    """A cell without a usable value: what is seen in it, and what to do about it."""

    said: str
    why: str


Cell = str | int | float | bool | datetime | Faulty | None
"""A cell's value; a day is a `datetime` at midnight."""


def as_text(cell: Cell) -> str:
    """The cell as it is typed: whole numbers without a fraction, days as ISO 8601, `yes` and `no`."""
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case datetime():
            midnight = cell.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
            return cell.date().isoformat() if cell == midnight else cell.isoformat(sep=" ")
        case Faulty():
            return cell.said
        case _:
            return str(cell)


def is_empty(cell: Cell) -> bool:
    """Whether nothing but blanks stands in it."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def characters_in(cells: Sequence[Cell]) -> int:
    """How many characters of text stand in the cells."""
    return sum(len(cell) for cell in cells if isinstance(cell, str))


def text_cell(text: str) -> Cell:
    """The cell in which this text was found."""
    if len(text) > MAX_TEXT:
        return Faulty(text[:200] + "…", f"has {len(text)} characters, more than a cell can; shorten it")
    return unguarded(text)


# ── between processes ────────────────────────────────────────────────────────────────────────


def write_row(number: int, cells: Sequence[Cell]) -> bytes:
    """A row as a line of JSON; `read_row` reads it."""
    return orjson.dumps(
        [number, cells],
        default=_as_object,
        option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_APPEND_NEWLINE,
    )


def read_row(line: bytes) -> tuple[int, list[Cell]]:
    """The row's number and its cells."""
    number, cells = orjson.loads(line)
    return number, [_from_object(cell) if isinstance(cell, dict) else cell for cell in cells]


def _as_object(cell: Any) -> dict[str, str]:
    if isinstance(cell, Faulty):
        return cell._asdict()
    assert isinstance(cell, datetime)
    return {"moment": cell.isoformat()}


def _from_object(value: dict[str, str]) -> Cell:
    return datetime.fromisoformat(value["moment"]) if "moment" in value else Faulty(**value)
