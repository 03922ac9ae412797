"""Who can visit whom, and how well it fits: pure functions of what two organisations say of themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final, Self, TypeVar

from services.matching.domain import texts, words
from services.matching.domain.stay import SHORTEST_STAY, Span, free_stretches, span_of
from services.matching.domain.weights import COMPONENTS, Component, Weight, Weights
from services.matching.domain.working_days import WorkingDays, working_days_at
from shared.contracts.common import Party, Place, Window
from shared.contracts.matching import Drawback, Fit, Reason, Side
from shared.contracts.registration import Profile
from shared.contracts.vocabulary import Ecosystem, Goal, Role

EARTH_RADIUS_KM: Final = 6371.0088
MOST_WORKING_DAYS: Final = 23

ECOSYSTEM_BITS: Final = {ecosystem: 1 << bit for bit, ecosystem in enumerate(Ecosystem)}
GOAL_BITS: Final = {goal: 1 << bit for bit, goal in enumerate(Goal)}

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
    motivation: str
    wants: int | None
    """Signature of what it writes as a visitor: its motivation and needs; None where that says nothing."""
    gives: int | None
    """Signature of what it writes as a host: its motivation and offers."""
    languages: frozenset[str]
    wished_countries: frozenset[str]
    wished_days: int
    """Preferred working days, 0 without a wish."""
    spans: tuple[Span, ...]
    places: int
    stays: tuple[Span, ...]
    working: WorkingDays
    """Of its country and region, which a stay there is counted in."""
    point: Point | None
    since_ms: int
    since_day: int
    """The same day (UTC) as an ordinal."""
    partners: frozenset[str]
    """The registrations it has a match with that has not ended."""
    heard: int
    """The version of the registration that all but stays and partners are of."""

    @classmethod
    def of(
        cls,
        party: Party,
        profile: Profile,
        *,
        served: Iterable[Ecosystem],
        since: datetime,
        stays: Sequence[Window] = (),
        partners: Iterable[str] = (),
        heard: int = 0,
    ) -> Self:
        """The prospect a pool member is; `served` are the ecosystems of its partnership."""
        visits, hosts = Role.VISITOR in party.roles, Role.HOST in party.roles
        motivation, needs, offers = profile.motivation, profile.needs, profile.offers
        return cls(
            id=party.registration_id,
            party=party,
            visits=visits,
            hosts=hosts,
            served=_mask(ECOSYSTEM_BITS, served),
            ecosystems=_mask(ECOSYSTEM_BITS, profile.ecosystems),
            goals=_mask(GOAL_BITS, profile.goals),
            needs=frozenset(needs),
            offers=frozenset(offers),
            motivation=motivation,
            wants=texts.signature(_written(motivation, needs)) if visits else None,
            gives=texts.signature(_written(motivation, offers)) if hosts else None,
            languages=frozenset(profile.languages),
            wished_countries=frozenset(profile.preferred_countries),
            wished_days=min(profile.preferred_working_days or 0, MOST_WORKING_DAYS),
            spans=tuple(
                (window.first_day.toordinal(), window.last_day.toordinal()) for window in profile.availability
            ),
            places=profile.host_places,
            stays=tuple(span_of(stay) for stay in stays),
            working=working_days_at(party.place),
            point=_point(party.place),
            since_ms=int(since.timestamp() * 1000),
            since_day=since.astimezone(UTC).date().toordinal(),
            partners=frozenset(partners),
            heard=heard,
        )

    def engaged(self, stays: Sequence[Window], partners: Iterable[str]) -> Self:
        """The same with other matches."""
        return replace(self, stays=tuple(span_of(stay) for stay in stays), partners=frozenset(partners))


def _written(motivation: str, topics: Iterable[str]) -> str:
    return "\n".join((motivation, *sorted(topics)))


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

    Sources: CXC FAQ, "Who can participate" and "Duration".
    """
    failed = pairing_constraints(visitor, host, visit_used=visit_used)
    overlaps = _overlaps(visitor, host, on.toordinal())
    if not any(host.working.count(*overlap) >= SHORTEST_STAY for overlap in overlaps):
        failed.append(
            f"There is no time of three working days in {words.country(host.working.country)} "
            "when both are available."
        )
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
    """The days both are available and the host has a free place: most working days first, then earliest."""
    best: Span | None = None
    most = SHORTEST_STAY - 1
    overlaps = _overlaps(visitor, host, on.toordinal())
    if len(overlaps) > 1:
        overlaps.sort()
    for overlap in overlaps:
        for stretch in free_stretches(overlap, host.stays, host.places) if host.stays else [overlap]:
            count = host.working.count(*stretch)
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


def text_points(weights: Weights, differing: int | None) -> int:
    """Both write of the same: by the bits their texts' signatures differ in; None where one says nothing."""
    if differing is None:
        return 0
    least, enough = weights.texts_alike_from, weights.texts_alike_enough
    return _hundredths(weights.texts, min(max(texts.cosine(differing) - least, 0) / (enough - least), 1.0))


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


def lump_sum_points(weights: Weights, full: bool) -> int:
    """So far apart, and so long, that the lump sum is not halved."""
    return _hundredths(weights.lump_sum, float(full))


def waiting_points(weights: Weights, days: int) -> int:
    """One side's half: in proportion to the days it has waited, up to what is enough."""
    share = min(max(days, 0), weights.waiting_enough) / weights.waiting_enough
    return _hundredths(weights.waiting, 0.5 * share)


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


@dataclass(frozen=True, slots=True)
class _Pair:
    """A visitor at a host within `days`, seen on the day `on`."""

    visitor: Prospect
    host: Prospect
    weights: Weights
    days: Span
    on: date

    @property
    def working_days(self) -> int:
        return self.host.working.count(*self.days)

    @property
    def long_enough(self) -> bool:
        return self.working_days >= self.wished_days

    @property
    def wished_days(self) -> int:
        return wished_days(self.weights, self.visitor.wished_days, self.host.wished_days)

    @property
    def paid_in_full(self) -> bool:
        return self.far and self.working_days >= self.weights.full_lump_sum_days

    @property
    def far(self) -> bool:
        visitor, host = self.visitor.point, self.host.point
        return (
            visitor is not None
            and host is not None
            and _cosine(visitor, host) <= cosine_of_distance(self.weights.full_lump_sum_km)
        )

    @property
    def km(self) -> float | None:
        return distance_km(self.visitor, self.host)

    @property
    def visitor_wish_met(self) -> bool | None:
        return wish_met(self.visitor.wished_countries, self.host.party.place.country)

    @property
    def host_wish_met(self) -> bool | None:
        return wish_met(self.host.wished_countries, self.visitor.party.place.country)


def points(visitor: Prospect, host: Prospect, weights: Weights, days: Span, on: date) -> dict[Component, int]:
    """Hundredths of points by component for a stay within `days`; `on` is the day waiting is counted to."""
    pair = _Pair(visitor, host, weights, days, on)
    today = on.toordinal()
    return {
        "ecosystems": ecosystem_points(
            weights,
            (visitor.ecosystems & host.ecosystems).bit_count(),
            visitor.ecosystems.bit_count(),
            host.ecosystems.bit_count(),
        ),
        "topics": topic_points(weights, len(visitor.needs & host.offers), len(visitor.needs)),
        "texts": text_points(weights, _differing(visitor, host)),
        "goals": goal_points(weights, (visitor.goals & host.goals).bit_count(), visitor.goals.bit_count()),
        "languages": language_points(weights, not visitor.languages.isdisjoint(host.languages)),
        "countries": country_points(weights, pair.visitor_wish_met)
        + country_points(weights, pair.host_wish_met),
        "length": length_points(weights, pair.long_enough),
        "distance": distance_points(weights, pair.far),
        "lump_sum": lump_sum_points(weights, pair.paid_in_full),
        "waiting": waiting_points(weights, today - visitor.since_day)
        + waiting_points(weights, today - host.since_day),
    }


def _differing(visitor: Prospect, host: Prospect) -> int | None:
    if visitor.wants is None or host.gives is None:
        return None
    return (visitor.wants ^ host.gives).bit_count()


def reasons(visitor: Prospect, host: Prospect, weights: Weights, days: Span, on: date) -> list[Reason]:
    """The components that earned points, strongest first, each in a plain sentence."""
    return _reasons(_Pair(visitor, host, weights, days, on), points(visitor, host, weights, days, on))


def _reasons(pair: _Pair, earned: Mapping[Component, int], most: int | None = None) -> list[Reason]:
    strongest_first = sorted(COMPONENTS, key=lambda component: -earned[component])
    return [
        Reason(component=component, points=earned[component] / 100, sentence=_FOR[component](pair))
        for component in strongest_first[:most]
        if earned[component] > 0
    ]


def _drawbacks(pair: _Pair, earned: Mapping[Component, int]) -> list[Drawback]:
    """What counts against the two, the component that misses most first, each in a plain sentence."""
    missed = {
        component: pair.weights.of(component).points * 100 - earned[component] for component in COMPONENTS
    }
    return [
        Drawback(component=component, misses=missed[component] / 100, sentence=sentence)
        for component in sorted(COMPONENTS, key=lambda component: -missed[component])
        if missed[component] > 0 and (sentence := _AGAINST[component](pair)) is not None
    ]


def score(found: Iterable[Reason]) -> float:
    """The sum of the reasons' points, 0 to 100."""
    return round(sum(reason.points for reason in found), 2)


def fit(
    visitor: Prospect,
    host: Prospect,
    weights: Weights,
    on: date,
    *,
    for_side: Side = "visitor",
    told: int | None = None,
) -> Fit | None:
    """The host as `for_side`'s possible partner (or the visitor), None when no stay is possible from `on`.

    With all its reasons and what counts against it; or with so many of the reasons as are `told`, alone.
    """
    days = common_stretch(visitor, host, on)
    if days is None:
        return None
    pair = _Pair(visitor, host, weights, days, on)
    earned = points(visitor, host, weights, days, on)
    return Fit(
        partner=host.party if for_side == "visitor" else visitor.party,
        score=sum(earned.values()) / 100,
        reasons=_reasons(pair, earned, told),
        against=_drawbacks(pair, earned) if told is None else [],
        window=Window(first_day=date.fromordinal(days[0]), last_day=date.fromordinal(days[1])),
    )


# ── what speaks for the two, in plain words ──────────────────────────────────────────────────


def _same_ecosystems(pair: _Pair) -> str:
    return f"Both work in {_ecosystems(pair.visitor.ecosystems & pair.host.ecosystems)}."


def _offered_topics(pair: _Pair) -> str:
    return (
        f"The host offers what the visitor looks for: {_some(sorted(pair.visitor.needs & pair.host.offers))}."
    )


def _same_words(pair: _Pair) -> str:
    shared = texts.in_common(
        _written(pair.visitor.motivation, pair.visitor.needs),
        _written(pair.host.motivation, pair.host.offers),
    )
    if not shared:
        return "What the two write in their own words is alike."
    return f"In their own words both write of {words.listed(shared[:4])}."


def _same_goals(pair: _Pair) -> str:
    return f"Both mean {_goals(pair.visitor.goals & pair.host.goals)}."


def _same_languages(pair: _Pair) -> str:
    return f"They can work together in {_languages(pair.visitor.languages & pair.host.languages)}."


def _wishes_met(pair: _Pair) -> str:
    there, here = _country(pair.host), _country(pair.visitor)
    match pair.visitor_wish_met, pair.host_wish_met:
        case True, True:
            return f"The visitor would like to go to {there}, and the host to receive someone from {here}."
        case True, _:
            return f"The visitor would like to go to {there}."
        case _, True:
            return f"The host would like to receive someone from {here}."
        case None, None:
            return "Neither side prefers particular countries."
        case None, _:
            return "The visitor does not prefer particular countries."
        case _:
            return "The host does not prefer particular countries."


def _time_enough(pair: _Pair) -> str:
    first, last = (date.fromordinal(day) for day in pair.days)
    working = words.counted(pair.working_days, "working day")
    return f"There is time for a stay as long as wished: {words.days(first, last)} has {working} at the host."


def _far_enough(pair: _Pair) -> str:
    return f"They are about {pair.km:,.0f} km apart, so the distance does not halve the lump sum."


def _full_lump_sum(pair: _Pair) -> str:
    return (
        f"The full lump sum can be paid: there is time for {pair.weights.full_lump_sum_days} working days, "
        f"and they are about {pair.km:,.0f} km apart."
    )


def _long_waited(pair: _Pair) -> str:
    visitor, host = (pair.on.toordinal() - side.since_day for side in (pair.visitor, pair.host))
    if visitor <= 0:
        return f"The host has waited {words.counted(host, 'day')} for a partner."
    if host <= 0:
        return f"The visitor has waited {words.counted(visitor, 'day')} for a partner."
    return f"The visitor has waited {words.counted(visitor, 'day')} for a partner, the host {host}."


_FOR: Final[dict[Component, Callable[[_Pair], str]]] = {
    "ecosystems": _same_ecosystems,
    "topics": _offered_topics,
    "texts": _same_words,
    "goals": _same_goals,
    "languages": _same_languages,
    "countries": _wishes_met,
    "length": _time_enough,
    "distance": _far_enough,
    "lump_sum": _full_lump_sum,
    "waiting": _long_waited,
}


# ── and what speaks against them; None where missing points say nothing ──────────────────────


def _other_ecosystems(pair: _Pair) -> str | None:
    if pair.visitor.ecosystems & pair.host.ecosystems:
        return None
    return (
        f"They work in different fields: the visitor in {_ecosystems(pair.visitor.ecosystems)}, "
        f"the host in {_ecosystems(pair.host.ecosystems)}."
    )


def _no_topics(pair: _Pair) -> str | None:
    if not pair.visitor.needs:
        return "The visitor names no topics it looks for."
    if not pair.host.offers:
        return "The host names no topics it offers."
    if pair.visitor.needs & pair.host.offers:
        return None
    return f"The host offers nothing of what the visitor looks for: {_some(sorted(pair.visitor.needs))}."


def _other_words(pair: _Pair) -> str | None:
    if (differing := _differing(pair.visitor, pair.host)) is None or text_points(pair.weights, differing):
        return None
    return "What the two write in their own words has little in common."


def _other_goals(pair: _Pair) -> str | None:
    if pair.visitor.goals & pair.host.goals:
        return None
    return (
        f"They have no goal in common: the visitor means {_goals(pair.visitor.goals)}, "
        f"the host {_goals(pair.host.goals)}."
    )


def _no_language(pair: _Pair) -> str | None:
    if not pair.visitor.languages or not pair.host.languages:
        return "They have no language in common."
    return (
        f"They have no language in common: the visitor works in {_languages(pair.visitor.languages)}, "
        f"the host in {_languages(pair.host.languages)}."
    )


def _wishes_not_met(pair: _Pair) -> str | None:
    missed = []
    if pair.visitor_wish_met is False:
        missed.append(f"the visitor would rather go to {_countries(pair.visitor.wished_countries)}")
    if pair.host_wish_met is False:
        missed.append(f"the host would rather receive someone from {_countries(pair.host.wished_countries)}")
    if not missed:
        return None
    sentence = ", and ".join(missed)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _short_of_time(pair: _Pair) -> str | None:
    wished = max(pair.visitor.wished_days, pair.host.wished_days)
    want = f"{wished} are wished for" if wished else f"{pair.weights.usual_working_days} are usual"
    return f"There is time for at most {words.counted(pair.working_days, 'working day')}; {want}."


def _near(pair: _Pair) -> str | None:
    if pair.km is None:
        return "Where one of the two is on the map is not known, and so not whether the lump sum is halved."
    return f"They are about {pair.km:,.0f} km apart, so the lump sum is halved."


def _half_lump_sum(pair: _Pair) -> str | None:
    few = f"The stay would be at most {words.counted(pair.working_days, 'working day')}"
    if pair.working_days >= pair.weights.full_lump_sum_days:
        return _near(pair)
    if pair.far or pair.km is None:
        return f"{few}, so the lump sum is halved."
    return f"{few}, and they are about {pair.km:,.0f} km apart, so the lump sum is halved."


def _nothing_against(pair: _Pair) -> str | None:
    return None


_AGAINST: Final[dict[Component, Callable[[_Pair], str | None]]] = {
    "ecosystems": _other_ecosystems,
    "topics": _no_topics,
    "texts": _other_words,
    "goals": _other_goals,
    "languages": _no_language,
    "countries": _wishes_not_met,
    "length": _short_of_time,
    "distance": _near,
    "lump_sum": _half_lump_sum,
    "waiting": _nothing_against,
}


def _ecosystems(mask: int) -> str:
    return words.listed(
        words.ECOSYSTEMS[ecosystem] for ecosystem, bit in ECOSYSTEM_BITS.items() if bit & mask
    )


def _goals(mask: int) -> str:
    return words.listed(words.GOALS[goal] for goal, bit in GOAL_BITS.items() if bit & mask)


def _languages(codes: Iterable[str]) -> str:
    return words.listed(sorted(words.LANGUAGES.get(code, code) for code in codes))


def _country(prospect: Prospect) -> str:
    return words.country(prospect.party.place.country)


def _countries(codes: Iterable[str]) -> str:
    return _some(sorted(words.country(code) for code in codes), "or")


def _some(named: Sequence[str], word: str = "and") -> str:
    few = named if len(named) <= 4 else [*named[:3], f"{len(named) - 3} more"]
    return words.listed(few, word)
