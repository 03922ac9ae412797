"""`cxc rates replay`: which amounts of the past a candidate rate table would have changed."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import SecretStr

from ops.commands.cluster import mongo_at, mongo_url
from ops.commands.lump_sum import policies_in_use
from ops.commands.replayed import candidate_on_file, left_out, print_json, print_lines
from ops.commands.shown import printable
from services.funding.domain.lump_sum import LumpSum, Policies
from services.funding.domain.rates import RateTable
from services.funding.settings import FundingSettings
from services.funding.use_cases.replay_rates import Change, Tally, replay_rates
from shared.on_file import entry_in

_DATABASE: Final = f"cxc_{FundingSettings.service}"


def replay(state: Path, path: Path, *, begins: date | None, rules: Path | None, as_json: bool) -> None:
    """Print the grants whose amount would be another one as they are found, then the counts.

    begins: the day from which the candidate is tried, if not its own.
    """
    candidate = candidate_on_file(path, partial(entry_in, model=RateTable))
    if begins is not None:
        candidate = candidate.model_copy(update={"in_force_from": begins})
    asyncio.run(_replay(mongo_url(state), policies_in_use(rules), candidate, as_json))


async def _replay(url: SecretStr, policies: Policies, candidate: RateTable, as_json: bool) -> None:
    tally = Tally()
    async with mongo_at(url) as client:
        changes = replay_rates(client[_DATABASE], policies, candidate, tally)
        if as_json:
            await print_json(_named(candidate), changes, _as_json, partial(_counts, tally))
            return
        await print_lines(changes, _lines)
    typer.echo("\n".join(_summary(candidate, tally)))


def _named(candidate: RateTable) -> str:
    return f"{candidate.name}, {candidate.in_force_from}"


def _as_json(change: Change) -> dict[str, Any]:
    after = change.after
    return {
        "grant": change.grant_id,
        "organisation": change.organisation,
        "partnership": change.partnership,
        "state": change.state,
        "before": {
            "outcome": change.before.outcome,
            "amount": _exact(change.before.amount),
            "rule_set": change.before.receipt.rule_set,
            "sentence": change.before.receipt.sentence,
        },
        "after": {
            "outcome": after.outcome if after else None,
            "amount": _exact(after.amount) if after else None,
            "rule_set": after.receipt.rule_set if after else None,
            "sentence": change.sentence,
        },
        "difference": _exact(change.by),
        "rules": [{"rule": rule.rule, "before": rule.before, "after": rule.after} for rule in change.rules],
    }


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "grants": tally.grants,
        "unchanged": tally.unchanged,
        "changed": tally.changed,
        "moves": [
            {"before": before, "after": after, "grants": grants}
            for (before, after), grants in tally.moves.most_common()
        ],
        "difference_by_partnership": {id: _exact(by) for id, by in sorted(tally.by_partnership.items())},
        "unreadable": tally.unreadable,
    }


def _lines(change: Change) -> list[str]:
    lines = [
        f"{change.grant_id}  {printable(change.organisation)}, {change.partnership}, "
        f"{_words(change.state)}: {_shown(change.before)} → {_shown(change.after)}"
    ]
    if change.after is None:
        lines.append(f"    {printable(change.sentence)}")
    for rule in change.rules:
        lines.append(f"    {rule.rule}")
        if rule.before is not None:
            lines.append(f"      before: {printable(rule.before)}")
        if rule.after is not None:
            lines.append(f"      after:  {printable(rule.after)}")
    return lines


def _summary(candidate: RateTable, tally: Tally) -> list[str]:
    lines = [
        f"{printable(_named(candidate))}, on {tally.grants:,} grant{'' if tally.grants == 1 else 's'}: "
        f"{tally.unchanged:,} unchanged, {tally.changed:,} would have changed. Nothing was written."
    ]
    lines += [
        f"  {_words(before)} → {_words(after) if after else 'more agreed than the rate'}: {grants:,}"
        for (before, after), grants in tally.moves.most_common()
    ]
    lines += [
        f"  {partnership}: EUR {by:+,.2f}, cancelled and refused grants left out"
        for partnership, by in sorted(tally.by_partnership.items())
    ]
    lines += left_out(tally.unreadable, "whose facts cannot be read again")
    return lines


def _shown(lump_sum: LumpSum | None) -> str:
    if lump_sum is None:
        return "more agreed than the rate"
    return _words(lump_sum.outcome) if lump_sum.amount is None else f"EUR {lump_sum.amount:.2f}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _exact(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
