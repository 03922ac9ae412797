"""Two texts or two organisations beside each other: what is the same, and which words are not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, Literal, NamedTuple

_PIECES: Final = re.compile(r"\w+|\s+|[^\w\s]+")

Comparison = Literal["same", "differs", "left", "right"]
"""`left` and `right`: only that side says anything."""


class Piece(NamedTuple):
    """A stretch of a text, and whether the other side has it too."""

    text: str
    differs: bool


@dataclass(frozen=True)
class Row:
    """What two sides say of one thing."""

    name: str
    comparison: Comparison
    left: list[Piece]
    right: list[Piece]


def compared(left: Mapping[str, Any], right: Mapping[str, Any], names: Sequence[str]) -> list[Row]:
    """A row for each of these fields that one of the two fills in; lists are read as one text."""
    rows = []
    for name in names:
        one, other = _text(left.get(name)), _text(right.get(name))
        if not one and not other:
            continue
        pieces = word_by_word(one, other) if one and other else (_whole(one), _whole(other))
        rows.append(Row(name, _comparison(one, other), *pieces))
    return rows


def changed(pointer: str, before: Any, after: Any) -> Row:
    """A row for one change of a registration: `pointer` says where, as JSON pointers do."""
    one, other = _text(before), _text(after)
    pieces = word_by_word(one, other) if one and other else (_whole(one), _whole(other))
    name = pointer.strip("/").replace("/", " › ").replace("_", " ")
    return Row(name, _comparison(one, other), *pieces)


def word_by_word(left: str, right: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in stretches; words that are the same but for case and accents do not differ."""
    ones, others = _PIECES.findall(left), _PIECES.findall(right)
    matcher = SequenceMatcher(None, [_plain(one) for one in ones], [_plain(one) for one in others], False)
    found: tuple[list[Piece], list[Piece]] = ([], [])
    for tag, first, last, other_first, other_last in matcher.get_opcodes():
        for pieces, stretch in ((found[0], ones[first:last]), (found[1], others[other_first:other_last])):
            if said := "".join(stretch):
                pieces.append(Piece(said, tag != "equal" and bool(said.strip())))
    return found


def _comparison(left: str, right: str) -> Comparison:
    if not right:
        return "left"
    if not left:
        return "right"
    return "same" if _plain(left) == _plain(right) else "differs"


def _whole(text: str) -> list[Piece]:
    return [Piece(text, False)] if text else []


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case list():
            return "; ".join(map(_text, value))
        case dict():
            said = {name.replace("_", " "): _text(inner) for name, inner in value.items()}
            return ", ".join(f"{name} {inner}" for name, inner in said.items() if inner)
        case _:
            return str(value)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(one for one in decomposed if not unicodedata.combining(one)).casefold()
