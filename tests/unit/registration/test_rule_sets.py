"""Rule sets on file: dated, complete, and refused with a clear word when they are wrong."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.registration.domain.eligibility import RuleSet, Screening, facts_of, screen
from services.registration.domain.identifiers import identify
from services.registration.domain.rule_sets import NoRulesInForce, RuleSets
from services.registration.rules_on_file import SHIPPED, rule_set_in, rule_sets_in
from services.registration.settings import RegistrationSettings
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import OrganisationKind, Verdict
from shared.partnerships import Partnerships
from tests.builders import a_submission
from tests.unit.registration.service import HEMPCLUB, WOOLCLUB

FILES = sorted(SHIPPED.glob("*.yaml"))
A_DAY = date(2023, 1, 16)
Change = dict[str, Any]


def the_shipped_set(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(FILES[0].read_text(encoding="utf-8"))
    return {**content, **changes}


def test_the_latest_set_whose_first_day_has_come_is_in_force() -> None:
    sets = RuleSets(
        RuleSet.model_validate(the_shipped_set(id=id, valid_from=first))
        for id, first in [("new", date(2024, 6, 1)), ("old", date(2020, 10, 1))]
    )
    assert sets.on(date(2024, 5, 31)).id == "old"
    assert sets.on(date(2024, 6, 1)).id == "new"
    with pytest.raises(NoRulesInForce, match="2020-09-30"):
        sets.on(date(2020, 9, 30))


def test_the_shipped_rules_cover_the_scheme_from_its_first_day() -> None:
    assert rule_sets_in().on(date(2020, 10, 1)).id == "cxc-2020"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_sentences_of_failed_and_open_rules_fit_into_a_longer_sentence(path: Path) -> None:
    for rule in rule_set_in(path).rules:
        for name, sentence in rule.sentences.items():
            assert sentence.endswith("."), (rule.id, name)
            assert re.match(r"(Your?|An?|No|Every|The) ", sentence), (rule.id, name)
        for name, advice in rule.for_staff.items():
            assert re.match(r"[a-z].*[^.]$", advice), (rule.id, name)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda rules: rules[0].update(source="hearsay"), "hearsay"),
        (lambda rules: rules[0].update(check="horoscope"), "horoscope"),
        (lambda rules: rules[0]["sentences"].pop("failed"), "country-of-registration"),
        (lambda rules: rules[0]["for_staff"].pop("failed"), "country-of-registration"),
        (lambda rules: rules[0]["for_staff"].update(maybe="ask"), "maybe"),
        (lambda rules: rules[0]["sentences"].update(failed="Not from {land}."), "land"),
        (lambda rules: rules[0]["sentences"].update(failed="Not from {country."), "stray brace"),
        (lambda rules: rules[0]["participating"].append("ZZ"), "ZZ"),
        (lambda rules: rules[1].update(dys=183), "dys"),
        (lambda rules: rules.append(rules[0]), "country-of-registration"),
        (lambda rules: rules.clear(), "at least 1"),
    ],
)
def test_a_wrong_rule_set_is_refused_naming_the_file_and_the_fault(
    spoil: Any, complaint: str, tmp_path: Path
) -> None:
    content = the_shipped_set()
    spoil(content["rules"])
    (tmp_path / "candidate.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ValueError, match=complaint) as refused:
        rule_sets_in(tmp_path)
    assert "candidate.yaml" in str(refused.value)


def test_a_file_that_is_no_yaml_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("id: [", encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape("broken.yaml")):
        rule_sets_in(tmp_path)


def test_a_summary_that_cannot_be_filled_is_refused() -> None:
    summary = {**the_shipped_set()["summary"], "eligible": "You are eligible, {name}."}
    with pytest.raises(ValueError, match="name"):
        RuleSet.model_validate(the_shipped_set(summary=summary))


def test_a_directory_without_a_rule_set_is_refused_and_not_found_out_by_the_first_registration(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match="holds no rule set"):
        rule_sets_in(tmp_path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"valid_from": date(2024, 6, 1)}, "given twice"),
        ({"id": "cxc-2020b"}, "'cxc-2020' begins on 2020-10-01 too"),
    ],
)
def test_two_sets_of_one_name_or_one_first_day_are_refused(
    changes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    for name, content in [("a", the_shipped_set()), ("b", the_shipped_set(**changes))]:
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ValueError, match=complaint) as refused:
        rule_sets_in(tmp_path)
    assert "b.yaml" in str(refused.value)


# ── what partnerships change ─────────────────────────────────────────────────────────────────

LARGE_COMPANIES_VISIT: Change = {
    "id": "visitor-large-company",
    "source": "decision",
    "admitted": ["large_company"],
    "sentences": {"passed": "Your organisation is {kind}, which HempClub takes as visitor."},
}


def rules_with(tmp_path: Path, *changes: Change, **fields: Any) -> RuleSets:
    """The shipped set with these changes by HempClub, as read from files."""
    own = {
        "id": "hempclub-2022",
        "valid_from": date(2022, 1, 1),
        "partnership": "hempclub",
        "sources": {"decision": "HempClub, decision of its steering committee (sample)"},
        "rules": list(changes),
        **fields,
    }
    (tmp_path / "partnerships").mkdir(exist_ok=True)
    (tmp_path / "cxc-2020.yaml").write_text(yaml.safe_dump(the_shipped_set()), encoding="utf-8")
    (tmp_path / "partnerships" / f"{own['id']}.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    return rule_sets_in(tmp_path)


def screened(rules: RuleSets, *, kind: str, partnership: str | None, on: date = A_DAY) -> Screening:
    data = a_submission()
    data["organisation"]["kind"] = kind
    submission = Submission.model_validate(data)
    facts = facts_of(submission, identify(submission.organisation), visit_used=False, partnership=partnership)
    return screen(facts, rules.on(on, partnership), on)


def test_a_large_company_may_visit_through_the_partnership_that_admits_it_and_no_other(
    tmp_path: Path,
) -> None:
    rules = rules_with(tmp_path, LARGE_COMPANIES_VISIT)
    admitted = screened(rules, kind="large_company", partnership="hempclub")
    assert admitted.verdict is Verdict.ELIGIBLE
    assert admitted.receipt.rule_set == "cxc-2020 + hempclub-2022"
    [outcome] = [one for one in admitted.receipt.outcomes if one.rule == "visitor-large-company"]
    assert outcome.source == "HempClub, decision of its steering committee (sample)"
    assert outcome.sentence == "Your organisation is a large company, which HempClub takes as visitor."
    for other in ("woolclub", None):
        assert screened(rules, kind="large_company", partnership=other).verdict is not Verdict.ELIGIBLE
        assert rules.on(A_DAY, other).id == "cxc-2020"


def test_what_a_partnership_does_not_name_stays_the_scheme_s(tmp_path: Path) -> None:
    rules = rules_with(tmp_path, LARGE_COMPANIES_VISIT)
    scheme, own = rules.on(A_DAY), rules.on(A_DAY, "hempclub")
    assert [rule.id for rule in own.rules] == [rule.id for rule in scheme.rules]
    different = [rule.id for rule, theirs in zip(scheme.rules, own.rules, strict=True) if rule != theirs]
    assert different == ["visitor-large-company"]
    changed = next(rule for rule in own.rules if rule.id == "visitor-large-company")
    stated = next(rule for rule in scheme.rules if rule.id == "visitor-large-company")
    assert changed.sentences["failed"] == stated.sentences["failed"]
    assert changed.for_staff == stated.for_staff


def test_a_partnership_s_changes_hold_from_their_day_until_its_next_set(tmp_path: Path) -> None:
    rules_with(tmp_path, LARGE_COMPANIES_VISIT)
    rules = rules_with(tmp_path, id="hempclub-2024", valid_from=date(2024, 1, 1))
    verdicts = [
        screened(rules, kind="large_company", partnership="hempclub", on=day).verdict
        for day in (date(2021, 12, 31), date(2022, 1, 1), date(2023, 12, 31), date(2024, 1, 1))
    ]
    assert verdicts == [Verdict.INELIGIBLE, Verdict.ELIGIBLE, Verdict.ELIGIBLE, Verdict.INELIGIBLE]
    assert rules.on(date(2024, 1, 1), "hempclub").id == "cxc-2020"


def test_a_rule_may_come_to_concern_more_kinds(tmp_path: Path) -> None:
    kinds = ["large_company", "tech_centre", "research_institute", "innovation_hub", "fab_lab"]
    kinds += ["creative_hub", "resource_efficiency_provider", "incubator", "accelerator"]
    change = {"id": "visitor-cluster-membership", "source": "decision", "kinds": kinds}
    rules = rules_with(tmp_path, LARGE_COMPANIES_VISIT, change)
    screening = screened(rules, kind="large_company", partnership="hempclub")
    assert "visitor-cluster-membership" in [outcome.rule for outcome in screening.receipt.outcomes]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": "visitor-giant-company"}, "visitor-giant-company"),
        ({"id": "visitor-large-company", "check": "membership"}, "is of check 'kind', not 'membership'"),
        ({"id": "visitor-large-company", "roles": ["visitor", "host"]}, "is about 'visitor'"),
        ({"id": "visitor-large-company", "kinds": ["sme"]}, "not fewer"),
        ({"id": "host-kind", "kinds": ["sme"]}, "not fewer"),
        ({"id": "visitor-large-company", "admitted": ["giant"]}, "visitor-large-company.*admitted"),
        ({"id": "visitor-large-company", "admited": []}, "visitor-large-company.*admited"),
        ({"id": "visitor-large-company", "source": "hearsay"}, "hearsay"),
        ({"id": "visitor-large-company", "sentences": {"maybe": "You may."}}, "visitor-large-company"),
        ({"id": "visitor-large-company", "sentences": {"failed": "{nobody}."}}, "visitor-large-company"),
    ],
)
def test_a_change_that_does_not_fit_its_rule_is_refused_naming_file_and_rule(
    change: Change, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        rules_with(tmp_path, {"source": "decision", **change})
    assert "partnerships/hempclub-2022.yaml" in str(refused.value)


def test_a_change_is_held_against_every_set_of_the_scheme_it_is_ever_in_force_with(tmp_path: Path) -> None:
    later = the_shipped_set(id="cxc-2024", valid_from=date(2024, 6, 1))
    later["rules"] = [rule for rule in later["rules"] if rule["id"] != "visitor-large-company"]
    (tmp_path / "cxc-2024.yaml").write_text(yaml.safe_dump(later), encoding="utf-8")
    with pytest.raises(ValueError, match="'visitor-large-company' is none of the scheme's set 'cxc-2024'"):
        rules_with(tmp_path, LARGE_COMPANIES_VISIT)
    rules_with(tmp_path, id="hempclub-2024", valid_from=date(2024, 6, 1))  # it ends in time: nothing to say


def test_a_rule_set_for_a_partnership_that_is_not_configured_is_refused(tmp_path: Path) -> None:
    rules_with(tmp_path, LARGE_COMPANIES_VISIT)
    rule_sets_in(tmp_path, Partnerships([HEMPCLUB]))
    with pytest.raises(ValueError, match="'hempclub', which is not configured; those are: woolclub"):
        rule_sets_in(tmp_path, Partnerships([WOOLCLUB]))


def test_hempclub_has_no_rules_of_its_own_on_file() -> None:
    assert rule_sets_in().own == ()
    assert RegistrationSettings.model_fields["eligibility_rules"].default == SHIPPED


def test_every_kind_is_decided_by_some_rule_for_each_role() -> None:
    for kind in OrganisationKind:
        screening = screened(rule_sets_in(), kind=kind, partnership="hempclub")
        assert any(outcome.rule.startswith("visitor-") for outcome in screening.receipt.outcomes), kind
