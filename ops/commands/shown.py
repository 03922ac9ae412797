"""How the commands write to a terminal: tables, and text of others made harmless."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_OF_FILES = 160


def printable(text: str, keep: str = "") -> str:
    """The text with everything a terminal could act on (controls, direction marks) as escapes.

    `keep` are characters left as they are, such as line ends.
    """
    return "".join(
        letter if letter.isprintable() or letter in keep else letter.encode("unicode_escape").decode()
        for letter in text
    )


def text_of(raw: bytes | None, keep: str = "") -> str:
    """Bytes of others as harmless text; what is not UTF-8 stands as escapes."""
    return printable((raw or b"").decode("utf-8", "backslashreplace"), keep)


def shorter(text: str, limit: int) -> str:
    """The text, cut with an ellipsis where it is longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def console() -> Console:
    """Standard output; wide where it is no terminal, so that a table in a file stays readable."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES, highlight=False, markup=False)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """A table on standard output; a column whose name starts with # is of numbers."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in columns:
        table.add_column(
            name.removeprefix("#"), justify="right" if name.startswith("#") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    console().print(table)
