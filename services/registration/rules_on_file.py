"""Reads the dated rule sets from their YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.registration.domain.eligibility import RuleSet, RuleSets
from shared.on_file import entries_in, entry_in

SHIPPED: Final = Path(__file__).parent / "data" / "eligibility"


def rule_sets_in(directory: Path = SHIPPED) -> RuleSets:
    """Every `*.yaml` of the directory; raises `ValueError` naming the file that is wrong."""
    return RuleSets(entries_in(directory, RuleSet))


def rule_set_in(path: Path) -> RuleSet:
    """The rule set of one file; raises `ValueError` naming the file and what is wrong in it."""
    return entry_in(path, RuleSet)
