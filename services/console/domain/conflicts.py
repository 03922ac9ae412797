"""What else the two organisations of a match have on, that stands in its way or lies on the same days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.console.domain.calendar import Span

LIVING: Final = ("proposed", "agreed", "approved")

Kind = Literal["visit_used", "other_open", "same_days", "places"]
"""`visit_used`: the visitor is approved elsewhere; `other_open`: its other matches end with an approval;
`same_days`: the host has another visitor then; `places`: more than it has places for."""


@dataclass(frozen=True)
class Conflict:
    """One of them, with the other match."""

    kind: Kind
    match: Mapping[str, Any]


def conflicts(
    match: Mapping[str, Any], others: Iterable[Mapping[str, Any]], *, places: int | None
) -> list[Conflict]:
    """The conflicts of a match with others of its visitor and its host, the gravest first.

    `places`: visitors the host takes at the same time; None where that is not known.
    """
    visitor, host = match["visitor"]["registration_id"], match["host"]["registration_id"]
    stay = Span.of(match["stay"])
    found = []
    at_the_same_time = []
    for other in others:
        if other["state"] not in LIVING:
            continue
        if other["visitor"]["registration_id"] == visitor:
            found.append(Conflict("visit_used" if other["state"] == "approved" else "other_open", other))
        elif other["host"]["registration_id"] == host and other["state"] == "approved":
            their = Span.of(other["stay"])
            if their.first <= stay.last and stay.first <= their.last:
                at_the_same_time.append(other)
    full = places is not None and len(at_the_same_time) >= places
    found += [Conflict("places" if full else "same_days", other) for other in at_the_same_time]
    order: list[Kind] = ["visit_used", "places", "same_days", "other_open"]
    return sorted(found, key=lambda conflict: order.index(conflict.kind))
