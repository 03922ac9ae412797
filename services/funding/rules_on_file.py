"""Reads the dated rules and rates from their YAML files, each entry with its source."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel

from services.funding.domain.lump_sum import Policies
from services.funding.domain.places import Gazetteer
from services.funding.domain.rates import Rates, RateTable
from services.funding.domain.scheme import Scheme, SchemeRules
from shared.on_file import entries_in

SHIPPED: Final = Path(__file__).parent / "data"

M = TypeVar("M", bound=BaseModel)


@lru_cache(maxsize=4)
def policies_in(directory: Path = SHIPPED) -> Policies:
    """The rules and rates of a directory with `rates/*.yaml` and `scheme/*.yaml`, and the gazetteer.

    Raises `ValueError` naming the file that is wrong. The gazetteer reads its places at the first
    look-up, or when its `load` is called.
    """
    rates = Rates(_some_in(directory / "rates", RateTable))
    scheme = Scheme(_some_in(directory / "scheme", SchemeRules))
    return Policies(scheme, rates, Gazetteer(scheme.countries | rates.countries))


def _some_in(directory: Path, model: type[M]) -> list[M]:
    found = entries_in(directory, model)
    if not found:
        raise ValueError(f"{directory} holds no *.yaml file")
    return found
