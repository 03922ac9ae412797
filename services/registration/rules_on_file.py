"""Reads the dated rule sets from their YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from services.registration.domain.eligibility import RuleSet, RuleSets

SHIPPED: Final = Path(__file__).parent / "data" / "eligibility"


def rule_sets_in(directory: Path = SHIPPED) -> RuleSets:
    """Every `*.yaml` of the directory; raises `ValueError` naming the file that is wrong."""
    return RuleSets(rule_set_in(path) for path in sorted(directory.glob("*.yaml")))


def rule_set_in(path: Path) -> RuleSet:
    """The rule set of one file; raises `ValueError` naming the file and what is wrong in it."""
    try:
        return RuleSet.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is no rule set: {error}") from error
