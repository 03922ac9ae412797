"""Who can visit whom, and how well it fits."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from services.matching.domain.errors import HostFull, StayOutOfBounds
from services.matching.domain.fit import Prospect, constraints, fit
from services.matching.domain.stay import (
    free_stretches,
    latest_last_day,
    require_place,
    require_sensible,
)
from services.matching.domain.texts import cosine, in_common, signature
from services.matching.domain.weights import COMPONENTS, WeightHistory, Weights
from services.matching.domain.working_days import working_days_at
from shared.calendar import calendar
from shared.contracts.common import Place
from shared.contracts.vocabulary import Ecosystem, Goal, Role
from tests.builders import A_MOMENT
from tests.unit.matching.builders import (
    LATEST,
    SPRING,
    TODAY,
    WEIGHTS,
    a_host,
    a_moment,
    a_visitor,
    a_window,
    availability,
)

ITALY = working_days_at(Place(country="IT", city="Milan"))
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
        "no time of three working days",
    ),
    (
        "Thursday to Sunday is two working days",
        {},
        {"availability": availability((date(2023, 2, 9), date(2023, 2, 12)))},
        "no time of three working days",
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
        "no time of three working days",
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
            "There is time for a stay as long as wished: 6 February to 31 March 2023 has 40 working days at "
            "the host.",
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
def test_a_stay_has_three_working_days_and_lasts_a_month_at_most(
    first: date, last: date, allowed: bool
) -> None:
    if allowed:
        require_sensible(a_window((first, last)), ITALY)
    else:
        with pytest.raises(StayOutOfBounds):
            require_sensible(a_window((first, last)), ITALY)


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
    assert {reason.component for reason in found.reasons} == {
        component for component in COMPONENTS if WEIGHTS.of(component).points
    }
    sentences = " ".join(reason.sentence for reason in found.reasons)
    assert "looks for: a, b, c and 3 more" in sentences
    assert "would like to go to Italy, and the host to receive someone from Portugal" in sentences
    assert "together in English and Portuguese" in sentences
    assert found.partner.registration_id == "visitor"


# ── working days at the host ─────────────────────────────────────────────────────────────────


def test_a_host_counts_the_holidays_of_its_country_and_region() -> None:
    berlin, munich = (
        working_days_at(Place(country="DE", city="Sample", region=region)) for region in ("BE", "BY")
    )
    epiphany_week = date(2023, 1, 2).toordinal(), date(2023, 1, 6).toordinal()
    assert (berlin.count(*epiphany_week), munich.count(*epiphany_week)) == (5, 4)


def test_where_no_calendar_is_on_file_the_days_from_monday_to_friday_count() -> None:
    nowhere = working_days_at(Place(country="ZZ", city="Sample"))
    national = working_days_at(Place(country="DE", city="Sample", region="unheard of"))
    new_year = date(2024, 1, 1).toordinal(), date(2024, 1, 7).toordinal()
    assert (nowhere.count(*new_year), national.count(*new_year)) == (5, 4)
    assert nowhere.count(new_year[1], new_year[0]) == 0
    assert nowhere.count(1, 2) == nowhere.count(date.max.toordinal(), date.max.toordinal()) == 0


def test_working_days_are_counted_as_the_calendar_has_them() -> None:
    public = calendar("IT")
    for first in range(date(2023, 4, 1).toordinal(), date(2023, 5, 3).toordinal()):
        for last in range(first, first + 30):
            days = [date.fromordinal(day) for day in range(first, last + 1)]
            assert ITALY.count(first, last) == sum(
                day.weekday() < 5 and public.holiday(day) is None for day in days
            )


def test_a_holiday_of_the_host_can_leave_too_few_days() -> None:
    # Easter Monday was 10 April 2023, and the visitor's holidays do not matter.
    easter = availability((date(2023, 4, 8), date(2023, 4, 12)))
    assert constraints(a_visitor(), a_host(availability=easter), TODAY) == [
        "There is no time of three working days in Italy when both are available."
    ]
    with pytest.raises(StayOutOfBounds, match="there are 2 working days in Italy"):
        require_sensible(a_window((date(2023, 4, 8), date(2023, 4, 12))), ITALY)


# ── what people write ────────────────────────────────────────────────────────────────────────

MILL = (
    "Our spinning mill shows how hemp fibres become yarn, and looks for growers and a textile pilot abroad."
)
GROWER = (
    "We grow hemp and want to see a spinning mill handle our fibre, and find partners for a textile pilot."
)
CLINIC = "We build software for hospitals and look for clinics that test our service with their patients."
FILATURA = "La nostra filatura di canapa produce tessuti e cerca partner per progetti pilota all'estero."


def _likeness(one: str, other: str) -> float:
    signatures = signature(one), signature(other)
    assert signatures[0] is not None
    assert signatures[1] is not None
    return cosine((signatures[0] ^ signatures[1]).bit_count())


def test_texts_about_the_same_are_alike_and_others_are_not() -> None:
    assert _likeness(MILL, GROWER) > 0.4
    assert abs(_likeness(MILL, CLINIC)) < 0.2
    assert _likeness(MILL, MILL) == 1.0
    assert (
        _likeness(FILATURA, "Vogliamo visitare una filatura e vedere come la canapa diventa tessuto.") > 0.3
    )


def test_words_are_compared_by_their_stems_and_without_accents() -> None:
    assert in_common("The spinning mills of fibres", "A mill that spins a fibre") == [
        "spinning",
        "fibres",
        "mills",
    ]
    assert in_common("Énergie", "energie") == ["énergie"]


@pytest.mark.parametrize("text", ["", "   ", "the and of with", "12 34", "x y"])
def test_a_text_that_says_nothing_has_no_signature(text: str) -> None:
    assert signature(text) is None


# ── the weights that count texts, waiting and the lump sum ───────────────────────────────────


def test_what_speaks_for_two_and_against_them_is_said_in_plain_words() -> None:
    visitor = a_visitor(
        motivation=GROWER,
        since=a_moment(1),
        languages=["pt"],
        preferred_countries=["ES", "FR"],
        availability=availability((date(2023, 2, 14), date(2023, 2, 16))),
    )
    host = a_host(motivation=MILL, languages=["it"], goals=[Goal.EXPLORE_MARKET])
    found = fit(visitor, host, LATEST, TODAY)
    assert found is not None
    assert [(reason.component, reason.sentence) for reason in found.reasons] == [
        ("topics", "The host offers what the visitor looks for: hemp fibre and spinning."),
        ("ecosystems", "Both work in textile."),
        ("texts", "In their own words both write of spinning, textile, fibre and pilot."),
        ("countries", "The host does not prefer particular countries."),
        ("waiting", "The visitor has waited 15 days for a partner."),
    ]
    assert [(against.component, against.misses, against.sentence) for against in found.against] == [
        (
            "goals",
            12.0,
            "They have no goal in common: the visitor means learning from another cluster and adopting "
            "technology, the host exploring a market.",
        ),
        (
            "languages",
            10.0,
            "They have no language in common: the visitor works in Portuguese, the host in Italian.",
        ),
        ("countries", 6.0, "The visitor would rather go to France or Spain."),
        ("lump_sum", 6.0, "The stay would be at most 3 working days, so the lump sum is halved."),
        ("length", 4.0, "There is time for at most 3 working days; 5 are usual."),
    ]
    assert found.score == round(sum(reason.points for reason in found.reasons), 2)


AGAINST: list[tuple[str, dict[str, Any], dict[str, Any], str, str | None]] = [
    (
        "other fields",
        {"ecosystems": [Ecosystem.HEALTH]},
        {},
        "ecosystems",
        "They work in different fields: the visitor in health, the host in textile.",
    ),
    ("some fields are shared", {"ecosystems": [Ecosystem.TEXTILE, Ecosystem.HEALTH]}, {}, "ecosystems", None),
    ("no needs", {"needs": []}, {}, "topics", "The visitor names no topics it looks for."),
    ("no offers", {}, {"offers": []}, "topics", "The host names no topics it offers."),
    (
        "other offers",
        {"needs": list("abcdef")},
        {},
        "topics",
        "The host offers nothing of what the visitor looks for: a, b, c and 3 more.",
    ),
    (
        "other words",
        {"motivation": CLINIC, "needs": []},
        {"motivation": MILL},
        "texts",
        "What the two write in their own words has little in common.",
    ),
    ("one writes nothing", {"needs": []}, {"motivation": MILL}, "texts", None),
    (
        "both wishes unmet",
        {"preferred_countries": ["FR"]},
        {"preferred_countries": ["ES", "DE"]},
        "countries",
        "The visitor would rather go to France, and the host would rather receive someone from Germany or "
        "Spain.",
    ),
    (
        "near",
        {"place": Place(country="CH", city="Sample", lat=45.9, lon=9.0)},
        {},
        "lump_sum",
        "They are about 51 km apart, so the lump sum is halved.",
    ),
    (
        "near and short",
        {
            "place": Place(country="CH", city="Sample", lat=45.9, lon=9.0),
            "availability": availability((date(2023, 2, 6), date(2023, 2, 9))),
        },
        {},
        "lump_sum",
        "The stay would be at most 4 working days, and they are about 51 km apart, so the lump sum is "
        "halved.",
    ),
    (
        "not on the map",
        {"place": Place(country="PT", city="Sample")},
        {},
        "lump_sum",
        "Where one of the two is on the map is not known, and so not whether the lump sum is halved.",
    ),
    (
        "shorter than wished",
        {"preferred_working_days": 12, "availability": availability((date(2023, 2, 6), date(2023, 2, 9)))},
        {},
        "length",
        "There is time for at most 4 working days; 12 are wished for.",
    ),
    ("joined today", {}, {}, "waiting", None),
]


@pytest.mark.parametrize(
    ("visitor", "host", "component", "says"), [row[1:] for row in AGAINST], ids=[row[0] for row in AGAINST]
)
def test_what_counts_against_two(
    visitor: dict[str, Any], host: dict[str, Any], component: str, says: str | None
) -> None:
    found = fit(a_visitor(**visitor), a_host(**host), LATEST, TODAY)
    assert found is not None
    said = {against.component: against.sentence for against in found.against}
    assert said.get(component) == says


def test_who_has_waited_longer_has_more_points_up_to_a_bound() -> None:
    def waited(days: int) -> float:
        visitor = a_visitor(since=A_MOMENT - timedelta(days=days))
        found = fit(visitor, a_host(), LATEST, TODAY)
        assert found is not None
        return {reason.component: reason.points for reason in found.reasons}.get("waiting", 0.0)

    assert [waited(days) for days in (0, 45, 90, 500)] == [0.0, 1.25, 2.5, 2.5]


def test_the_full_lump_sum_takes_distance_and_time() -> None:
    found = fit(a_visitor(), a_host(), LATEST, TODAY)
    assert found is not None
    assert {reason.component: reason.sentence for reason in found.reasons}["lump_sum"] == (
        "The full lump sum can be paid: there is time for 5 working days, and they are about 1,683 km apart."
    )
