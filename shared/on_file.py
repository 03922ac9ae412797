"""Reads entries of data from their YAML files, one entry a file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def entry_in(path: Path, model: type[M]) -> M:
    """The entry of one file; raises `ValueError` naming the file and what is wrong in it."""
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is no {model.__name__}: {error}") from error


def entries_in(directory: Path, model: type[M]) -> list[M]:
    """The entries of every `*.yaml` in the directory, by file name; raises as `entry_in` does."""
    return [entry_in(path, model) for path in sorted(directory.glob("*.yaml"))]
