"""What a message says, in plain text: the same in the inbox and in both parts of a mail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """A subject of one line, paragraphs parted by blank lines, and the one link."""

    subject: str
    text: str
    link: str
    link_label: str
    why: str = ""
    """Why its reader gets it, in a sentence of its own."""


@dataclass(frozen=True)
class FootLine:
    """A line below a mail: a sentence, and where it leads."""

    text: str
    link: str | None = None
