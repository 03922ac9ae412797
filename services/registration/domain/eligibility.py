"""Who may take part: the scheme's rules as dated data, applied to facts; out comes a verdict with receipt."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from services.registration.domain.identifiers import Identifiers
from shared.contracts.common import Receipt, RuleOutcome
from shared.contracts.registration import Availability, Submission
from shared.contracts.vocabulary import COUNTRIES, Country, OrganisationKind, Role, Verdict

Outcome = Literal["passed", "failed", "needs_review", "not_applicable"]
Membership = Literal["none", "business_network", "cluster", "eccp_cluster"]

_MEMBERSHIP_RANK: Final[tuple[Membership, ...]] = ("none", "business_network", "cluster", "eccp_cluster")
_WORST_FIRST: Final = (Verdict.INELIGIBLE, Verdict.NEEDS_REVIEW, Verdict.ELIGIBLE)


@dataclass(frozen=True)
class Facts:
    """What the rules look at, taken from a registration and the once-only register.

    registered_in: ISO 3166 codes, the first one given first. membership: the strongest one.
    member_of: the clusters or networks of that strongest membership, by name. longest_period: weekdays
    in the longest period of availability. available_until: the last day of all periods. visit_used: the
    organisation's one visit belongs to a match of another registration. partnership: the one that would
    decide, None when no partnership serves the case.
    """

    roles: tuple[Role, ...]
    kind: OrganisationKind
    registered_in: tuple[str, ...]
    longest_period: int
    available_until: date
    based_in: str | None = None
    third_country_national: bool = False
    residence_days: int | None = None
    residence_permit: bool | None = None
    business_in_scheme: bool | None = None
    membership: Membership = "none"
    member_of: tuple[str, ...] = ()
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
            "longest_period_weekdays": self.longest_period,
            "available_until": self.available_until.isoformat(),
        }
        if self.member_of:
            kept["member_of"] = list(self.member_of)
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
    names: dict[Membership, dict[str, None]] = {"none": {}}
    for given in organisation.memberships:
        membership: Membership = "business_network"
        if given.kind == "cluster":
            membership = "eccp_cluster" if given.on_eccp else "cluster"
        names.setdefault(membership, {})[given.name] = None
    strongest = max(names, key=_MEMBERSHIP_RANK.index)
    return Facts(
        roles=tuple(dict.fromkeys(submission.roles)),
        kind=organisation.kind,
        registered_in=tuple(dict.fromkeys((organisation.country, *organisation.also_registered_in))),
        longest_period=longest_period(submission.availability),
        available_until=max(span.last_day for span in submission.availability),
        based_in=participant.based_in,
        third_country_national=participant.third_country_national,
        residence_days=participant.residence_days,
        residence_permit=participant.residence_permit,
        business_in_scheme=participant.business_in_scheme,
        membership=strongest,
        member_of=tuple(names[strongest]),
        identifiers=identifiers,
        visit_used=visit_used,
        partnership=partnership,
    )


def longest_period(availability: Iterable[Availability]) -> int:
    """Weekdays in the longest of these periods; those that touch or overlap are one."""
    return max(_weekdays(first, last) for first, last in _periods(availability))


def _periods(availability: Iterable[Availability]) -> Iterator[tuple[date, date]]:
    """The spans of days, those that touch or overlap as one."""
    spans = sorted((span.first_day, span.last_day) for span in availability)
    first, last = spans[0]
    for next_first, next_last in spans[1:]:
        if (next_first - last).days > 1:
            yield first, last
            first, last = next_first, next_last
        last = max(last, next_last)
    yield first, last


def _weekdays(first: date, last: date) -> int:
    """Days from Monday to Friday, both ends included."""
    weeks, rest = divmod((last - first).days + 1, 7)
    return weeks * 5 + sum((first.weekday() + day) % 7 < 5 for day in range(rest))


class Finding(NamedTuple):
    """What a rule says: the outcome, which of its sentences fits, and what to put into it."""

    outcome: Outcome
    sentence: str
    details: Mapping[str, object] = {}


class Rule(BaseModel):
    """One rule of a rule set: whom it concerns, where it comes from, and its sentences.

    sentences: to the applicant, one for each way the rule can come out. for_staff: what staff can do
    about it, at least for each way that fails or is open. Both may use the rule's `DETAILS`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    SENTENCES: ClassVar[frozenset[str]]
    DECIDING: ClassVar[frozenset[str]]
    """The sentences of a rule that failed or is open."""
    DETAILS: ClassVar[frozenset[str]] = frozenset()

    id: str
    source: str
    roles: frozenset[Role] = frozenset(Role)
    kinds: frozenset[OrganisationKind] | None = None
    """The kinds of organisation concerned; None for all."""
    sentences: dict[str, str]
    for_staff: dict[str, str]

    @model_validator(mode="after")
    def _has_every_sentence(self) -> Rule:
        if set(self.sentences) != self.SENTENCES:
            raise ValueError(f"rule '{self.id}' needs exactly these sentences: {sorted(self.SENTENCES)}")
        if lacking := self.DECIDING - self.for_staff.keys():
            raise ValueError(f"rule '{self.id}' needs its for_staff for: {sorted(lacking)}")
        if unknown := self.for_staff.keys() - self.SENTENCES:
            raise ValueError(f"rule '{self.id}' has for_staff for no sentence of its: {sorted(unknown)}")
        for text in (*self.sentences.values(), *self.for_staff.values()):
            check_placeholders(text, self.DETAILS, f"rule '{self.id}'")
        return self

    def concerns(self, facts: Facts) -> bool:
        """Whether the rule has anything to say about this organisation in its roles."""
        return (self.kinds is None or facts.kind in self.kinds) and not self.roles.isdisjoint(facts.roles)

    def find(self, facts: Facts, on: date) -> Finding:
        """What the rule says about the facts on that day."""
        raise NotImplementedError


def check_placeholders(text: str, known: Iterable[str], whose: str) -> None:
    """Raises `ValueError` unless the text can be filled from the known details alone."""
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ValueError(f"{whose} has a sentence with a stray brace: {text!r}") from error
    if unknown := names - set(known):
        raise ValueError(
            f"{whose} uses {sorted(unknown)} in {text!r}, and can use {sorted(known) or 'no details'}"
        )


class CountryRule(Rule):
    """The organisation is registered in a participating country; undecided ones are for staff."""

    SENTENCES = frozenset({"passed", "failed", "undecided", "unclear"})
    DECIDING = frozenset({"failed", "undecided", "unclear"})
    DETAILS = frozenset({"country", "takes", "does", "based"})

    check: Literal["country"]
    participating: frozenset[Country]
    undecided: frozenset[Country] = frozenset()

    def find(self, facts: Facts, on: date) -> Finding:
        country = facts.deciding_country
        if country is not None:
            return self._about(facts, (country,), self._standing(country))
        standings = {self._standing(country) for country in facts.registered_in}
        based_elsewhere = facts.based_in is not None
        if len(standings) == 1 and not (based_elsewhere and standings == {"passed"}):
            return self._about(facts, facts.registered_in, standings.pop())
        return self._about(facts, facts.registered_in, "unclear")

    def _standing(self, country: str) -> Literal["passed", "failed", "undecided"]:
        if country in self.participating:
            return "passed"
        return "undecided" if country in self.undecided else "failed"

    def _about(
        self,
        facts: Facts,
        countries: Sequence[str],
        standing: Literal["passed", "failed", "undecided", "unclear"],
    ) -> Finding:
        named = _listed(map(COUNTRIES.__getitem__, countries))
        if len(countries) < len(facts.registered_in):
            named = f"several countries, and you are based in {named}"
        alone = len(countries) == 1
        details = {
            "country": named,
            "takes": "takes" if alone else "take",
            "does": "does" if alone else "do",
            "based": "you do not say in which of them you are based"
            if facts.based_in is None
            else f"you are based in {COUNTRIES[facts.based_in]}, which is none of them",
        }
        outcome = standing if standing in ("passed", "failed") else "needs_review"
        return Finding(outcome, standing, details)


class ThirdCountryRule(Rule):
    """Someone who is no national of a participating country needs days, a permit and a business there."""

    SENTENCES = frozenset(
        {"not_applicable", "passed", "incomplete", "too_few_days", "no_permit", "no_business"}
    )
    DECIDING = frozenset({"incomplete", "too_few_days", "no_permit", "no_business"})
    DETAILS = frozenset({"days", "given", "missing"})

    check: Literal["third_country_national"]
    days: int
    """The least days of residence."""

    def find(self, facts: Facts, on: date) -> Finding:
        if not facts.third_country_national:
            return Finding("not_applicable", "not_applicable", dict.fromkeys(self.DETAILS, ""))
        given = facts.residence_days
        asked = {
            "the days of residence": given,
            "the permit": facts.residence_permit,
            "the business": facts.business_in_scheme,
        }
        missing = [name for name, answer in asked.items() if answer is None]
        details = {
            "days": _counted(self.days, "day"),
            "given": "an unknown number of days" if given is None else _counted(given, "day"),
            "missing": _listed(missing) if missing else "nothing",
        }
        if given is not None and given < self.days:
            return Finding("failed", "too_few_days", details)
        if facts.residence_permit is False:
            return Finding("failed", "no_permit", details)
        if facts.business_in_scheme is False:
            return Finding("failed", "no_business", details)
        if missing:
            return Finding("needs_review", "incomplete", details)
        return Finding("passed", "passed", details)


class KindRule(Rule):
    """Only some kinds of organisation are admitted in a role; undecided ones are for staff."""

    SENTENCES = frozenset({"passed", "failed", "undecided"})
    DECIDING = frozenset({"failed", "undecided"})
    DETAILS = frozenset({"kind"})

    check: Literal["kind"]
    admitted: frozenset[OrganisationKind] = frozenset()
    undecided: frozenset[OrganisationKind] = frozenset()

    def find(self, facts: Facts, on: date) -> Finding:
        details = {"kind": _in_words(facts.kind)}
        if facts.kind in self.admitted:
            return Finding("passed", "passed", details)
        if facts.kind in self.undecided:
            return Finding("needs_review", "undecided", details)
        return Finding("failed", "failed", details)


class MembershipRule(Rule):
    """The organisation belongs to a cluster, at least in the way asked for."""

    SENTENCES = frozenset({"passed", "lacking"})
    DECIDING = frozenset({"lacking"})
    DETAILS = frozenset({"kind", "membership"})

    check: Literal["membership"]
    least: Membership
    if_lacking: Literal["failed", "needs_review"] = "failed"

    def find(self, facts: Facts, on: date) -> Finding:
        # Whoever only asks what the rules would say names none.
        named = _some(f"“{name}”" for name in facts.member_of)
        details = {
            "kind": _in_words(facts.kind),
            "membership": _MEMBERSHIP_WORDS[facts.membership] + (f", {named}" if named else ""),
        }
        if _MEMBERSHIP_RANK.index(facts.membership) >= _MEMBERSHIP_RANK.index(self.least):
            return Finding("passed", "passed", details)
        return Finding(self.if_lacking, "lacking", details)


class OnceOnlyRule(Rule):
    """An organisation visits once in the whole scheme; without an identifier nobody can tell."""

    SENTENCES = frozenset({"passed", "failed", "unidentified"})
    DECIDING = frozenset({"failed", "unidentified"})

    check: Literal["once_only"]

    def find(self, facts: Facts, on: date) -> Finding:
        if facts.visit_used:
            return Finding("failed", "failed")
        if not facts.identifiers.keys:
            return Finding("needs_review", "unidentified")
        return Finding("passed", "passed")


class IdentifierRule(Rule):
    """Every identifier that was given stands its public check."""

    SENTENCES = frozenset({"not_applicable", "passed", "faulty"})
    DECIDING = frozenset({"faulty"})
    DETAILS = frozenset({"faulty"})

    check: Literal["identifiers"]

    def find(self, facts: Facts, on: date) -> Finding:
        details = {"faulty": _listed(facts.identifiers.faulty) if facts.identifiers.faulty else ""}
        if facts.identifiers.faulty:
            return Finding("needs_review", "faulty", details)
        if not facts.identifiers.keys:
            return Finding("not_applicable", "not_applicable", details)
        return Finding("passed", "passed", details)


class AvailabilityRule(Rule):
    """One of the periods given is long enough for a stay. That all of them are over decides nothing."""

    SENTENCES = frozenset({"passed", "past", "too_short"})
    DECIDING = frozenset({"too_short"})
    DETAILS = frozenset({"days", "longest", "last_day"})

    check: Literal["availability"]
    working_days: int
    """The least working days of a stay; holidays are the host's, so weekdays are counted here."""

    def find(self, facts: Facts, on: date) -> Finding:
        details = {
            "days": _counted(self.working_days, "working day"),
            "longest": _counted(facts.longest_period, "working day"),
            "last_day": _in_full(facts.available_until),
        }
        if facts.longest_period < self.working_days:
            return Finding("needs_review", "too_short", details)
        return Finding("passed", "past" if facts.available_until < on else "passed", details)


class PartnershipRule(Rule):
    """There is a partnership to decide: the one chosen, else one for the ecosystem and country."""

    SENTENCES = frozenset({"passed", "none_serves"})
    DECIDING = frozenset({"none_serves"})
    DETAILS = frozenset({"partnership"})

    check: Literal["partnership"]

    def find(self, facts: Facts, on: date) -> Finding:
        details = {"partnership": facts.partnership}
        if facts.partnership is None:
            return Finding("needs_review", "none_serves", details)
        return Finding("passed", "passed", details)


AnyRule = Annotated[
    CountryRule
    | ThirdCountryRule
    | KindRule
    | MembershipRule
    | OnceOnlyRule
    | IdentifierRule
    | AvailabilityRule
    | PartnershipRule,
    Field(discriminator="check"),
]


class Summary(BaseModel):
    """The receipt's own sentence, one a verdict, for one of its two readers.

    `{roles}` are those with the verdict, `{reasons}` what led to it, `{rest}` what holds in the other
    role (`otherwise_eligible` or `otherwise_review`, or nothing), `{also}` what else there is to know
    (`also`, or nothing).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    eligible: str
    ineligible: str
    needs_review: str
    otherwise_eligible: str
    otherwise_review: str
    also: str = ""

    @model_validator(mode="after")
    def _can_be_filled(self) -> Summary:
        for text, known in [
            (self.eligible, {"roles", "also"}),
            (self.ineligible, {"roles", "reasons", "rest", "also"}),
            (self.needs_review, {"roles", "reasons", "rest", "also"}),
            (self.otherwise_eligible, {"role"}),
            (self.otherwise_review, {"role"}),
            (self.also, {"rules"}),
        ]:
            check_placeholders(text, known, "the summary")
        return self

    def of(
        self, verdict: Verdict, by_role: Mapping[Role, Verdict], *, reasons: str = "", also: str = ""
    ) -> str:
        """The sentence of this verdict."""
        roles = _listed(f"a {role}" for role, own in by_role.items() if own is verdict)
        more = self.also.format(rules=also) if also else ""
        if verdict is Verdict.ELIGIBLE:
            return self.eligible.format(roles=roles, also=more)
        rest = ""
        for role, own in by_role.items():
            if own is not verdict:
                other = self.otherwise_eligible if own is Verdict.ELIGIBLE else self.otherwise_review
                rest = other.format(role=f"a {role}")
        template = self.ineligible if verdict is Verdict.INELIGIBLE else self.needs_review
        return template.format(roles=roles, reasons=reasons, rest=rest, also=more)


RuleSetId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")]


class RuleSet(BaseModel):
    """The rules in force from a day on, until a later set takes over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: RuleSetId
    valid_from: date
    sources: dict[str, str]
    """Short name of a source to its title and address; a rule names one of them."""
    summary: Summary
    summary_for_staff: Summary
    rules: Annotated[tuple[AnyRule, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _sources_spelt_out(cls, raw: Any) -> Any:
        return with_sources(raw)

    @field_validator("rules")
    @classmethod
    def _ids_are_unique(cls, rules: tuple[AnyRule, ...]) -> tuple[AnyRule, ...]:
        check_unique(rule.id for rule in rules)
        return rules


def with_sources(raw: Any) -> Any:
    """A rule set as its file has it, each rule with its source spelt out; raises `ValueError`."""
    if not isinstance(raw, dict) or not isinstance(raw.get("rules"), list):
        return raw
    sources = raw.get("sources")
    if not isinstance(sources, dict) or not all(isinstance(rule, dict) for rule in raw["rules"]):
        return raw
    unknown = {str(rule.get("source")) for rule in raw["rules"]} - set(sources)
    if unknown:
        raise ValueError(f"rules name sources that are not listed: {sorted(unknown)}")
    return {**raw, "rules": [{**rule, "source": sources[rule["source"]]} for rule in raw["rules"]]}


def check_unique(ids: Iterable[str]) -> None:
    """Raises `ValueError` naming the rules that are there twice."""
    seen = list(ids)
    if twice := {id for id in seen if seen.count(id) > 1}:
        raise ValueError(f"rule ids given twice: {sorted(twice)}")


@dataclass(frozen=True)
class Screening:
    """The rules' advice: the worst verdict over the roles asked for, each role's own, and the receipt."""

    verdict: Verdict
    by_role: Mapping[Role, Verdict]
    receipt: Receipt


class _Judged(NamedTuple):
    """A rule and what came of it, in words for both readers; no `advice` where staff need do nothing."""

    rule: Rule
    outcome: Outcome
    sentence: str
    advice: str | None


def screen(facts: Facts, rules: RuleSet, on: date) -> Screening:
    """Apply the rules to the facts.

    Each role is judged by the rules that concern it: one failed rule makes it ineligible, else one
    open question sends it to staff. A registration for both roles gets the worse of the two
    verdicts, because it is accepted or rejected as a whole; its sentence says which role is the
    problem and what holds for the other. Rules about other roles or kinds are not on the receipt.
    """
    judged = [_judged(rule, facts, on) for rule in rules.rules if rule.concerns(facts)]
    by_role = {
        role: _verdict(one.outcome for one in judged if role in one.rule.roles) for role in facts.roles
    }
    verdict = min(by_role.values(), key=_WORST_FIRST.index)
    concerned = {role for role, own in by_role.items() if own is verdict}
    deciding: list[_Judged] = []
    others: list[_Judged] = []
    for one in judged:
        if one.outcome == _DECISIVE.get(verdict) and not one.rule.roles.isdisjoint(concerned):
            deciding.append(one)
        elif one.advice is not None:
            others.append(one)
    receipt = Receipt(
        rule_set=rules.id,
        facts={"screened_on": on.isoformat(), **facts.on_receipt(), "verdict_by_role": by_role},
        outcomes=[
            RuleOutcome(rule=one.rule.id, outcome=one.outcome, sentence=one.sentence, source=one.rule.source)
            for one in judged
        ],
        sentence=rules.summary.of(
            verdict, by_role, reasons=", and because ".join(_clause(one.sentence) for one in deciding)
        ),
        for_staff=rules.summary_for_staff.of(
            verdict,
            by_role,
            reasons=_listed(map(_with_advice, deciding)) if deciding else "",
            also=_listed(map(_with_advice, others)) if others else "",
        ),
    )
    return Screening(verdict, by_role, receipt)


def _judged(rule: Rule, facts: Facts, on: date) -> _Judged:
    finding = rule.find(facts, on)
    advice = rule.for_staff.get(finding.sentence)
    return _Judged(
        rule,
        finding.outcome,
        rule.sentences[finding.sentence].format_map(finding.details),
        None if advice is None else advice.format_map(finding.details),
    )


def _verdict(outcomes: Iterable[Outcome]) -> Verdict:
    seen = set(outcomes)
    if "failed" in seen:
        return Verdict.INELIGIBLE
    return Verdict.NEEDS_REVIEW if "needs_review" in seen else Verdict.ELIGIBLE


_DECISIVE: Final[dict[Verdict, Outcome]] = {
    Verdict.INELIGIBLE: "failed",
    Verdict.NEEDS_REVIEW: "needs_review",
}


def _clause(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].removesuffix(".")


def _with_advice(one: _Judged) -> str:
    return f"{one.rule.id} ({one.advice})"


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
    "none": "you name no cluster",
    "business_network": "you name only a business network",
    "cluster": "you name only a cluster that is not marked as having a profile there",
    "eccp_cluster": "you name a cluster with a profile there",
}


def _in_words(kind: OrganisationKind) -> str:
    return _KIND_WORDS.get(kind) or "a " + kind.replace("_", " ").replace(
        "resource efficiency", "resource-efficiency"
    )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


@lru_cache(maxsize=1000)
def _in_full(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"


def _some(words: Iterable[str], most: int = 3) -> str:
    every = list(words)
    rest = len(every) - most
    return _listed([*every[:most], f"{rest} more"] if rest > 0 else every) if every else ""


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
