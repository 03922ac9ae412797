"""Who may take part: the scheme's rules as dated data, applied to facts; out comes a verdict with receipt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from services.registration.domain.identifiers import Identifiers
from shared.contracts.common import Receipt, RuleOutcome
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import COUNTRIES, Country, OrganisationKind, Role, Verdict
from shared.dated import in_force

Outcome = Literal["passed", "failed", "needs_review", "not_applicable"]
Membership = Literal["none", "business_network", "cluster", "eccp_cluster"]

_MEMBERSHIP_RANK: Final[tuple[Membership, ...]] = ("none", "business_network", "cluster", "eccp_cluster")
_WORST_FIRST: Final = (Verdict.INELIGIBLE, Verdict.NEEDS_REVIEW, Verdict.ELIGIBLE)


@dataclass(frozen=True)
class Facts:
    """What the rules look at, taken from a registration and the once-only register.

    registered_in: ISO 3166 codes, the first one given first. membership: the strongest one.
    visit_used: the organisation's one visit belongs to a match of another registration.
    partnership: the one that would decide, None when no partnership serves the case.
    """

    roles: tuple[Role, ...]
    kind: OrganisationKind
    registered_in: tuple[str, ...]
    based_in: str | None = None
    third_country_national: bool = False
    residence_days: int | None = None
    residence_permit: bool = False
    business_in_scheme: bool = False
    membership: Membership = "none"
    identifiers: Identifiers = field(default_factory=Identifiers)
    visit_used: bool = False
    partnership: str | None = None

    @property
    def deciding_country(self) -> str | None:
        """Where the organisation counts as registered; of several, where the participant is based.

        None when there are several and the participant is based in none of them, or does not say.
        """
        if len(self.registered_in) == 1:
            return self.registered_in[0]
        return self.based_in if self.based_in in self.registered_in else None

    def on_receipt(self) -> dict[str, Any]:
        """The facts as a receipt keeps them; what was neither given nor needed is left out."""
        kept: dict[str, Any] = {
            "roles": list(self.roles),
            "kind": self.kind,
            "registered_in": list(self.registered_in),
            "membership": self.membership,
            "identifiers": list(self.identifiers.keys),
            "partnership": self.partnership,
        }
        if self.based_in is not None:
            kept["based_in"] = self.based_in
        if self.third_country_national:
            kept["third_country_national"] = True
            kept["residence_days"] = self.residence_days
            kept["residence_permit"] = self.residence_permit
            kept["business_in_scheme"] = self.business_in_scheme
        if self.identifiers.faulty:
            kept["faulty_identifiers"] = list(self.identifiers.faulty)
        if Role.VISITOR in self.roles:
            kept["visit_used"] = self.visit_used
        return kept


def facts_of(
    submission: Submission, identifiers: Identifiers, *, visit_used: bool, partnership: str | None
) -> Facts:
    """The facts of a registration as it was sent."""
    organisation, participant = submission.organisation, submission.participant
    memberships: list[Membership] = ["none"]
    for membership in organisation.memberships:
        if membership.kind == "business_network":
            memberships.append("business_network")
        else:
            memberships.append("eccp_cluster" if membership.on_eccp else "cluster")
    return Facts(
        roles=tuple(dict.fromkeys(submission.roles)),
        kind=organisation.kind,
        registered_in=tuple(dict.fromkeys((organisation.country, *organisation.also_registered_in))),
        based_in=participant.based_in,
        third_country_national=participant.third_country_national,
        residence_days=participant.residence_days,
        residence_permit=participant.residence_permit,
        business_in_scheme=participant.business_in_scheme,
        membership=max(memberships, key=_MEMBERSHIP_RANK.index),
        identifiers=identifiers,
        visit_used=visit_used,
        partnership=partnership,
    )


class Finding(NamedTuple):
    """What a rule says: the outcome, which of its sentences fits, and what to put into it."""

    outcome: Outcome
    sentence: str
    details: Mapping[str, object] = {}


class Rule(BaseModel):
    """One rule of a rule set: whom it concerns, where it comes from, and its sentences for the applicant."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    SENTENCES: ClassVar[frozenset[str]]

    id: str
    source: str
    roles: frozenset[Role] = frozenset(Role)
    kinds: frozenset[OrganisationKind] | None = None
    """The kinds of organisation concerned; None for all."""
    sentences: dict[str, str]

    @model_validator(mode="after")
    def _has_every_sentence(self) -> Rule:
        if set(self.sentences) != self.SENTENCES:
            raise ValueError(f"rule '{self.id}' needs exactly these sentences: {sorted(self.SENTENCES)}")
        return self

    def concerns(self, facts: Facts) -> bool:
        """Whether the rule has anything to say about this organisation in its roles."""
        return (self.kinds is None or facts.kind in self.kinds) and not self.roles.isdisjoint(facts.roles)

    def find(self, facts: Facts) -> Finding:
        """What the rule says about the facts."""
        raise NotImplementedError

    def outcome(self, facts: Facts) -> RuleOutcome:
        """The finding as a receipt keeps it."""
        finding = self.find(facts)
        return RuleOutcome(
            rule=self.id,
            outcome=finding.outcome,
            sentence=self.sentences[finding.sentence].format_map(finding.details),
            source=self.source,
        )


class CountryRule(Rule):
    """The organisation is registered in a participating country; undecided ones are for staff."""

    SENTENCES = frozenset({"passed", "failed", "undecided", "unclear"})

    check: Literal["country"]
    participating: frozenset[Country]
    undecided: frozenset[Country] = frozenset()

    def find(self, facts: Facts) -> Finding:
        country = facts.deciding_country
        if country is not None:
            return self._about((country,), self._standing(country))
        standings = {self._standing(country) for country in facts.registered_in}
        based_elsewhere = facts.based_in is not None
        if len(standings) == 1 and not (based_elsewhere and standings == {"passed"}):
            return self._about(facts.registered_in, standings.pop())
        return Finding(
            "needs_review", "unclear", {"countries": _listed(map(COUNTRIES.__getitem__, facts.registered_in))}
        )

    def _standing(self, country: str) -> Literal["passed", "failed", "undecided"]:
        if country in self.participating:
            return "passed"
        return "undecided" if country in self.undecided else "failed"

    def _about(self, countries: Iterable[str], standing: Literal["passed", "failed", "undecided"]) -> Finding:
        outcome: Outcome = "needs_review" if standing == "undecided" else standing
        return Finding(outcome, standing, {"country": _listed(map(COUNTRIES.__getitem__, countries))})


class ThirdCountryRule(Rule):
    """Someone who is no national of a participating country needs days, a permit and a business there."""

    SENTENCES = frozenset(
        {"not_applicable", "passed", "days_unknown", "too_few_days", "no_permit", "no_business"}
    )

    check: Literal["third_country_national"]
    days: int
    """The least days of residence."""

    def find(self, facts: Facts) -> Finding:
        if not facts.third_country_national:
            return Finding("not_applicable", "not_applicable")
        details = {"days": self.days, "given": facts.residence_days}
        if facts.residence_days is not None and facts.residence_days < self.days:
            return Finding("failed", "too_few_days", details)
        if not facts.residence_permit:
            return Finding("failed", "no_permit", details)
        if not facts.business_in_scheme:
            return Finding("failed", "no_business", details)
        if facts.residence_days is None:
            return Finding("needs_review", "days_unknown", details)
        return Finding("passed", "passed", details)


class KindRule(Rule):
    """Only some kinds of organisation are admitted in a role; undecided ones are for staff."""

    SENTENCES = frozenset({"passed", "failed", "undecided"})

    check: Literal["kind"]
    admitted: frozenset[OrganisationKind] = frozenset()
    undecided: frozenset[OrganisationKind] = frozenset()

    def find(self, facts: Facts) -> Finding:
        details = {"kind": _in_words(facts.kind)}
        if facts.kind in self.admitted:
            return Finding("passed", "passed", details)
        if facts.kind in self.undecided:
            return Finding("needs_review", "undecided", details)
        return Finding("failed", "failed", details)


class MembershipRule(Rule):
    """The organisation belongs to a cluster, at least in the way asked for."""

    SENTENCES = frozenset({"passed", "lacking"})

    check: Literal["membership"]
    least: Membership
    if_lacking: Literal["failed", "needs_review"] = "failed"

    def find(self, facts: Facts) -> Finding:
        details = {"kind": _in_words(facts.kind), "membership": _MEMBERSHIP_WORDS[facts.membership]}
        if _MEMBERSHIP_RANK.index(facts.membership) >= _MEMBERSHIP_RANK.index(self.least):
            return Finding("passed", "passed", details)
        return Finding(self.if_lacking, "lacking", details)


class OnceOnlyRule(Rule):
    """An organisation visits once in the whole scheme; without an identifier nobody can tell."""

    SENTENCES = frozenset({"passed", "failed", "unidentified"})

    check: Literal["once_only"]

    def find(self, facts: Facts) -> Finding:
        if facts.visit_used:
            return Finding("failed", "failed")
        if not facts.identifiers.keys:
            return Finding("needs_review", "unidentified")
        return Finding("passed", "passed")


class IdentifierRule(Rule):
    """Every identifier that was given stands its public check."""

    SENTENCES = frozenset({"not_applicable", "passed", "faulty"})

    check: Literal["identifiers"]

    def find(self, facts: Facts) -> Finding:
        if facts.identifiers.faulty:
            return Finding("needs_review", "faulty", {"faulty": _listed(facts.identifiers.faulty)})
        if not facts.identifiers.keys:
            return Finding("not_applicable", "not_applicable")
        return Finding("passed", "passed")


class PartnershipRule(Rule):
    """There is a partnership to decide: the one chosen, else one for the ecosystem and country."""

    SENTENCES = frozenset({"passed", "none_serves"})

    check: Literal["partnership"]

    def find(self, facts: Facts) -> Finding:
        if facts.partnership is None:
            return Finding("needs_review", "none_serves")
        return Finding("passed", "passed", {"partnership": facts.partnership})


AnyRule = Annotated[
    CountryRule
    | ThirdCountryRule
    | KindRule
    | MembershipRule
    | OnceOnlyRule
    | IdentifierRule
    | PartnershipRule,
    Field(discriminator="check"),
]


class Summary(BaseModel):
    """The receipt's own sentence, one a verdict.

    `{roles}` are those with the verdict, `{reasons}` the clauses that led to it, `{rest}` what holds
    in the other role (`otherwise_eligible` or `otherwise_review`, or nothing).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    eligible: str
    ineligible: str
    needs_review: str
    otherwise_eligible: str
    otherwise_review: str


class RuleSet(BaseModel):
    """The rules in force from a day on, until a later set takes over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    valid_from: date
    sources: dict[str, str]
    """Short name of a source to its title and address; a rule names one of them."""
    summary: Summary
    rules: Annotated[tuple[AnyRule, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _sources_spelt_out(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or not isinstance(raw.get("rules"), list):
            return raw
        sources = raw.get("sources", {})
        unknown = {rule.get("source") for rule in raw["rules"]} - set(sources)
        if unknown:
            raise ValueError(f"rules name sources that are not listed: {sorted(map(str, unknown))}")
        return {**raw, "rules": [{**rule, "source": sources[rule["source"]]} for rule in raw["rules"]]}

    @field_validator("rules")
    @classmethod
    def _ids_are_unique(cls, rules: tuple[AnyRule, ...]) -> tuple[AnyRule, ...]:
        ids = [rule.id for rule in rules]
        if twice := {id for id in ids if ids.count(id) > 1}:
            raise ValueError(f"rule ids given twice: {sorted(twice)}")
        return rules


class NoRulesInForce(LookupError):
    """No rule set is valid on this day."""


class RuleSets:
    """All rule sets on file; the one with the latest first day not after a date is in force on it."""

    def __init__(self, rule_sets: Iterable[RuleSet]) -> None:
        self._all = tuple(rule_sets)

    def on(self, day: date) -> RuleSet:
        """The rules in force on that day; raises `NoRulesInForce`."""
        rules = in_force(self._all, day, begins=lambda rules: rules.valid_from)
        if rules is None:
            raise NoRulesInForce(f"No eligibility rules are on file for {day}.")
        return rules


@dataclass(frozen=True)
class Screening:
    """The rules' advice: the worst verdict over the roles asked for, each role's own, and the receipt."""

    verdict: Verdict
    by_role: Mapping[Role, Verdict]
    receipt: Receipt


def screen(facts: Facts, rules: RuleSet, on: date) -> Screening:
    """Apply the rules to the facts.

    Each role is judged by the rules that concern it: one failed rule makes it ineligible, else one
    open question sends it to staff. A registration for both roles gets the worse of the two
    verdicts, because it is accepted or rejected as a whole; its sentence says which role is the
    problem and what holds for the other. Rules about other roles or kinds are not on the receipt.
    """
    judged = [(rule, rule.outcome(facts)) for rule in rules.rules if rule.concerns(facts)]
    by_role = {
        role: _verdict(outcome.outcome for rule, outcome in judged if role in rule.roles)
        for role in facts.roles
    }
    verdict = min(by_role.values(), key=_WORST_FIRST.index)
    receipt = Receipt(
        rule_set=rules.id,
        facts={"screened_on": on.isoformat(), **facts.on_receipt(), "verdict_by_role": by_role},
        outcomes=[outcome for _, outcome in judged],
        sentence=_summary(rules.summary, verdict, by_role, judged),
    )
    return Screening(verdict, by_role, receipt)


def _verdict(outcomes: Iterable[Outcome]) -> Verdict:
    seen = set(outcomes)
    if "failed" in seen:
        return Verdict.INELIGIBLE
    return Verdict.NEEDS_REVIEW if "needs_review" in seen else Verdict.ELIGIBLE


_DECISIVE: Final[dict[Verdict, Outcome]] = {
    Verdict.INELIGIBLE: "failed",
    Verdict.NEEDS_REVIEW: "needs_review",
}


def _summary(
    summary: Summary,
    verdict: Verdict,
    by_role: Mapping[Role, Verdict],
    judged: Sequence[tuple[Rule, RuleOutcome]],
) -> str:
    concerned = [role for role, own in by_role.items() if own is verdict]
    if verdict is Verdict.ELIGIBLE:
        return summary.eligible.format(roles=_listed(concerned))
    reasons = [
        outcome.sentence[0].lower() + outcome.sentence[1:].removesuffix(".")
        for rule, outcome in judged
        if outcome.outcome == _DECISIVE[verdict] and not rule.roles.isdisjoint(concerned)
    ]
    rest = ""
    for role, own in by_role.items():
        if own is not verdict:
            eligible = own is Verdict.ELIGIBLE
            rest = (summary.otherwise_eligible if eligible else summary.otherwise_review).format(role=role)
    template = summary.ineligible if verdict is Verdict.INELIGIBLE else summary.needs_review
    return template.format(roles=_listed(concerned), reasons=", and because ".join(reasons), rest=rest)


_KIND_WORDS: Final = {
    OrganisationKind.CLUSTER: "a cluster organisation",
    OrganisationKind.BUSINESS_NETWORK: "a business network organisation",
    OrganisationKind.SME: "an SME",
    OrganisationKind.INNOVATION_HUB: "an innovation hub",
    OrganisationKind.INCUBATOR: "an incubator",
    OrganisationKind.ACCELERATOR: "an accelerator",
    OrganisationKind.OTHER: "an organisation of another kind",
}
_MEMBERSHIP_WORDS: Final[dict[Membership, str]] = {
    "none": "no cluster membership is stated",
    "business_network": "only a business network is stated",
    "cluster": "the cluster stated is not profiled there",
    "eccp_cluster": "the cluster stated is profiled there",
}


def _in_words(kind: OrganisationKind) -> str:
    return _KIND_WORDS.get(kind) or "a " + kind.replace("_", " ").replace(
        "resource efficiency", "resource-efficiency"
    )


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
