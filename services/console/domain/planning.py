"""What a plan is asked for, as a form sends it; how its figures compare; how exchanges flow over the map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from services.console.domain.judging import Sent, degrees, number

CAP_ROWS: Final = 3
"""Limits the form has room for; who needs more asks the API."""
_CAP: Final = ("on", "of", "at-most")


def plan_order(form: Sent) -> dict[str, Any]:
    """What `POST /plans` takes; what is no number is left for the API to refuse."""
    order: dict[str, Any] = {
        "caps": [_cap(form, row) for row in cap_rows(form)],
        "dry_run": form.text("dry_run") == "true",
    }
    if margin := form.text("keep_margin"):
        order["keep_margin"] = degrees(margin)
    if partnerships := form.list("partnerships"):
        order["partnerships"] = partnerships
    budgets = {name.partition("-")[2]: form.text(name) for name in form.list("budgeted") if form.text(name)}
    if budgets:
        order["budgets"] = budgets
    return order


def cap_rows(form: Sent) -> list[int]:
    """The rows of limits in which something is filled in: the first of them is the first the API hears of."""
    return [row for row in range(CAP_ROWS) if any(form.text(f"cap-{row}-{name}") for name in _CAP)]


def _cap(form: Sent, row: int) -> dict[str, Any]:
    on, of, at_most = (form.text(f"cap-{row}-{name}") for name in _CAP)
    return {"on": on, "of": of, "at_most": number(at_most)}


@dataclass(frozen=True)
class Arc:
    """Exchanges from one country to another."""

    source: str
    """The visitors' country, ISO 3166-1."""
    target: str
    """The hosts'."""
    count: int


def arcs(pairs: Iterable[Mapping[str, Any]]) -> list[Arc]:
    """How many exchanges there are between each two countries, most first; `pairs` as a plan has them."""
    counted = Counter((pair["visitor"]["country"], pair["host"]["country"]) for pair in pairs)
    found = [Arc(source, target, count) for (source, target), count in counted.items()]
    return sorted(found, key=lambda arc: (-arc.count, arc.source, arc.target))


class Compared(NamedTuple):
    """One figure of two plans."""

    name: str
    first: float
    second: float

    @property
    def change(self) -> float:
        """What the second has more."""
        return round(self.second - self.first, 2)


_FIGURES: Final = ("exchanges", "total_score", "kept", "broken", "visitors", "hosts")


def compared(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Compared]:
    """The figures of two plans side by side, and the visitors without a host, by the reason."""
    rows = [Compared(name, first[name], second[name]) for name in _FIGURES]
    reasons = [*first["unmatched"], *(why for why in second["unmatched"] if why not in first["unmatched"])]
    return rows + [
        Compared(why, first["unmatched"].get(why, 0), second["unmatched"].get(why, 0)) for why in reasons
    ]
