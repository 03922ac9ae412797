"""What the pages that show possible partners have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.console.own import Side

FOUND_AMONG: Final[Mapping[Side, str]] = {"visitor": "visitors", "host": "hosts"}
"""The side of the catalogue on which somebody in that role is found."""


def sides_of(partner: str, looked_for: str, seeker: str) -> dict[str, str]:
    """Who would visit whom, as the page that proposes days takes it; `looked_for`: hosts or visitors."""
    if looked_for == "hosts":
        return {"visitor": seeker, "host": partner}
    return {"visitor": partner, "host": seeker}
