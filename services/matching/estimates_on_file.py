"""Reads the dated estimates of what an exchange costs from their YAML files."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from shared.contracts.vocabulary import Country
from shared.on_file import entries_in

SHIPPED: Final = Path(__file__).parent / "data" / "estimates"


class Estimates(BaseModel):
    """EUR of a full lump sum by host country, from a day on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    in_force_from: date
    source: str
    full_lump_sums: dict[Country, Decimal]


@cache
def _on_file() -> tuple[Estimates, ...]:
    return tuple(sorted(entries_in(SHIPPED, Estimates), key=lambda entry: entry.in_force_from))


def estimated_lump_sums(on: date) -> dict[str, Decimal]:
    """EUR by host country, as estimated for that day; the first table for days before it."""
    known = [entry for entry in _on_file() if entry.in_force_from <= on] or list(_on_file()[:1])
    return dict(known[-1].full_lump_sums)
