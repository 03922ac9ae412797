"""Reads the dated rules and rates from their YAML files, each entry with its source."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import BaseModel

from services.funding.domain.lump_sum import Policies
from services.funding.domain.places import Gazetteer
from services.funding.domain.rates import Rates, RateTable
from services.funding.domain.scheme import Scheme, SchemeRules

SHIPPED: Final = Path(__file__).parent / "data"

M = TypeVar("M", bound=BaseModel)


@lru_cache(maxsize=4)
def policies_in(directory: Path = SHIPPED) -> Policies:
    """The rules and rates of a directory with `rates/*.yaml` and `scheme/*.yaml`, and the gazetteer.

    Raises `ValueError` naming the file that is wrong. The gazetteer reads its places at the first
    look-up, or when its `load` is called.
    """
    rates = Rates(entry_in(path, RateTable) for path in _files(directory / "rates"))
    scheme = Scheme(entry_in(path, SchemeRules) for path in _files(directory / "scheme"))
    return Policies(scheme, rates, Gazetteer(scheme.countries | rates.countries))


def entry_in(path: Path, model: type[M]) -> M:
    """The entry of one file; raises `ValueError` naming the file and what is wrong in it."""
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is no {model.__name__}: {error}") from error


def _files(directory: Path) -> list[Path]:
    found = sorted(directory.glob("*.yaml"))
    if not found:
        raise ValueError(f"{directory} holds no *.yaml file")
    return found
