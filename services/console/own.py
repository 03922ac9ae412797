"""The registrations of whoever is signed in: in whose name they act, and on which side of an exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from services.console.apis import AllApis

Side = Literal["visitor", "host"]

MOST: Final = 50
"""Registrations an organisation can look at at once; one is usual, and one for each partnership possible."""

OTHER: Final[dict[Side, Side]] = {"visitor": "host", "host": "visitor"}


async def own_registrations(apis: AllApis) -> list[dict[str, Any]]:
    """The lines of the organisation's registrations; raises `ApiProblem` and `ServiceDown`."""
    found = await apis.registration.get("/registrations", {"limit": MOST, "sort": "-submitted_at"})
    items: list[dict[str, Any]] = found["items"]
    return items


def accepted_as(own: Sequence[Mapping[str, Any]], role: str) -> list[Mapping[str, Any]]:
    """Those that are in the pool in this role, the latest first."""
    return [line for line in own if line["state"] == "accepted" and role in line["roles"]]


def side_in(match: Mapping[str, Any], own: Sequence[Mapping[str, Any]]) -> Side | None:
    """The side of a match that is one of these registrations; None where neither is."""
    ids = {line["id"] for line in own}
    sides: tuple[Side, Side] = ("visitor", "host")
    return next((side for side in sides if match[side]["registration_id"] in ids), None)
