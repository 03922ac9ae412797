"""The form of a Commitment to Quality: its agenda in rows, and how all of it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

COLUMNS: Final = ("day", "begins", "ends", "title", "responsible")
SAID_BY: Final = ("title", "responsible", "begins", "ends")
"""Columns that make a row one that is filled in; a day alone does not."""
MORE_ROWS: Final = 3
MOST_ROWS: Final = 60
"""Rows an agenda can have."""

Row = Mapping[str, Any]


class Sent(Protocol):
    """A form that was sent."""

    def text(self, name: str, default: str = "") -> str:
        """The value of a field."""
        ...

    def __iter__(self) -> Iterator[str]:
        """The names of its fields."""
        ...


def content(form: Sent) -> dict[str, Any]:
    """What the two agree on, as the matching API takes it; without the version it is based on."""
    return {
        "goals": form.text("goals"),
        "agenda": agenda(form),
        "expected_results": form.text("expected_results"),
    }


def agenda(form: Sent) -> list[dict[str, str | None]]:
    """The rows that are filled in, in the order of the form."""
    numbers = sorted(
        int(number) for name in form if (number := name.removeprefix("day-")) != name and number.isdecimal()
    )
    filled = (
        {column: form.text(f"{column}-{number}") or None for column in COLUMNS}
        for number in numbers[: MOST_ROWS + MORE_ROWS]
    )
    return [
        {**row, "title": row["title"] or "", "responsible": row["responsible"] or ""}
        for row in filled
        if any(row[column] for column in SAID_BY)
    ]


def rows(items: Sequence[Row]) -> list[Row]:
    """The rows the form shows: what there is, and some that are blank as long as there may be more."""
    blank: Row = dict.fromkeys(COLUMNS)
    return [*items, *[blank] * min(MORE_ROWS, max(MOST_ROWS - len(items), 0))]
