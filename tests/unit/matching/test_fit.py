"""Who can visit whom, and how well it fits."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.matching.domain.errors import HostFull, StayOutOfBounds
from services.matching.domain.fit import Prospect, constraints, fit
from services.matching.domain.stay import (
    free_stretches,
    latest_last_day,
    require_place,
    require_sensible,
    shortest_span,
    weekdays,
)
from services.matching.domain.weights import COMPONENTS, WeightHistory, Weights
from shared.contracts.common import Place
from shared.contracts.vocabulary import Ecosystem, Goal, Role
from tests.unit.matching.builders import (
    SPRING,
    TODAY,
    WEIGHTS,
    a_host,
    a_visitor,
    a_window,
    availability,
)

WHOLE_SPRING = a_window(SPRING)
A_WEEK = a_window((date(2023, 2, 6), date(2023, 2, 12)))

CONSTRAINTS: list[tuple[str, dict[str, Any], dict[str, Any], str | None]] = [
    ("nothing in the way", {}, {}, None),
    ("the visitor is only a host", {"roles": [Role.HOST]}, {}, "not registered as a visitor"),
    ("the host is only a visitor", {}, {"roles": [Role.VISITOR]}, "not registered as a host"),
    ("same country", {"place": Place(country="IT", city="Naples")}, {}, "Both are in Italy"),
    ("same owner", {"owner": "one"}, {"owner": "one"}, "cannot visit itself"),
    (
        "same identifier",
        {"identifiers": ["pic:1", "vat:PT1"]},
        {"identifiers": ["pic:1"]},
        "cannot visit itself",
    ),
    ("partnerships of other fields", {"served": [Ecosystem.DIGITAL]}, {}, "no ecosystem in common"),
    ("no partnership", {}, {"served": []}, "no ecosystem in common"),
    (
        "never at the same time",
        {},
        {"availability": availability((date(2023, 5, 1), date(2023, 5, 31)))},
        "no time of three weekdays",
    ),
    (
        "Thursday to Sunday is two weekdays",
        {},
        {"availability": availability((date(2023, 2, 9), date(2023, 2, 12)))},
        "no time of three weekdays",
    ),
    (
        "Wednesday to Sunday is three",
        {},
        {"availability": availability((date(2023, 2, 8), date(2023, 2, 12)))},
        None,
    ),
    (
        "the time both had is over",
        {"availability": availability((date(2023, 1, 2), date(2023, 1, 17)))},
        {"availability": availability((date(2023, 1, 2), date(2023, 1, 17)))},
        "no time of three weekdays",
    ),
    ("the only place is taken all the time", {}, {"stays": [WHOLE_SPRING]}, "no free place"),
    ("one of two places is taken", {}, {"stays": [WHOLE_SPRING], "host_places": 2}, None),
    ("both places are taken", {}, {"stays": [WHOLE_SPRING] * 2, "host_places": 2}, "no free place"),
    ("the place is taken for a week", {}, {"stays": [A_WEEK]}, None),
]


@pytest.mark.parametrize(
    ("visitor", "host", "says"), [row[1:] for row in CONSTRAINTS], ids=[r[0] for r in CONSTRAINTS]
)
def test_what_keeps_two_apart(visitor: dict[str, Any], host: dict[str, Any], says: str | None) -> None:
    failed = constraints(a_visitor(**visitor), a_host(**host), TODAY)
    if says is None:
        assert failed == []
    else:
        assert len(failed) == 1
        assert says in failed[0]


def test_a_used_visit_keeps_a_visitor_from_every_host() -> None:
    assert constraints(a_visitor(), a_host(), TODAY, visit_used=True) == [
        "Tagus Fibre Works (sample) has used its one visit of the scheme."
    ]


def test_every_constraint_that_fails_is_named() -> None:
    nowhere = a_host(roles=[Role.VISITOR], served=[], place=Place(country="PT", city="Porto"))
    assert len(constraints(a_visitor(), nowhere, TODAY, visit_used=True)) == 4


def test_the_reasons_add_up_and_come_strongest_first() -> None:
    found = fit(a_visitor(), a_host(), WEIGHTS, TODAY)
    assert found is not None
    assert [(reason.component, reason.points, reason.sentence) for reason in found.reasons] == [
        ("topics", 30.0, "The host offers what the visitor looks for: hemp fibre and spinning."),
        ("ecosystems", 25.0, "Both work in textile."),
        ("goals", 15.0, "Both mean learning from another cluster and adopting technology."),
        ("languages", 10.0, "They can work together in English."),
        ("countries", 5.0, "Neither side prefers particular countries."),
        (
            "length",
            5.0,
            "From 2023-02-06 to 2023-03-31 there is time for a stay as long as wished (40 weekdays).",
        ),
        ("distance", 5.0, "They are about 1,683 km apart, so the distance does not halve the lump sum."),
    ]
    assert found.score == 95.0
    assert found.window == WHOLE_SPRING


HALF: list[tuple[str, dict[str, Any], dict[str, Any], str, float]] = [
    ("one of two fields", {"ecosystems": [Ecosystem.TEXTILE, Ecosystem.HEALTH]}, {}, "ecosystems", 16.67),
    ("one of three needs", {"needs": ["spinning", "b", "c"]}, {}, "topics", 10.0),
    ("three of many needs are enough", {"needs": list("abcdef")}, {"offers": list("abcxyz")}, "topics", 30.0),
    ("no needs stated", {"needs": []}, {}, "topics", 0.0),
    ("one of two goals", {}, {"goals": [Goal.ADOPT_TECHNOLOGY]}, "goals", 7.5),
    ("no common language", {"languages": ["pt"]}, {"languages": ["it"]}, "languages", 0.0),
    ("both wishes met", {"preferred_countries": ["IT"]}, {"preferred_countries": ["PT"]}, "countries", 10.0),
    ("one wish met", {"preferred_countries": ["IT"]}, {}, "countries", 7.5),
    ("one wish not met", {"preferred_countries": ["FR"]}, {}, "countries", 2.5),
    ("neither wish met", {"preferred_countries": ["FR"]}, {"preferred_countries": ["FR"]}, "countries", 0.0),
    (
        "free for four days, five are usual",
        {"availability": availability((date(2023, 2, 6), date(2023, 2, 9)))},
        {},
        "length",
        0.0,
    ),
    (
        "free for four days, three are wished",
        {"availability": availability((date(2023, 2, 6), date(2023, 2, 9))), "preferred_working_days": 3},
        {},
        "length",
        5.0,
    ),
    ("under 200 km", {"place": Place(country="CH", city="Sample", lat=45.9, lon=9.0)}, {}, "distance", 0.0),
    ("no coordinates", {"place": Place(country="PT", city="Sample")}, {}, "distance", 0.0),
]


@pytest.mark.parametrize(
    ("visitor", "host", "component", "points"), [row[1:] for row in HALF], ids=[row[0] for row in HALF]
)
def test_what_a_component_earns(
    visitor: dict[str, Any], host: dict[str, Any], component: str, points: float
) -> None:
    found = fit(a_visitor(**visitor), a_host(**host), WEIGHTS, TODAY)
    assert found is not None
    earned = {reason.component: reason.points for reason in found.reasons}
    assert earned.get(component, 0.0) == points
    assert round(sum(earned.values()), 2) == found.score


def test_the_window_is_the_longest_time_the_host_has_a_free_place() -> None:
    host = a_host(stays=[a_window((date(2023, 2, 20), date(2023, 2, 24)))])
    found = fit(a_visitor(), host, WEIGHTS, TODAY)
    assert found is not None
    assert found.window == a_window((date(2023, 2, 25), date(2023, 3, 31)))


@pytest.mark.parametrize(
    ("first", "last", "allowed"),
    [
        (date(2023, 2, 14), date(2023, 2, 16), True),
        (date(2023, 2, 16), date(2023, 2, 19), False),
        (date(2023, 2, 17), date(2023, 2, 21), True),
        (date(2023, 2, 16), date(2023, 2, 14), False),
        (date(2023, 3, 1), date(2023, 3, 31), True),
        (date(2023, 3, 1), date(2023, 4, 1), False),
        (date(2023, 1, 31), date(2023, 2, 27), True),
        (date(2023, 1, 31), date(2023, 2, 28), False),
    ],
)
def test_a_stay_has_three_weekdays_and_lasts_a_month_at_most(first: date, last: date, allowed: bool) -> None:
    if allowed:
        require_sensible(a_window((first, last)))
    else:
        with pytest.raises(StayOutOfBounds):
            require_sensible(a_window((first, last)))


def test_weekdays_are_counted_as_the_calendar_has_them() -> None:
    for first in range(738_000, 738_021):
        for last in range(first - 1, first + 30):
            counted = sum(date.fromordinal(day).weekday() < 5 for day in range(first, last + 1))
            assert weekdays(first, last) == counted
            assert last - first + 1 >= shortest_span(counted)


def test_a_month_that_ends_in_a_new_year() -> None:
    assert latest_last_day(date(2022, 12, 15)) == date(2023, 1, 14)


def test_places_are_counted_day_by_day() -> None:
    assert free_stretches((1, 20), [(3, 5), (5, 8), (18, 30)], 1) == [(1, 2), (9, 17)]
    assert free_stretches((1, 20), [(3, 5), (5, 8), (18, 30)], 2) == [(1, 4), (6, 20)]
    one_after_the_other = [a_window((date(2023, 2, 13), date(2023, 2, 14)))] * 1
    require_place("Host (sample)", a_window((date(2023, 2, 15), date(2023, 2, 17))), one_after_the_other, 1)
    with pytest.raises(HostFull, match="no free place on every day"):
        require_place("Host (sample)", a_window(), one_after_the_other, 1)


def test_weights_must_add_up_to_100() -> None:
    with pytest.raises(ValueError, match="add up to 105, not 100"):
        Weights.model_validate({**WEIGHTS.model_dump(), "goals": {"points": 20, "source": "sample"}})


def test_a_later_set_of_weights_takes_over_on_its_day() -> None:
    later = WEIGHTS.model_copy(update={"rule_set": "later", "in_force_from": date(2024, 1, 1)})
    history = WeightHistory([later, WEIGHTS])
    assert [history.on(day).rule_set for day in (date(2020, 1, 1), date(2023, 12, 31), date(2024, 1, 1))] == [
        "fit-2022-01",
        "fit-2022-01",
        "later",
    ]


def test_every_component_can_be_said_in_words() -> None:
    both: list[Prospect] = [
        a_visitor(preferred_countries=["IT"], needs=list("abcdef")),
        a_host(preferred_countries=["PT"], offers=list("abcdef"), languages=["en", "pt"]),
    ]
    found = fit(both[0], both[1], WEIGHTS, TODAY, for_side="host")
    assert found is not None
    assert found.score == 100.0
    assert {reason.component for reason in found.reasons} == set(COMPONENTS)
    sentences = " ".join(reason.sentence for reason in found.reasons)
    assert "looks for: a, b, c and 3 more" in sentences
    assert "would like to go to Italy, and the host to receive someone from Portugal" in sentences
    assert "together in English and Portuguese" in sentences
    assert found.partner.registration_id == "visitor"
