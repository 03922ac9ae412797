"""Rule sets on file: dated, complete, and refused with a clear word when they are wrong."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.registration.domain.eligibility import NoRulesInForce, RuleSet, RuleSets
from services.registration.rules_on_file import SHIPPED, rule_set_in, rule_sets_in

FILES = sorted(SHIPPED.glob("*.yaml"))


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
            assert re.match(r"(The|An|A|No|Every) ", sentence), (rule.id, name)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda rules: rules[0].update(source="hearsay"), "hearsay"),
        (lambda rules: rules[0].update(check="horoscope"), "horoscope"),
        (lambda rules: rules[0]["sentences"].pop("failed"), "country-of-registration"),
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
