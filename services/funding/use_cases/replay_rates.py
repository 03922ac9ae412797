"""Try a candidate rate table on every grant of the past; nothing is written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from pydantic import ValidationError

from services.funding.domain.grant import Grant
from services.funding.domain.lump_sum import (
    NOTHING,
    AgreedAmountOverRate,
    LumpSum,
    Outcome,
    Policies,
    lump_sum,
)
from services.funding.domain.rates import Rates, RateTable
from shared.contracts.common import RuleOutcome
from shared.contracts.vocabulary import GrantState
from shared.storage.driver import Database, Document

_AT_ONCE: Final = 500
_NEEDED: Final = ("state", "partnership", "visitor.organisation", "lump_sum")
_IN_A_STAY: Final = "lump_sum.receipt.facts.stay"


@dataclass(frozen=True)
class Difference:
    """A rule that says something else; before or after is None where it was or is not asked."""

    rule: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Change:
    """A grant whose lump sum would be another one, and the rules it comes from."""

    grant_id: str
    organisation: str
    partnership: str
    state: GrantState
    before: LumpSum
    after: LumpSum | None
    """None where more than the candidate's rate was agreed, so that it could not have been granted."""
    sentence: str
    """Why it would be this one."""
    rules: tuple[Difference, ...]

    @property
    def by(self) -> Decimal:
        """What would be paid more, or less where it is negative, EUR; what is uncertain counts as nothing."""
        return ((self.after and self.after.amount) or NOTHING) - (self.before.amount or NOTHING)


@dataclass
class Tally:
    """What came of a replay so far.

    moves: outcome before and after, where it is another one. by_partnership: what would be paid more or
    less, EUR, of the grants that are neither cancelled nor refused. unreadable: ids of grants left out
    because their facts could not be read again.
    """

    grants: int = 0
    changed: int = 0
    moves: Counter[tuple[Outcome, Outcome | None]] = field(default_factory=Counter)
    by_partnership: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: NOTHING))
    unreadable: list[str] = field(default_factory=list)

    @property
    def unchanged(self) -> int:
        """Grants with the same lump sum."""
        return self.grants - self.changed - len(self.unreadable)


async def replay_rates(
    database: Database, policies: Policies, candidate: RateTable, tally: Tally
) -> AsyncIterator[Change]:
    """The grants whose lump sum the candidate would have changed, by their ids; counts into `tally`.

    The candidate takes the place of the table that begins on its day, if there is one. Holds a few hundred
    grants at a time.
    """
    tried = replace(policies, rates=policies.rates.with_candidate(candidate))
    grants = database[Grant.COLLECTION]
    tally.grants = await grants.count_documents({"lump_sum": {"$ne": None}})
    affected = _affected(policies.rates, tried.rates)
    if not affected:
        return
    cursor = grants.find({"$or": affected}, dict.fromkeys(_NEEDED, 1), batch_size=_AT_ONCE)
    async for document in cursor.sort("_id", 1):
        try:
            change = _replayed(document, tried)
        except (ValidationError, KeyError, ValueError):
            tally.unreadable.append(document["_id"])
            continue
        if change is None:
            continue
        tally.changed += 1
        after = change.after.outcome if change.after else None
        if after is not change.before.outcome:
            tally.moves[change.before.outcome, after] += 1
        if change.state not in (GrantState.CANCELLED, GrantState.REFUSED):
            tally.by_partnership[change.partnership] += change.by
        yield change


def _affected(on_file: Rates, tried: Rates) -> list[Document]:
    """The stays for which the two have another rate: countries, and days on which such a stay begins."""
    begins = sorted({table.in_force_from for rates in (on_file, tried) for table, _ in rates.spans()})
    found: list[Document] = []
    for first, end in zip(begins, [*begins[1:], None], strict=True):
        countries = sorted(
            country
            for country in on_file.countries | tried.countries
            if on_file.full(country, first) != tried.full(country, first)
        )
        if countries:
            days = {"$gte": first.isoformat()} | ({"$lt": end.isoformat()} if end else {})
            found.append({f"{_IN_A_STAY}.first_day": days, f"{_IN_A_STAY}.host_country": {"$in": countries}})
    return found


def _replayed(document: Document, tried: Policies) -> Change | None:
    before = LumpSum.model_validate(document["lump_sum"])
    after: LumpSum | None
    try:
        after = lump_sum(before.stay, tried)
    except AgreedAmountOverRate as error:
        after, sentence = None, error.detail
    else:
        sentence = after.receipt.sentence
        if (after.outcome, after.amount) == (before.outcome, before.amount):
            return None
    return Change(
        grant_id=document["_id"],
        organisation=document["visitor"]["organisation"],
        partnership=document["partnership"],
        state=GrantState(document["state"]),
        before=before,
        after=after,
        sentence=sentence,
        rules=_differences(before, after) if after else (),
    )


def _differences(before: LumpSum, after: LumpSum) -> tuple[Difference, ...]:
    old, new = (_by_rule(one.receipt.outcomes) for one in (before, after))
    return tuple(
        Difference(rule, old.get(rule), new.get(rule))
        for rule in dict.fromkeys((*new, *old))
        if old.get(rule) != new.get(rule)
    )


def _by_rule(outcomes: list[RuleOutcome]) -> dict[str, str]:
    return {said.rule: said.sentence for said in outcomes}
