"""The gazetteer finds places by any of their names, and never picks one of several at random."""

from __future__ import annotations

import pytest

from services.funding.domain.places import PlaceNotResolved, normalise
from services.funding.domain.stay import GivenPlace
from tests.unit.funding.builders import POLICIES

PLACES = POLICIES.places


@pytest.mark.parametrize(
    ("name", "country", "found"),
    [
        ("Milan", "IT", "Milan"),
        ("MILANO", "IT", "Milan"),
        ("Łódź", "PL", "Łódź"),
        ("lodz", "PL", "Łódź"),
        ("Αθήνα", "GR", "Athens"),
        ("Київ", "UA", "Kyiv"),
        ("Prishtinë", "XK", "Pristina"),
        ("Aarhus", "DK", "Århus"),
        ("Saint Etienne", "FR", "Saint-Étienne"),
        ("Frankfurt am Main", "DE", "Frankfurt am Main"),
        ("TOULOUSE CEDEX 4", "FR", "Toulouse"),
        ("1010 Wien", "AT", "Vienna"),
        ("A-4020 Linz", "AT", "Linz"),
        ("Mullingar, Co. Westmeath", "IE", "An Muileann gCearr"),
        ("Milano (MI)", "IT", "Milan"),
    ],
)
def test_case_accents_punctuation_and_language_do_not_matter(name: str, country: str, found: str) -> None:
    assert PLACES.resolve(name, country).name == found


@pytest.mark.parametrize(
    ("name", "country", "inhabitants_over"),
    [
        ("Kiel", "DE", 200_000),
        ("Münster", "DE", 300_000),
        ("Porto", "PT", 200_000),
        ("Freiburg", "DE", 200_000),
    ],
)
def test_a_city_that_clearly_leads_is_meant(name: str, country: str, inhabitants_over: int) -> None:
    assert PLACES.resolve(name, country).inhabitants > inhabitants_over


@pytest.mark.parametrize(
    ("name", "country", "candidates"),
    [
        ("Frankfurt", "DE", ["Frankfurt am Main", "Frankfurt (Oder)"]),
        ("Halle", "DE", ["Halle (Saale)", "Halle ("]),
        ("Neustadt", "DE", ["Neustadt an der Weinstraße", "Neustadt in Holstein", "and 4 more"]),
        ("Munster", "DE", ["Münster (51.962, 7.626)", "Munster (52.985, 10.090)"]),
        ("San José", "ES", []),
    ],
)
def test_namesakes_far_apart_are_listed_not_chosen_from(
    name: str, country: str, candidates: list[str]
) -> None:
    with pytest.raises(PlaceNotResolved, match="may be any of") as refusal:
        PLACES.resolve(name, country)
    assert all(candidate in refusal.value.detail for candidate in candidates)


def test_a_place_is_sought_in_its_own_country_only() -> None:
    with pytest.raises(PlaceNotResolved, match="No place called 'Lisbon' is known in Austria"):
        PLACES.resolve("Lisbon", "AT")


@pytest.mark.parametrize("name", [".", "-", "1234", "(", "CEDEX"])
def test_a_name_without_letters_of_its_own_is_no_place(name: str) -> None:
    with pytest.raises(PlaceNotResolved, match="No place called"):
        PLACES.resolve(name, "FR")


@pytest.mark.parametrize(
    ("lat", "lon"),
    [
        pytest.param(47.2, 13.2, id="the middle of the country"),
        pytest.param(16.37, 48.21, id="latitude and longitude in the wrong order"),
        pytest.param(0, 0, id="nothing filled in"),
    ],
)
def test_coordinates_that_contradict_the_name_are_not_believed(lat: float, lon: float) -> None:
    with pytest.raises(PlaceNotResolved, match="over 50 km from every place of that name"):
        PLACES.locate(GivenPlace(city="Vienna", country="AT", lat=lat, lon=lon), "AT")


def test_coordinates_win_where_the_name_says_nothing_else() -> None:
    for city in ("Vienna", "A place too small for any list"):
        place = PLACES.locate(GivenPlace(city=city, country="AT", lat=48.3, lon=16.4), "AT")
        assert place.point == (48.3, 16.4)


def test_coordinates_need_no_name_at_all() -> None:
    place = PLACES.locate(GivenPlace(lat=48.2, lon=16.4), "AT")
    assert place.point == (48.2, 16.4)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Saint-Étienne", "saint etienne"),
        ("  L'Aquila ", "l aquila"),
        ("Tromsø", "tromso"),
        ("Şırnak", "sirnak"),
    ],
)
def test_names_are_normalised(name: str, normal: str) -> None:
    assert normalise(name) == normal
