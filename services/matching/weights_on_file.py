"""Reads the dated weights of a fit from their YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.matching.domain.weights import WeightHistory, Weights
from shared.on_file import entries_in

SHIPPED: Final = Path(__file__).parent / "data" / "weights"


def weights_in(directory: Path = SHIPPED) -> WeightHistory:
    """All sets of the directory; raises `ValueError` naming the file that is wrong."""
    return WeightHistory(entries_in(directory, Weights))
