"""Try a candidate rule set on every case of the past; nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from services.registration.domain.eligibility import RuleSet
from services.registration.domain.registration import Registration
from services.registration.domain.replay import Change, PastCase, replayed
from services.registration.domain.rule_sets import NoRulesInForce, PartnershipRules, RuleSets
from shared.contracts.common import Receipt
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import RegistrationState, Verdict
from shared.storage.driver import Database, Document

_AT_ONCE: Final = 500
_NEEDED: Final = ("state", "submission", "verdict", "receipt", "erased_at")


@dataclass
class Tally:
    """What came of a replay so far.

    erased: cases left out because nothing is left to screen. unreadable: ids of those left out because
    they could not be screened again. moves: verdict before and after. rules: those that would decide
    otherwise, each counted once a case.
    """

    cases: int = 0
    erased: int = 0
    unreadable: list[str] = field(default_factory=list)
    moves: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)

    @property
    def changed(self) -> int:
        """Cases with another verdict."""
        return self.moves.total()

    @property
    def unchanged(self) -> int:
        """Cases with the same verdict."""
        return self.cases - self.changed


async def replay_rules(
    database: Database, rules: RuleSets, candidate: RuleSet | PartnershipRules, tally: Tally
) -> AsyncIterator[Change]:
    """The cases whose verdict the candidate would change, in the order of their ids; counts into `tally`.

    A partnership's candidate is tried on the cases of that partnership. Holds a few hundred cases at a
    time. Raises `WrongRuleSet` when the candidate does not fit the rules on file.
    """
    tried = rules.with_candidate(candidate)
    where: Document = {}
    if isinstance(candidate, PartnershipRules):
        where = {"receipt.facts.partnership": candidate.partnership}
    cursor = database[Registration.COLLECTION].find(where, dict.fromkeys(_NEEDED, 1), batch_size=_AT_ONCE)
    async for document in cursor.sort("_id", 1):
        if document.get("erased_at") is not None:
            tally.erased += 1
            continue
        try:
            change = replayed(_case(document), tried)
        except (ValidationError, KeyError, ValueError, NoRulesInForce):
            tally.unreadable.append(document["_id"])
            continue
        tally.cases += 1
        if change is not None:
            tally.moves[change.case.verdict, change.verdict] += 1
            tally.rules.update(difference.rule for difference in change.rules)
            yield change


def _case(document: Document) -> PastCase:
    return PastCase(
        id=document["_id"],
        state=RegistrationState(document["state"]),
        submission=Submission.model_validate(document["submission"]),
        verdict=Verdict(document["verdict"]),
        receipt=Receipt.model_validate(document["receipt"]),
    )
