"""What waits for whom: the next steps of a case, as its parts stand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final, Literal

from pydantic import BaseModel

WaitKind = Literal[
    "registration",
    "question",
    "interest",
    "proposal",
    "match",
    "commitment",
    "lump_sum",
    "budget",
    "agreement",
    "account",
    "report",
    "evidence",
    "payment",
    "release",
    "match_ended",
    "return",
]

EVERYTHING: Final = "all"
"""Who sees everything."""
SUPPORT: Final = "support"
"""Whose turn it is where a registration has no partnership yet."""


class Waiting(BaseModel):
    """One thing that waits for somebody."""

    kind: WaitKind
    whose: str
    """`desk:…` and a partnership, `owner:…` and an organisation, or `support`."""
    since: datetime
    begins: date | None = None
    """Before this day nothing can be done."""
    until: date | None = None
    """The last day for it, where there is one."""


def desk(partnership: str | None) -> str:
    """Staff of a partnership; the support office where there is none."""
    return f"desk:{partnership}" if partnership else SUPPORT


def owner(organisation: str) -> str:
    """Whoever may act for an organisation."""
    return f"owner:{organisation}"


def waiting_keys(waits: Iterable[Waiting]) -> list[str]:
    """For whom something waits, each once; with `EVERYTHING` where staff are to act."""
    keys = sorted({one.whose for one in waits})
    staff = any(not key.startswith("owner:") for key in keys)
    return [*keys, EVERYTHING] if staff else keys
