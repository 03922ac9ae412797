"""Reads the dated rule sets from their YAML files: the scheme's, and what partnerships change in them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from services.registration.domain.eligibility import RuleSet
from services.registration.domain.rule_sets import PartnershipRules, RuleSets, WrongRuleSet
from shared.on_file import entry_in
from shared.partnerships import Partnerships

SHIPPED: Final = Path(__file__).parent / "data" / "eligibility"
_OF_PARTNERSHIPS: Final = "partnerships"


def rule_sets_in(directory: Path = SHIPPED, partnerships: Partnerships | None = None) -> RuleSets:
    """The scheme's sets, every `*.yaml` of the directory, with those of `partnerships/*.yaml` in it.

    Raises `ValueError` naming the file that is wrong; also, where `partnerships` are given, one whose
    partnership is none of them: it would change nothing, and nobody would notice.
    """
    scheme = {path: rule_set_in(path) for path in sorted(directory.glob("*.yaml"))}
    own = {
        path: entry_in(path, PartnershipRules)
        for path in sorted((directory / _OF_PARTNERSHIPS).glob("*.yaml"))
    }
    if not scheme:
        raise ValueError(f"{directory} holds no rule set of the scheme; one is a file *.yaml right in it.")
    for path, rules in own.items():
        if partnerships is not None and partnerships.get(rules.partnership) is None:
            known = ", ".join(one.id for one in partnerships) or "none"
            raise ValueError(
                f"{path} is for the partnership '{rules.partnership}', which is not configured; those are: "
                f"{known}."
            )
    try:
        return RuleSets(scheme.values(), own.values())
    except WrongRuleSet as error:
        # Of two files that are each other's fault, the later one is named.
        path = [path for path, rules in (scheme | own).items() if rules.id == error.rule_set][-1]
        raise ValueError(f"{path} does not fit: {error}.") from error


def rule_set_in(path: Path) -> RuleSet:
    """The scheme's rule set in one file; raises `ValueError` naming the file and what is wrong in it."""
    return entry_in(path, RuleSet)


def candidate_in(path: Path) -> RuleSet | PartnershipRules:
    """A rule set that may not be on file yet; one with a `partnership` is a partnership's.

    Raises `ValueError` naming the file and what is wrong in it, and `OSError`.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    own = isinstance(content, dict) and "partnership" in content
    return entry_in(path, PartnershipRules) if own else rule_set_in(path)
