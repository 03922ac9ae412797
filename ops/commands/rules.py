"""`cxc rules`: the rule sets on file, and what another one would change in the cases of the past."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import typer
import yaml

from ops.commands import CommandFailed
from ops.commands.given import from_settings
from services.registration.domain.rule_sets import PartnershipRules, RuleSets
from services.registration.rules_on_file import SHIPPED, rule_sets_in
from shared.partnerships import SHIPPED_PARTNERSHIPS, Partnerships


def partnerships_in_use(given: Path | None) -> Partnerships:
    """Those of the file given, else of CXC_PARTNERSHIPS, else the shipped ones."""
    path = given or from_settings("CXC_PARTNERSHIPS") or SHIPPED_PARTNERSHIPS
    try:
        return Partnerships.load(path)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise CommandFailed(f"{path} is no file of partnerships: {error}") from error


def rules_in_use(given: Path | None, partnerships: Partnerships | None = None) -> RuleSets:
    """Those of the directory given, else of CXC_ELIGIBILITY_RULES, else the shipped ones."""
    try:
        return rule_sets_in(given or from_settings("CXC_ELIGIBILITY_RULES") or SHIPPED, partnerships)
    except OSError as error:
        raise CommandFailed(f"{error.filename} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CommandFailed(str(error)) from error


def show(on: date, *, rules: Path | None, as_json: bool) -> None:
    """Print the rule sets on file: whose, from when, and which is in force on that day."""
    sets = rules_in_use(rules)
    rows: list[dict[str, Any]] = [
        {
            "id": one.id,
            "partnership": one.partnership if isinstance(one, PartnershipRules) else None,
            "valid_from": one.valid_from.isoformat(),
            "in_force": sets.is_in_force(one, on),
            "rules": [rule.id for rule in one.rules],
        }
        for one in sets.every
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    from ops.commands.shown import printable, show_table

    show_table(
        f"Rule sets on file, {on}",
        ["Set", "Of", "From", "In force", "Rules"],
        [
            [
                printable(row["id"]),
                printable(row["partnership"] or "the scheme"),
                row["valid_from"],
                "yes" if row["in_force"] else "no",
                ", ".join(row["rules"]),
            ]
            for row in rows
        ],
    )
