"""Other rules on the cases of the past: what would change, and what only looks as if."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.registration.domain.eligibility import RuleSet, facts_of, screen
from services.registration.domain.identifiers import identify
from services.registration.domain.replay import PastCase, replayed
from services.registration.domain.rule_sets import PartnershipRules, RuleSets, WrongRuleSet
from services.registration.rules_on_file import rule_sets_in
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import RegistrationState, Verdict
from tests.builders import a_submission

A_DAY = date(2023, 1, 16)
ON_FILE = rule_sets_in()
[SCHEME] = ON_FILE.scheme


def a_case(
    *, visit_used: bool = False, partnership: str = "hempclub", participant: Any = (), **organisation: Any
) -> PastCase:
    """A visitor screened on that Monday by the rules on file, and accepted since."""
    data = a_submission()
    data["organisation"].update(organisation)
    data["participant"].update(participant)
    submission = Submission.model_validate(data)
    facts = facts_of(
        submission, identify(submission.organisation), visit_used=visit_used, partnership=partnership
    )
    screening = screen(facts, ON_FILE.on(A_DAY, partnership), A_DAY)
    return PastCase("case-1", RegistrationState.ACCEPTED, submission, screening.verdict, screening.receipt)


def scheme_with(rule_id: str, **changes: Any) -> RuleSets:
    """The rules on file with one rule of the scheme changed, from long before that Monday or long after."""
    rules = [rule.model_copy(update=changes) if rule.id == rule_id else rule for rule in SCHEME.rules]
    candidate = SCHEME.model_copy(
        update={"id": "candidate", "rules": tuple(rules), "valid_from": date(2031, 1, 1)}
    )
    return ON_FILE.with_candidate(candidate)


def own(*rules: dict[str, Any], partnership: str = "hempclub") -> PartnershipRules:
    return PartnershipRules.model_validate(
        {
            "id": "hempclub-next",
            "valid_from": "2031-01-01",
            "partnership": partnership,
            "sources": {"ours": "A decision (sample)"},
            "rules": [{"source": "ours", **rule} for rule in rules],
        }
    )


LARGE_VISIT = {"id": "visitor-large-company", "admitted": ["large_company"]}


@pytest.mark.parametrize(
    "case",
    [
        a_case(),
        a_case(country="NO"),
        a_case(visit_used=True),
        a_case(kind="large_company"),
        a_case(pic=None, vat="PT501964842"),
        a_case(participant={"third_country_national": True, "residence_days": 182}),
    ],
    ids=lambda case: case.verdict,
)
def test_by_the_same_rules_nothing_changes(case: PastCase) -> None:
    assert replayed(case, ON_FILE) is None
    assert replayed(case, ON_FILE.with_candidate(SCHEME)) is None


def test_a_change_names_the_rule_that_decides_otherwise_with_both_sentences() -> None:
    case = a_case(
        participant={
            "third_country_national": True,
            "residence_days": 190,
            "residence_permit": True,
            "business_in_scheme": True,
        }
    )
    change = replayed(case, scheme_with("third-country-national", days=365))
    assert change is not None
    assert (case.verdict, change.verdict) == (Verdict.ELIGIBLE, Verdict.INELIGIBLE)
    [rule] = change.rules
    assert (rule.rule, rule.before, rule.after) == ("third-country-national", "passed", "failed")
    assert "190 days of residence" in (rule.sentence_before or "")
    assert "at least 365 days are needed" in (rule.sentence_after or "")
    assert change.receipt.rule_set == "candidate"


def test_a_rule_that_is_gone_is_the_one_that_decides_otherwise() -> None:
    rest = tuple(rule for rule in SCHEME.rules if rule.id != "visitor-large-company")
    candidate: RuleSet = SCHEME.model_copy(update={"id": "candidate", "rules": rest})
    change = replayed(a_case(kind="large_company"), ON_FILE.with_candidate(candidate))
    assert change is not None
    [rule] = change.rules
    assert (rule.rule, rule.before, rule.after) == ("visitor-large-company", "failed", None)


def test_a_partnership_s_candidate_changes_its_own_cases_alone() -> None:
    tried = ON_FILE.with_candidate(own(LARGE_VISIT))
    change = replayed(a_case(kind="large_company"), tried)
    assert change is not None
    assert change.verdict is Verdict.ELIGIBLE
    assert change.receipt.rule_set == "cxc-2020 + hempclub-next"
    assert replayed(a_case(kind="large_company", partnership="woolclub"), tried) is None


def test_what_is_on_file_for_a_partnership_holds_on_top_of_a_candidate_of_the_scheme() -> None:
    on_file = RuleSets(ON_FILE.scheme, [own(LARGE_VISIT).model_copy(update={"valid_from": A_DAY})])
    change = replayed(a_case(kind="large_company"), on_file.with_candidate(SCHEME))
    assert change is not None
    assert change.verdict is Verdict.ELIGIBLE


def test_a_candidate_that_lacks_a_rule_changed_by_a_partnership_on_file_is_refused() -> None:
    on_file = RuleSets(ON_FILE.scheme, [own(LARGE_VISIT)])
    rest = tuple(rule for rule in SCHEME.rules if rule.id != "visitor-large-company")
    with pytest.raises(WrongRuleSet, match="visitor-large-company"):
        on_file.with_candidate(SCHEME.model_copy(update={"rules": rest}))


def test_facts_of_the_register_are_those_of_the_receipt() -> None:
    case = a_case(pic="12345678", vat="PT501964843", visit_used=True)
    assert case.receipt.facts["faulty_identifiers"] == ["PIC 12345678"]
    change = replayed(case, scheme_with("visitor-once-only", roles=frozenset()))
    assert change is not None
    assert change.verdict is Verdict.NEEDS_REVIEW
    assert change.receipt.facts["visit_used"] is True
    assert change.receipt.facts["identifiers"] == case.receipt.facts["identifiers"]
