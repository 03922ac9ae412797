"""All rule sets on file: the scheme's by date, and what partnerships have changed in them for themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator, model_validator

from services.registration.domain.eligibility import (
    AnyRule,
    RuleSet,
    RuleSetId,
    check_unique,
    with_sources,
)
from shared.contracts.vocabulary import PartnershipId
from shared.dated import in_force

_ANY_RULE: TypeAdapter[AnyRule] = TypeAdapter(AnyRule)


class RuleChange(BaseModel):
    """A partnership's own version of one of the scheme's rules: what it says replaces what is on file there.

    Fields left out stay the scheme's; of `sentences` and `for_staff`, those left out.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    source: str
    """The partnership's own: the receipt shows it instead of the scheme's."""


class PartnershipRules(BaseModel):
    """What a partnership has changed in the scheme's rules from a day on, until a later set of its own.

    Without rules, the scheme's alone hold again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: RuleSetId
    valid_from: date
    partnership: PartnershipId
    sources: dict[str, str] = {}
    rules: tuple[RuleChange, ...]

    @model_validator(mode="before")
    @classmethod
    def _sources_spelt_out(cls, raw: Any) -> Any:
        return with_sources(raw)

    @field_validator("rules")
    @classmethod
    def _ids_are_unique(cls, rules: tuple[RuleChange, ...]) -> tuple[RuleChange, ...]:
        check_unique(rule.id for rule in rules)
        return rules


class WrongRuleSet(ValueError):
    """A rule set that is sound by itself does not fit the others; `rule_set` is its id."""

    def __init__(self, rule_set: str, why: str) -> None:
        super().__init__(why)
        self.rule_set = rule_set


class NoRulesInForce(LookupError):
    """No rule set is valid on this day."""


class RuleSets:
    """All rule sets on file; the one with the latest first day not after a date is in force on it."""

    def __init__(self, scheme: Iterable[RuleSet], partnerships: Iterable[PartnershipRules] = ()) -> None:
        """Raises `WrongRuleSet` when two sets have one name or day, or a change does not fit its rule."""
        self.scheme = tuple(sorted(scheme, key=lambda rules: rules.valid_from))
        self.own = tuple(sorted(partnerships, key=lambda rules: (rules.partnership, rules.valid_from)))
        self._check_names_and_days()
        self._own_of: dict[str, list[PartnershipRules]] = {}
        for own in self.own:
            self._own_of.setdefault(own.partnership, []).append(own)
        # Every pair that is ever in force together, made once: each registration asks for one of them.
        self._together: dict[tuple[str, str], RuleSet] = {}
        for own in self.own:
            for rules in self.scheme:
                day = max(own.valid_from, rules.valid_from)
                if (self._scheme_on(day), self._own_on(day, own.partnership)) == (rules, own):
                    self._together[rules.id, own.id] = together(rules, own)

    @property
    def every(self) -> list[RuleSet | PartnershipRules]:
        """The scheme's sets, then the partnerships', each by their days."""
        return [*self.scheme, *self.own]

    def on(self, day: date, partnership: str | None = None) -> RuleSet:
        """The rules in force for this partnership's cases on that day; raises `NoRulesInForce`."""
        rules = self._scheme_on(day)
        if rules is None:
            raise NoRulesInForce(f"No eligibility rules are on file for {day}.")
        own = self._own_on(day, partnership)
        return rules if own is None else self._together[rules.id, own.id]

    def is_in_force(self, rules: RuleSet | PartnershipRules, day: date) -> bool:
        """Whether one of these sets holds on that day."""
        if isinstance(rules, PartnershipRules):
            return self._own_on(day, rules.partnership) is rules
        return self._scheme_on(day) is rules

    def with_candidate(self, candidate: RuleSet | PartnershipRules) -> RuleSets:
        """The sets as they would be had the candidate always been in force in the place of its like.

        Raises `WrongRuleSet`.
        """
        always = candidate.model_copy(update={"valid_from": date.min})
        if isinstance(always, RuleSet):
            return RuleSets([always], self.own)
        others = [own for own in self.own if own.partnership != always.partnership]
        return RuleSets(self.scheme, [*others, always])

    def _scheme_on(self, day: date) -> RuleSet | None:
        return in_force(self.scheme, day, begins=lambda rules: rules.valid_from)

    def _own_on(self, day: date, partnership: str | None) -> PartnershipRules | None:
        own = self._own_of.get(partnership) if partnership is not None else None
        return in_force(own, day, begins=lambda rules: rules.valid_from) if own else None

    def _check_names_and_days(self) -> None:
        ids: set[str] = set()
        begins: dict[tuple[str | None, date], str] = {}
        for rules in self.every:
            if rules.id in ids:
                raise WrongRuleSet(rules.id, f"the id '{rules.id}' is given twice; receipts name sets by it")
            ids.add(rules.id)
            whose = rules.partnership if isinstance(rules, PartnershipRules) else None
            if begins.setdefault((whose, rules.valid_from), rules.id) != rules.id:
                raise WrongRuleSet(
                    rules.id,
                    f"'{begins[whose, rules.valid_from]}' begins on {rules.valid_from} too; only one set can "
                    "be in force",
                )


def together(scheme: RuleSet, own: PartnershipRules) -> RuleSet:
    """The scheme's rules with the partnership's changes in them; raises `WrongRuleSet` naming the rule."""
    if not own.rules:
        return scheme
    changes = {change.id: change for change in own.rules}
    if unknown := changes.keys() - {rule.id for rule in scheme.rules}:
        raise WrongRuleSet(own.id, f"rule {_quoted(unknown)} is none of the scheme's set '{scheme.id}'")
    return scheme.model_copy(
        update={
            "id": f"{scheme.id} + {own.id}",
            "rules": tuple(
                _changed(rule, changes[rule.id], own.id) if rule.id in changes else rule
                for rule in scheme.rules
            ),
        }
    )


def _changed(rule: AnyRule, change: RuleChange, whose: str) -> AnyRule:
    stated = rule.model_dump()
    said: Mapping[str, Any] = change.model_dump()
    for name in ("sentences", "for_staff"):
        if isinstance(said.get(name), dict):
            said = {**said, name: {**stated[name], **said[name]}}
    if said.get("check", rule.check) != rule.check:
        raise WrongRuleSet(whose, f"rule '{rule.id}' is of check '{rule.check}', not '{said['check']}'")
    try:
        changed = _ANY_RULE.validate_python({**stated, **said})
    except ValidationError as error:
        why = "; ".join(
            ".".join(map(str, [*problem["loc"][1:], problem["msg"].removeprefix("Value error, ")]))
            for problem in error.errors(include_url=False)
        )
        raise WrongRuleSet(whose, f"rule '{rule.id}': {why}") from error
    if changed.roles != rule.roles:
        raise WrongRuleSet(
            whose, f"rule '{rule.id}' is about {_quoted(rule.roles)}; whom a rule is about cannot be changed"
        )
    if changed.kinds is not None and not (rule.kinds is not None and rule.kinds <= changed.kinds):
        raise WrongRuleSet(
            whose, f"rule '{rule.id}' can be made to concern more kinds of organisation, not fewer"
        )
    return changed


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))
