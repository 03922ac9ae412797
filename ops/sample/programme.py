"""The rule that makes the sample programme's registrations; README.md beside it says it in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import Enum, auto
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import yaml

from ops.sample.places import PARTICIPATING, any_country, any_town, languages
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import Ecosystem, Goal, OrganisationKind, Role, Verdict
from shared.partnerships import Partnership

T = TypeVar("T")
Kind = OrganisationKind

#: Real participant codes (PIC) begin with 8 or 9; the sample's begin with 1, so none can be taken for one.
FIRST_PIC: Final = 100_000_000
PICS_A_SEED: Final = 1_000_000
SEEDS_APART: Final = 100

#: Of twenty registrations the eighth and ninth are a visitor and a host who found each other before.
PAIR_EVERY: Final = 20
PAIR_AT: Final = 8
#: The host of each fourth pair belongs to another partnership, so that two have to approve.
FOREIGN_PAIR_EVERY: Final = 4

#: Not taking part, though they are close and some of them have a rate.
OUTSIDE: Final = ("NO", "CH", "LI")

ROLES: Final[dict[tuple[Role, ...], int]] = {
    (Role.VISITOR,): 50,
    (Role.HOST,): 35,
    (Role.VISITOR, Role.HOST): 15,
}
VISITING_KINDS: Final[dict[Kind, int]] = {
    Kind.SME: 60,
    Kind.CLUSTER: 10,
    Kind.BUSINESS_NETWORK: 4,
    Kind.TECH_CENTRE: 5,
    Kind.RESEARCH_INSTITUTE: 6,
    Kind.INNOVATION_HUB: 5,
    Kind.FAB_LAB: 2,
    Kind.CREATIVE_HUB: 2,
    Kind.RESOURCE_EFFICIENCY_PROVIDER: 2,
    Kind.INCUBATOR: 2,
    Kind.ACCELERATOR: 2,
}
HOSTING_KINDS: Final[dict[Kind, int]] = {
    **VISITING_KINDS,
    Kind.SME: 35,
    Kind.CLUSTER: 15,
    Kind.TRAINING_PROVIDER: 5,
    Kind.LARGE_COMPANY: 8,
    Kind.PUBLIC_AUTHORITY: 5,
}
#: All others take part as members of a cluster: some readings of the scheme ask that of SMEs alone, some of
#: every kind, and the sample should not hang on it.
NO_MEMBERSHIP_NEEDED: Final = frozenset({Kind.CLUSTER, Kind.BUSINESS_NETWORK})


class Case(Enum):
    """What sets a registration apart for the screening."""

    ORDINARY = auto()
    RESIDENT = auto()
    """A third-country national with long residence and a business here: eligible."""
    OUTSIDE_COUNTRY = auto()
    UNITED_KINGDOM = auto()
    SME_HOST_WITHOUT_CLUSTER = auto()
    SME_VISITOR_OF_A_NETWORK = auto()
    SHORT_RESIDENCE = auto()


CASES: Final[dict[Case, int]] = {
    Case.ORDINARY: 84,
    Case.RESIDENT: 3,
    Case.OUTSIDE_COUNTRY: 3,
    Case.UNITED_KINGDOM: 3,
    Case.SME_HOST_WITHOUT_CLUSTER: 4,
    Case.SME_VISITOR_OF_A_NETWORK: 2,
    Case.SHORT_RESIDENCE: 1,
}
EXPECTED: Final = {
    Case.ORDINARY: Verdict.ELIGIBLE,
    Case.RESIDENT: Verdict.ELIGIBLE,
    Case.OUTSIDE_COUNTRY: Verdict.INELIGIBLE,
    Case.UNITED_KINGDOM: Verdict.NEEDS_REVIEW,
    Case.SME_HOST_WITHOUT_CLUSTER: Verdict.NEEDS_REVIEW,
    Case.SME_VISITOR_OF_A_NETWORK: Verdict.INELIGIBLE,
    Case.SHORT_RESIDENCE: Verdict.INELIGIBLE,
}


@dataclass(frozen=True)
class SampleRegistration:
    """One registration of the sample: the sender's reference, the submission as plain JSON values, and
    the verdict that the rules of the scheme should come to."""

    reference: str
    data: dict[str, Any]
    expected: Verdict


@dataclass(frozen=True)
class _Pair:
    """An agreement from before: who visits whom, and when."""

    visitor: int
    visitor_partnership: Partnership
    visitor_country: str
    host_partnership: Partnership
    host_country: str
    ecosystem: Ecosystem
    first_day: date
    last_day: date


@dataclass(frozen=True)
class _Plan:
    """What is decided of a registration before its details."""

    case: Case
    roles: tuple[Role, ...]
    kind: Kind
    partnership: Partnership | None
    country: str
    ecosystem: Ecosystem


@cache
def _words() -> dict[str, Any]:
    text = Path(__file__).with_name("vocabulary.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def sample_registrations(
    seed: int, count: int, *, start: date, partnerships: Iterable[Partnership]
) -> Iterator[SampleRegistration]:
    """Yield `count` registrations whose stays lie after `start`; the same arguments give the same ones.

    A registration depends on the seed and its own number, so a longer sample begins with the shorter one
    (except that the two of a pre-agreed pair must both fit in).
    """
    run = list(partnerships)
    for number in range(1, count + 1):
        yield _registration(seed, number, count, start, run)


def reference_of(seed: int, number: int) -> str:
    """The sender's reference of a registration; also the first part of its mail domain."""
    return f"sample-{seed}-{number:04d}"


def _registration(
    seed: int, number: int, count: int, start: date, partnerships: Sequence[Partnership]
) -> SampleRegistration:
    rng = Random(f"{seed}/{number}")
    reference = reference_of(seed, number)
    pair = _pair_of(seed, number, count, start, partnerships)
    plan = _plan(rng, partnerships) if pair is None else _plan_in_pair(rng, number, pair)
    town = any_town(rng, plan.country)
    words = _words()["ecosystems"][plan.ecosystem]
    name = f"{town.name} {words['label']} {rng.choice(_words()['kinds'][plan.kind])} (sample)"
    offers, needs = _offers_and_needs(rng, words["topics"])
    spoken = _spoken(rng, plan.country)

    data: dict[str, Any] = {
        "organisation": {
            "name": name,
            "kind": plan.kind,
            "country": town.country,
            "city": town.name,
            "lat": town.lat,
            "lon": town.lon,
            "pic": str(FIRST_PIC + seed % SEEDS_APART * PICS_A_SEED + number % PICS_A_SEED),
            "website": f"https://{reference}.example",
            "memberships": _memberships(rng, plan, f"{town.name} {words['label']}"),
        },
        "participant": {
            "email": f"office@{reference}.example",
            "language": spoken[0] if rng.random() < 0.4 else "en",
            **_residence(plan.case),
        },
        "roles": list(plan.roles),
        "motivation": _motivation(plan.roles, offers, needs),
        "goals": rng.sample(list(Goal), k=rng.choice((1, 1, 2))),
        "ecosystems": _ecosystems(rng, plan.ecosystem, pair, partnerships),
        "offers": offers,
        "needs": needs,
        "languages": spoken,
        "availability": _availability(rng, plan.roles, start, pair),
        "preferences": _preferences(rng, plan),
    }
    if Role.HOST in plan.roles:
        data["host_places"] = rng.choice((1, 1, 1, 2, 3, 5))
    if plan.partnership is not None and (pair is not None or rng.random() < 0.7):
        data["partnership"] = plan.partnership.id
    if pair is not None:
        other = pair.visitor if number != pair.visitor else pair.visitor + 1
        data["pre_agreed"] = [
            {
                "reference": reference_of(seed, other),
                "first_day": pair.first_day,
                "last_day": pair.last_day,
            }
        ]
    submission = Submission.model_validate(data)
    return SampleRegistration(
        reference, submission.model_dump(mode="json", exclude_unset=True), EXPECTED[plan.case]
    )


def _pair_of(
    seed: int, number: int, count: int, start: date, partnerships: Sequence[Partnership]
) -> _Pair | None:
    position = number % PAIR_EVERY
    if position not in (PAIR_AT, PAIR_AT + 1):
        return None
    visitor = number - (position - PAIR_AT)
    if visitor + 1 > count:
        return None
    rng = Random(f"{seed}/pair/{visitor}")
    index = visitor // PAIR_EVERY
    ours = partnerships[index % len(partnerships)]
    foreign = index % FOREIGN_PAIR_EVERY == FOREIGN_PAIR_EVERY - 1
    theirs = partnerships[(index + 1) % len(partnerships)] if foreign else ours
    visitor_country = any_country(rng, _countries(ours))
    host_country = any_country(rng, _countries(theirs, but=visitor_country))
    monday = start + timedelta(days=(7 - start.weekday()) % 7, weeks=rng.randrange(4, 26))
    return _Pair(
        visitor=visitor,
        visitor_partnership=ours,
        visitor_country=visitor_country,
        host_partnership=theirs,
        host_country=host_country,
        ecosystem=rng.choice(ours.ecosystems),
        first_day=monday,
        last_day=monday + timedelta(days=rng.choice((3, 4, 4, 11))),
    )


def _plan_in_pair(rng: Random, number: int, pair: _Pair) -> _Plan:
    if number == pair.visitor:
        return _Plan(
            case=Case.ORDINARY,
            roles=(Role.VISITOR,),
            kind=_weighted(rng, VISITING_KINDS),
            partnership=pair.visitor_partnership,
            country=pair.visitor_country,
            ecosystem=pair.ecosystem,
        )
    return _Plan(
        case=Case.ORDINARY,
        roles=(Role.HOST,),
        kind=_weighted(rng, HOSTING_KINDS),
        partnership=pair.host_partnership,
        country=pair.host_country,
        ecosystem=pair.ecosystem,
    )


def _plan(rng: Random, partnerships: Sequence[Partnership]) -> _Plan:
    case = _weighted(rng, CASES)
    roles = _weighted(rng, ROLES)
    kind = _weighted(rng, VISITING_KINDS if Role.VISITOR in roles else HOSTING_KINDS)
    # A larger objective attracts more registrations.
    partnership = rng.choices(partnerships, weights=[one.objective for one in partnerships])[0]
    plan = _Plan(
        case=case,
        roles=roles,
        kind=kind,
        partnership=partnership,
        country=any_country(rng, _countries(partnership)),
        ecosystem=rng.choice(partnership.ecosystems),
    )
    match case:
        case Case.OUTSIDE_COUNTRY:
            return replace(plan, country=rng.choice(OUTSIDE), partnership=None)
        case Case.UNITED_KINGDOM:
            return replace(plan, country="GB", partnership=None)
        case Case.SME_HOST_WITHOUT_CLUSTER:
            return replace(plan, kind=Kind.SME, roles=(Role.HOST,))
        case Case.SME_VISITOR_OF_A_NETWORK:
            return replace(plan, kind=Kind.SME, roles=(Role.VISITOR,))
    return plan


def _weighted(rng: Random, weights: dict[T, int]) -> T:
    return rng.choices(list(weights), weights=list(weights.values()))[0]


def _countries(partnership: Partnership, but: str = "") -> tuple[str, ...]:
    listed = tuple(partnership.countries) or PARTICIPATING
    return tuple(country for country in listed if country != but) or tuple(
        country for country in PARTICIPATING if country != but
    )


def _memberships(rng: Random, plan: _Plan, named: str) -> list[dict[str, Any]]:
    network = {"name": f"{named} Network (sample)", "kind": "business_network", "on_eccp": False}
    if plan.case is Case.SME_VISITOR_OF_A_NETWORK:
        return [network]
    found = [network] if rng.random() < 0.15 else []
    if plan.kind not in NO_MEMBERSHIP_NEEDED:
        on_eccp = plan.case is not Case.SME_HOST_WITHOUT_CLUSTER
        # One without a profiled cluster has none at all, or one that is not on the platform.
        if on_eccp or rng.random() < 0.5:
            found.append({"name": f"{named} Cluster (sample)", "kind": "cluster", "on_eccp": on_eccp})
    return found


def _residence(case: Case) -> dict[str, Any]:
    match case:
        case Case.RESIDENT:
            return {
                "third_country_national": True,
                "residence_days": 900,
                "residence_permit": True,
                "business_in_scheme": True,
            }
        case Case.SHORT_RESIDENCE:
            return {
                "third_country_national": True,
                "residence_days": 120,
                "residence_permit": True,
                "business_in_scheme": True,
            }
    return {}


def _offers_and_needs(rng: Random, topics: Sequence[str]) -> tuple[list[str], list[str]]:
    """Offers and needs out of the same list, without overlap: what one needs another one offers."""
    chosen = rng.sample(topics, k=rng.randint(5, 7))
    offered = rng.randint(2, 4)
    return chosen[:offered], chosen[offered:]


def _motivation(roles: Sequence[Role], offers: Sequence[str], needs: Sequence[str]) -> str:
    if Role.VISITOR in roles:
        return f"We would like to see how others work on {needs[0]}, and can show {offers[0]} in return."
    return f"Visitors can see how we work on {offers[0]}; we would like to hear of theirs on {needs[0]}."


def _spoken(rng: Random, country: str) -> list[str]:
    official = languages(country)
    spoken = list(official[:2] if rng.random() < 0.3 else official[:1])
    if "en" not in spoken and rng.random() < 0.9:
        spoken.append("en")
    return spoken


def _ecosystems(
    rng: Random, main: Ecosystem, pair: _Pair | None, partnerships: Sequence[Partnership]
) -> list[Ecosystem]:
    """The main one; for three in ten another one of any partnership, so that fields meet."""
    wider = [main]
    if pair is not None and main not in pair.host_partnership.ecosystems:
        wider.append(rng.choice(pair.host_partnership.ecosystems))
    elif rng.random() < 0.3:
        wider.append(rng.choice([each for one in partnerships for each in one.ecosystems]))
    return list(dict.fromkeys(wider))


def _availability(
    rng: Random, roles: Sequence[Role], start: date, pair: _Pair | None
) -> list[dict[str, date]]:
    """One or two spans of days; hosts are open longer than visitors can travel."""
    if pair is not None:
        around = timedelta(weeks=rng.randrange(1, 5))
        return [{"first_day": pair.first_day - around, "last_day": pair.last_day + around}]
    shortest, longest = (30, 90) if Role.VISITOR in roles else (90, 180)
    spans: list[dict[str, date]] = []
    first = start + timedelta(days=rng.randrange(14, 120))
    for _ in range(rng.choice((1, 1, 2))):
        last = first + timedelta(days=rng.randint(shortest, longest))
        spans.append({"first_day": first, "last_day": last})
        first = last + timedelta(days=rng.randint(14, 45))
    return spans


def _preferences(rng: Random, plan: _Plan) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if rng.random() < 0.5:
        others = tuple(country for country in PARTICIPATING if country != plan.country)
        chosen = (any_country(rng, others) for _ in range(rng.randint(1, 3)))
        wanted["countries"] = list(dict.fromkeys(chosen))
    if Role.VISITOR in plan.roles and rng.random() < 0.8:
        wanted["working_days"] = rng.choice((3, 4, 5, 5, 5, 5, 7, 10))
    return wanted
