"""Many messages in one mail: by case and not by event, and never longer than one likes to read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

from services.notifications.domain.rules import Channel

CASES: Final = 30
"""Cases a digest tells of; how many more there are, it says."""
LINES: Final = 5
"""What it says of each: how the case stands now, and what came before that."""
FEW: Final = 3
"""So many messages that only had to wait are sent as they are; more become a digest."""


class Mailbox(NamedTuple):
    """Whose messages go together, and to where."""

    person: str
    channel: Channel
    address: str | None
    """Of mails; of a chat, the name of the room."""


@dataclass(frozen=True)
class Item:
    """One message that is told in a digest."""

    case: str
    name: str
    """What the case is called: its organisations."""
    kind: str
    subject: str
    link: str
    link_label: str
    at: datetime
    asks: bool = False
    """Whether its recipient has something to do."""


@dataclass(frozen=True)
class Line:
    """What happened in a case, in words; `times` when it did several times in a row, `at` when last."""

    subject: str
    at: datetime
    times: int = 1


@dataclass(frozen=True)
class CaseDigest:
    """What a digest says of one case."""

    id: str
    name: str
    link: str
    link_label: str
    asks: bool
    now: Line
    """The latest."""
    before: tuple[Line, ...] = ()
    """What came before it, in order."""
    earlier: int = 0
    """Messages older than those lines."""


@dataclass(frozen=True)
class Digest:
    """All that one mail says: those cases first in which there is something to do, then the latest first."""

    total: int
    """Messages it stands for."""
    cases: tuple[CaseDigest, ...]
    more_cases: int = 0
    more: int = 0
    """Messages about the cases that are left out."""

    @property
    def to_do(self) -> int:
        """In how many of the cases it tells of there is something to do."""
        return sum(case.asks for case in self.cases)

    def facts(self, *, staff: bool) -> dict[str, Any]:
        """What the text of a digest knows."""
        return {
            "cases": self.cases,
            "more": self.more,
            "more_cases": self.more_cases,
            "only": self.cases[0].name if len(self.cases) == 1 else "",
            "staff": staff,
            "to_do": self.to_do,
            "total": self.total,
        }


def by_case(items: Iterable[Item], *, cases: int = CASES, lines: int = LINES) -> Digest:
    """Put messages together, at most `cases` cases and `lines` lines of each, two at the least."""
    threads: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: item.at):
        threads.setdefault(item.case, []).append(item)
    told = sorted(
        (_told(thread, lines) for thread in threads.values()), key=lambda case: case.now.at, reverse=True
    )
    told.sort(key=lambda case: not case.asks)
    return Digest(
        total=sum(map(len, threads.values())),
        cases=tuple(told[:cases]),
        more_cases=max(0, len(told) - cases),
        more=sum(len(threads[case.id]) for case in told[cases:]),
    )


def _told(thread: list[Item], lines: int) -> CaseDigest:
    runs = (list(run) for _, run in groupby(thread, key=lambda item: item.subject))
    said = [Line(run[-1].subject, run[-1].at, len(run)) for run in runs]
    *before, now = said[-lines:]
    latest = thread[-1]
    return CaseDigest(
        id=latest.case,
        # A payment or a plan is called by what it says of itself.
        name=latest.name or latest.subject,
        link=latest.link,
        link_label=latest.link_label,
        # An approval ends that one was asked for; a message that came in between does not.
        asks=any({item.kind: item.asks for item in thread}.values()),
        now=now,
        before=tuple(before),
        earlier=len(thread) - sum(line.times for line in (*before, now)),
    )
