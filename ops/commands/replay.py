"""`cxc rules replay`: what a candidate rule set would change in the cases of the past."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import SecretStr

from ops.commands import CommandFailed
from ops.commands.cluster import mongo_at, mongo_url
from ops.commands.replayed import candidate_on_file, left_out, print_json, print_lines
from ops.commands.rules import rules_in_use
from ops.commands.shown import printable
from services.registration.domain.eligibility import RuleSet
from services.registration.domain.replay import Change
from services.registration.domain.rule_sets import PartnershipRules, RuleSets, WrongRuleSet
from services.registration.rules_on_file import candidate_in
from services.registration.settings import RegistrationSettings
from services.registration.use_cases.replay_rules import Tally, replay_rules

_DATABASE: Final = f"cxc_{RegistrationSettings.service}"


def replay(state: Path, path: Path, *, rules: Path | None, as_json: bool) -> None:
    """Print the cases whose verdict would change as they are found, then the counts."""
    candidate = candidate_on_file(path, candidate_in)
    try:
        asyncio.run(_replay(mongo_url(state), rules_in_use(rules), candidate, as_json))
    except WrongRuleSet as error:
        raise CommandFailed(f"{path} does not fit the rules on file: {error}.") from error


async def _replay(
    url: SecretStr, rules: RuleSets, candidate: RuleSet | PartnershipRules, as_json: bool
) -> None:
    tally = Tally()
    async with mongo_at(url) as client:
        changes = replay_rules(client[_DATABASE], rules, candidate, tally)
        if as_json:
            await print_json(candidate.id, changes, _as_json, partial(_counts, tally))
            return
        await print_lines(changes, _lines)
    typer.echo("\n".join(_summary(candidate, tally)))


def _as_json(change: Change) -> dict[str, Any]:
    case = change.case
    return {
        "id": case.id,
        "organisation": case.submission.organisation.name,
        "state": case.state,
        "partnership": case.receipt.facts["partnership"],
        "screened_on": case.receipt.facts["screened_on"],
        "before": {
            "verdict": case.verdict,
            "rule_set": case.receipt.rule_set,
            "sentence": case.receipt.sentence,
        },
        "after": {
            "verdict": change.verdict,
            "rule_set": change.receipt.rule_set,
            "sentence": change.receipt.sentence,
            "for_staff": change.receipt.for_staff,
        },
        "rules": [
            {
                "rule": rule.rule,
                "before": rule.before,
                "after": rule.after,
                "sentence_before": rule.sentence_before,
                "sentence_after": rule.sentence_after,
            }
            for rule in change.rules
        ],
    }


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "cases": tally.cases,
        "unchanged": tally.unchanged,
        "changed": tally.changed,
        "moves": [
            {"before": before, "after": after, "cases": cases}
            for (before, after), cases in tally.moves.most_common()
        ],
        "rules": dict(tally.rules.most_common()),
        "erased": tally.erased,
        "unreadable": tally.unreadable,
    }


def _lines(change: Change) -> list[str]:
    case = change.case
    organisation = printable(case.submission.organisation.name)
    lines = [f"{case.id}  {organisation}, {case.state}: {case.verdict} → {change.verdict}"]
    for rule in change.rules:
        lines.append(f"    {rule.rule}: {rule.before or 'not asked'} → {rule.after or 'not asked'}")
        if rule.sentence_before is not None:
            lines.append(f"      before: {printable(rule.sentence_before)}")
        if rule.sentence_after is not None:
            lines.append(f"      after:  {printable(rule.sentence_after)}")
    return lines


def _summary(candidate: RuleSet | PartnershipRules, tally: Tally) -> list[str]:
    whose = f" of {candidate.partnership}" if isinstance(candidate, PartnershipRules) else ""
    lines = [
        f"{candidate.id} on {tally.cases:,} case{'' if tally.cases == 1 else 's'}{whose}: "
        f"{tally.unchanged:,} unchanged, {tally.changed:,} would change. Nothing was written."
    ]
    lines += [f"  {before} → {after}: {cases:,}" for (before, after), cases in tally.moves.most_common()]
    lines += [f"  by {rule}: {cases:,}" for rule, cases in tally.rules.most_common()]
    if tally.erased:
        lines.append(f"{tally.erased:,} erased and left out: what they said is gone.")
    lines += left_out(tally.unreadable, "that cannot be screened again")
    return lines
