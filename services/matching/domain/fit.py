"""Who can visit whom, and how well it fits: pure functions of what two organisations say of themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final, Self, TypeVar

from services.matching.domain import words
from services.matching.domain.stay import SHORTEST_WEEKDAYS, Span, free_stretches, span_of, weekdays
from services.matching.domain.weights import COMPONENTS, Component, Weight, Weights
from shared.contracts.common import Party, Place, Window
from shared.contracts.matching import Fit, Reason, Side
from shared.contracts.registration import Profile
from shared.contracts.vocabulary import Ecosystem, Goal, Role

EARTH_RADIUS_KM: Final = 6371.0088
MOST_WORKING_DAYS: Final = 23

_ECOSYSTEM_BITS: Final = {ecosystem: 1 << bit for bit, ecosystem in enumerate(Ecosystem)}
_GOAL_BITS: Final = {goal: 1 << bit for bit, goal in enumerate(Goal)}

K = TypeVar("K", bound=StrEnum)

Point = tuple[float, float, float]
"""A place as a unit vector from the centre of the earth."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """All that finding a partner asks of one side, in the form it is compared in.

    Sets of ecosystems and goals are bit masks in the order of their vocabulary; `stays` are the
    approved stays at this host; `since_ms` is when it joined the pool, in Unix milliseconds.
    """

    id: str
    party: Party
    visits: bool
    hosts: bool
    served: int
    """Ecosystems of its partnership."""
    ecosystems: int
    goals: int
    needs: frozenset[str]
    offers: frozenset[str]
    languages: frozenset[str]
    wished_countries: frozenset[str]
    wished_days: int
    """Preferred working days, 0 without a wish."""
    spans: tuple[Span, ...]
    places: int
    stays: tuple[Span, ...]
    point: Point | None
    since_ms: int

    @classmethod
    def of(
        cls,
        party: Party,
        profile: Profile,
        *,
        served: Iterable[Ecosystem],
        since: datetime,
        stays: Sequence[Window] = (),
    ) -> Self:
        """The prospect a pool member is; `served` are the ecosystems of its partnership."""
        return cls(
            id=party.registration_id,
            party=party,
            visits=Role.VISITOR in party.roles,
            hosts=Role.HOST in party.roles,
            served=_mask(_ECOSYSTEM_BITS, served),
            ecosystems=_mask(_ECOSYSTEM_BITS, profile.ecosystems),
            goals=_mask(_GOAL_BITS, profile.goals),
            needs=frozenset(profile.needs),
            offers=frozenset(profile.offers),
            languages=frozenset(profile.languages),
            wished_countries=frozenset(profile.preferred_countries),
            wished_days=min(profile.preferred_working_days or 0, MOST_WORKING_DAYS),
            spans=tuple(
                (window.first_day.toordinal(), window.last_day.toordinal()) for window in profile.availability
            ),
            places=profile.host_places,
            stays=tuple(span_of(stay) for stay in stays),
            point=_point(party.place),
            since_ms=int(since.timestamp() * 1000),
        )


def _mask(bits: Mapping[K, int], members: Iterable[K]) -> int:
    mask = 0
    for member in members:
        mask |= bits[member]
    return mask


def _point(place: Place) -> Point | None:
    if place.lat is None or place.lon is None:
        return None
    lat, lon = math.radians(place.lat), math.radians(place.lon)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


# ── hard constraints ─────────────────────────────────────────────────────────────────────────


def pairing_constraints(visitor: Prospect, host: Prospect, *, visit_used: bool) -> list[str]:
    """What keeps these two apart whatever the days, one sentence each; empty when nothing does."""
    failed: list[str] = []
    if not visitor.visits:
        failed.append(f"{visitor.party.organisation} is not registered as a visitor.")
    if not host.hosts:
        failed.append(f"{host.party.organisation} is not registered as a host.")
    if _same_organisation(visitor.party, host.party):
        failed.append("An organisation cannot visit itself.")
    elif visitor.party.place.country == host.party.place.country:
        failed.append(f"Both are in {words.country(host.party.place.country)}; a visit goes abroad.")
    if not visitor.served & host.served:
        failed.append("The partnerships of the two have no ecosystem in common.")
    if visit_used:
        failed.append(f"{visitor.party.organisation} has used its one visit of the scheme.")
    return failed


def constraints(visitor: Prospect, host: Prospect, on: date, *, visit_used: bool = False) -> list[str]:
    """What keeps these two from a stay that begins on `on` or later, one sentence each.

    Sources: CXC FAQ, "Who can participate" and "Duration". The three days counted here are
    weekdays; public holidays are funding's matter.
    """
    failed = pairing_constraints(visitor, host, visit_used=visit_used)
    overlaps = _overlaps(visitor, host, on.toordinal())
    if not any(weekdays(*overlap) >= SHORTEST_WEEKDAYS for overlap in overlaps):
        failed.append("There is no time of three weekdays when both are available.")
    elif common_stretch(visitor, host, on) is None:
        failed.append(f"{host.party.organisation} has no free place while both are available.")
    return failed


def _same_organisation(one: Party, other: Party) -> bool:
    return (
        one.registration_id == other.registration_id
        or one.owner == other.owner
        or not set(one.identifiers).isdisjoint(other.identifiers)
    )


def _overlaps(visitor: Prospect, host: Prospect, on: int) -> list[Span]:
    return [
        (begins, ends)
        for a, b in visitor.spans
        for c, d in host.spans
        if (begins := max(a, c, on)) <= (ends := min(b, d))
    ]


def common_stretch(visitor: Prospect, host: Prospect, on: date) -> Span | None:
    """The days both are available and the host has a free place: most weekdays first, then earliest."""
    best: Span | None = None
    most = SHORTEST_WEEKDAYS - 1
    overlaps = _overlaps(visitor, host, on.toordinal())
    if len(overlaps) > 1:
        overlaps.sort()
    for overlap in overlaps:
        for stretch in free_stretches(overlap, host.stays, host.places) if host.stays else [overlap]:
            count = weekdays(*stretch)
            if count > most:
                best, most = stretch, count
    return best


# ── the score ────────────────────────────────────────────────────────────────────────────────
#
# Points are whole hundredths, so that the index, which looks them up in tables made by these same
# functions, and the receipt, which adds them up, can never differ.


def ecosystem_points(weights: Weights, shared: int, visitors: int, hosts: int) -> int:
    """Both work in the same fields: the shared ones, doubled, in proportion to all that each names."""
    return _hundredths(weights.ecosystems, 2 * shared / (visitors + hosts) if shared else 0.0)


def topic_points(weights: Weights, shared: int, needs: int) -> int:
    """What the visitor needs is what the host offers; a few shared topics are enough."""
    enough = min(weights.topics_enough, needs)
    return _hundredths(weights.topics, min(shared, enough) / enough if enough else 0.0)


def goal_points(weights: Weights, shared: int, visitors: int) -> int:
    """The visitor's goals the host shares."""
    return _hundredths(weights.goals, shared / visitors if shared else 0.0)


def language_points(weights: Weights, common: bool) -> int:
    """One common language is enough."""
    return _hundredths(weights.languages, float(common))


def country_points(weights: Weights, wish_met: bool | None) -> int:
    """One side's half: all of it for a wish that is met, half of it without a wish (None)."""
    return _hundredths(weights.countries, 0.25 if wish_met is None else 0.5 * wish_met)


def length_points(weights: Weights, long_enough: bool) -> int:
    """Both are free for as many working days as they would like."""
    return _hundredths(weights.length, float(long_enough))


def distance_points(weights: Weights, far_enough: bool) -> int:
    """So far apart that the distance does not halve the lump sum."""
    return _hundredths(weights.distance, float(far_enough))


def _hundredths(weight: Weight, share: float) -> int:
    return round(weight.points * 100 * share)


def wish_met(wished: frozenset[str], country: str) -> bool | None:
    """Whether the country is among those wished for; None when nothing is wished for."""
    return country in wished if wished else None


def wished_days(weights: Weights, visitor: int, host: int) -> int:
    """The working days wanted: the longer wish of the two, else the usual."""
    return max(visitor, host) or weights.usual_working_days


def cosine_of_distance(km: float) -> float:
    """The inner product of two points so far apart; nearer ones have a larger one."""
    return math.cos(km / EARTH_RADIUS_KM)


def distance_km(one: Prospect, other: Prospect) -> float | None:
    """Great-circle distance in km (within 0.5 % of the geodesic), None when a place has no coordinates."""
    if one.point is None or other.point is None:
        return None
    return EARTH_RADIUS_KM * math.acos(max(-1.0, min(1.0, _cosine(one.point, other.point))))


def _cosine(one: Point, other: Point) -> float:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def points(visitor: Prospect, host: Prospect, weights: Weights, days: Span) -> dict[Component, int]:
    """Hundredths of points by component for a stay within `days`."""
    far = (
        visitor.point is not None
        and host.point is not None
        and _cosine(visitor.point, host.point) <= cosine_of_distance(weights.full_lump_sum_km)
    )
    return {
        "ecosystems": ecosystem_points(
            weights,
            (visitor.ecosystems & host.ecosystems).bit_count(),
            visitor.ecosystems.bit_count(),
            host.ecosystems.bit_count(),
        ),
        "topics": topic_points(weights, len(visitor.needs & host.offers), len(visitor.needs)),
        "goals": goal_points(weights, (visitor.goals & host.goals).bit_count(), visitor.goals.bit_count()),
        "languages": language_points(weights, not visitor.languages.isdisjoint(host.languages)),
        "countries": country_points(weights, wish_met(visitor.wished_countries, host.party.place.country))
        + country_points(weights, wish_met(host.wished_countries, visitor.party.place.country)),
        "length": length_points(
            weights, weekdays(*days) >= wished_days(weights, visitor.wished_days, host.wished_days)
        ),
        "distance": distance_points(weights, far),
    }


def reasons(visitor: Prospect, host: Prospect, weights: Weights, days: Span) -> list[Reason]:
    """The components that earned points, strongest first, each in a plain sentence."""
    earned = points(visitor, host, weights, days)
    strongest_first = sorted(COMPONENTS, key=lambda component: -earned[component])
    return [
        Reason(
            component=component,
            points=earned[component] / 100,
            sentence=_SENTENCES[component](visitor, host, days),
        )
        for component in strongest_first
        if earned[component] > 0
    ]


def score(found: Iterable[Reason]) -> float:
    """The sum of the reasons' points, 0 to 100."""
    return round(sum(reason.points for reason in found), 2)


def fit(
    visitor: Prospect, host: Prospect, weights: Weights, on: date, *, for_side: Side = "visitor"
) -> Fit | None:
    """The host as `for_side`'s possible partner (or the visitor), None when no stay is possible from `on`."""
    days = common_stretch(visitor, host, on)
    if days is None:
        return None
    found = reasons(visitor, host, weights, days)
    return Fit(
        partner=host.party if for_side == "visitor" else visitor.party,
        score=score(found),
        reasons=found,
        window=Window(first_day=date.fromordinal(days[0]), last_day=date.fromordinal(days[1])),
    )


# ── in plain words ───────────────────────────────────────────────────────────────────────────


def _on_ecosystems(visitor: Prospect, host: Prospect, days: Span) -> str:
    shared = visitor.ecosystems & host.ecosystems
    named = (words.ECOSYSTEMS[ecosystem] for ecosystem, bit in _ECOSYSTEM_BITS.items() if bit & shared)
    return f"Both work in {words.listed(named)}."


def _on_topics(visitor: Prospect, host: Prospect, days: Span) -> str:
    topics = sorted(visitor.needs & host.offers)
    named = topics if len(topics) <= 4 else [*topics[:3], f"{len(topics) - 3} more"]
    return f"The host offers what the visitor looks for: {words.listed(named)}."


def _on_goals(visitor: Prospect, host: Prospect, days: Span) -> str:
    shared = visitor.goals & host.goals
    return f"Both mean {words.listed(words.GOALS[g] for g, bit in _GOAL_BITS.items() if bit & shared)}."


def _on_languages(visitor: Prospect, host: Prospect, days: Span) -> str:
    common = sorted(words.LANGUAGES.get(code, code) for code in visitor.languages & host.languages)
    return f"They can work together in {words.listed(common)}."


def _on_countries(visitor: Prospect, host: Prospect, days: Span) -> str:
    visitors = wish_met(visitor.wished_countries, host.party.place.country)
    hosts = wish_met(host.wished_countries, visitor.party.place.country)
    there, here = words.country(host.party.place.country), words.country(visitor.party.place.country)
    if visitors and hosts:
        return f"The visitor would like to go to {there}, and the host to receive someone from {here}."
    if visitors:
        return f"The visitor would like to go to {there}."
    if hosts:
        return f"The host would like to receive someone from {here}."
    if visitors is None and hosts is None:
        return "Neither side prefers particular countries."
    return "One side has no preference among countries."


def _on_length(visitor: Prospect, host: Prospect, days: Span) -> str:
    first, last = (date.fromordinal(day) for day in days)
    return f"From {first} to {last} there is time for a stay as long as wished ({weekdays(*days)} weekdays)."


def _on_distance(visitor: Prospect, host: Prospect, days: Span) -> str:
    km = distance_km(visitor, host)
    assert km is not None
    return f"They are about {km:,.0f} km apart, so the distance does not halve the lump sum."


_SENTENCES: Final[dict[Component, Callable[[Prospect, Prospect, Span], str]]] = {
    "ecosystems": _on_ecosystems,
    "topics": _on_topics,
    "goals": _on_goals,
    "languages": _on_languages,
    "countries": _on_countries,
    "length": _on_length,
    "distance": _on_distance,
}
