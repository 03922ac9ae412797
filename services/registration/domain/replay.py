"""What other rules would have said of a case of the past, held against what was said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from services.registration.domain.eligibility import Outcome, facts_of, screen
from services.registration.domain.identifiers import Identifiers
from services.registration.domain.rule_sets import RuleSets
from shared.contracts.common import Receipt, RuleOutcome
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import RegistrationState, Verdict


@dataclass(frozen=True)
class PastCase:
    """A registration as it was screened last, and where it stands now."""

    id: str
    state: RegistrationState
    submission: Submission
    verdict: Verdict
    receipt: Receipt


@dataclass(frozen=True)
class Difference:
    """A rule that decides otherwise; before or after is None where the rule was or is not asked."""

    rule: str
    before: Outcome | None
    after: Outcome | None
    sentence_before: str | None
    sentence_after: str | None


@dataclass(frozen=True)
class Change:
    """A case whose verdict would be another one, and the rules it comes from."""

    case: PastCase
    verdict: Verdict
    receipt: Receipt
    rules: tuple[Difference, ...]


def replayed(case: PastCase, rules: RuleSets) -> Change | None:
    """Screen the case on the day it was screened, by these rules; None when the verdict is the same.

    What the once-only register and the assignment said then is taken from the receipt. Raises `KeyError`
    or `ValueError` when the receipt does not have it, and `NoRulesInForce`.
    """
    then = case.receipt.facts
    on = date.fromisoformat(then["screened_on"])
    partnership = then["partnership"]
    facts = facts_of(
        case.submission,
        Identifiers(tuple(then["identifiers"]), tuple(then.get("faulty_identifiers", ()))),
        visit_used=then.get("visit_used", False),
        partnership=partnership,
    )
    screening = screen(facts, rules.on(on, partnership), on)
    if screening.verdict is case.verdict:
        return None
    return Change(
        case=case,
        verdict=screening.verdict,
        receipt=screening.receipt,
        rules=tuple(_differences(case.receipt, screening.receipt)),
    )


def _differences(before: Receipt, after: Receipt) -> list[Difference]:
    old = {outcome.rule: outcome for outcome in before.outcomes}
    new = {outcome.rule: outcome for outcome in after.outcomes}
    return [
        _difference(rule, old.get(rule), new.get(rule))
        for rule in dict.fromkeys((*new, *old))
        if _weight(old.get(rule)) != _weight(new.get(rule))
    ]


def _weight(outcome: RuleOutcome | None) -> Outcome | None:
    """What it does to a verdict; None for nothing."""
    decides = outcome is not None and outcome.outcome in ("failed", "needs_review")
    return outcome.outcome if outcome is not None and decides else None


def _difference(rule: str, before: RuleOutcome | None, after: RuleOutcome | None) -> Difference:
    return Difference(
        rule,
        before.outcome if before else None,
        after.outcome if after else None,
        before.sentence if before else None,
        after.sentence if after else None,
    )
