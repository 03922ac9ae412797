"""The bytes of a message for people to look at: as JSON where it is some, as text, and in hexadecimal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

_A_ROW: Final = 16


@dataclass(frozen=True)
class Row:
    """Sixteen bytes at the most."""

    at: str
    """Where they begin, in hexadecimal."""
    hexadecimal: str
    characters: str
    """Those of ASCII; a dot for any other byte."""


def as_json(value: bytes) -> str | None:
    """The value with one field a line, where it is JSON; else None."""
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def as_text(value: bytes) -> str:
    """The value as UTF-8; what is none, and what does not print, as the sign for it."""
    text = value.decode("utf-8", "replace")
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)


def rows(value: bytes, most: int) -> list[Row]:
    """The first `most` bytes, sixteen a row."""
    shown = value[:most]
    return [_row(at, shown[at : at + _A_ROW]) for at in range(0, len(shown), _A_ROW)]


def _row(at: int, some: bytes) -> Row:
    characters = "".join(chr(one) if 32 <= one < 127 else "." for one in some)
    return Row(f"{at:06x}", some.hex(" "), characters)
