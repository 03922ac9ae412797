"""Reads the dated weights of a fit from their YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from services.matching.domain.weights import WeightHistory, Weights

SHIPPED: Final = Path(__file__).parent / "data" / "weights"


def weights_in(directory: Path = SHIPPED) -> WeightHistory:
    """All sets of the directory; raises pydantic's ValidationError with the place of what is wrong."""
    return WeightHistory(
        [
            Weights.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
            for path in sorted(directory.glob("*.yaml"))
        ]
    )
