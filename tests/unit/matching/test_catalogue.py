"""The catalogue shows every profile that is asked for, once, in order, and no address."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from services.matching.catalogue import Catalogue, CatalogueOrder, Cursor, Key, key_of, shown
from services.matching.domain.catalogue_filter import CatalogueFilter, CatalogueSide
from services.matching.domain.fit import ECOSYSTEM_BITS, GOAL_BITS, Prospect
from services.matching.domain.pool import Pool, PoolView, rank
from services.matching.text_index import TextIndex
from shared.contracts.common import Place
from shared.contracts.vocabulary import Ecosystem, Goal, OrganisationKind, Role
from shared.errors import Malformed
from tests.unit.matching.builders import (
    LATEST,
    TODAY,
    a_host,
    a_moment,
    a_random_prospect,
    a_visitor,
    a_window,
    availability,
)


def a_catalogue(*prospects: Prospect) -> tuple[Catalogue, Pool]:
    pool = Pool()
    catalogue = Catalogue(pool)
    for prospect in prospects:
        pool.put(prospect)
        catalogue.put(prospect)
    return catalogue, pool


def ids(catalogue: Catalogue, side: CatalogueSide, **asked: Any) -> list[str]:
    """Who is found, the newest first."""
    found = catalogue.page(
        side, CatalogueFilter(**asked), order=CatalogueOrder.NEWEST, behind=None, limit=50, today=TODAY
    )
    return [prospect.id for prospect in found]


@pytest.mark.parametrize("order", [CatalogueOrder.NEWEST, CatalogueOrder.NAME])
@pytest.mark.parametrize("seed", range(4))
def test_pages_show_every_profile_once_and_in_order(seed: int, order: CatalogueOrder) -> None:
    rng = random.Random(seed)
    everybody = [a_random_prospect(rng, f"r{number:04}") for number in range(300)]
    catalogue, _ = a_catalogue(*everybody)
    for prospect in rng.sample(everybody, 100):
        again = a_random_prospect(rng, prospect.id)
        everybody[everybody.index(prospect)] = again
        catalogue.put(again)
    for prospect in rng.sample(everybody, 30):
        everybody.remove(prospect)
        catalogue.remove(prospect.id)
    asked = CatalogueFilter(ecosystem=Ecosystem.TEXTILE)
    seen: list[Prospect] = []
    behind: Key | None = None
    while page := catalogue.page("hosts", asked, order=order, behind=behind, limit=7, today=TODAY):
        seen += page
        behind = key_of(page[-1], order)
    expected = [p for p in everybody if p.hosts and p.ecosystems & ECOSYSTEM_BITS[Ecosystem.TEXTILE]]
    assert seen == sorted(expected, key=lambda prospect: key_of(prospect, order))


HALVES: list[tuple[str, dict[str, Any], Callable[[Prospect], bool]]] = [
    ("country", {"country": "IT"}, lambda p: p.party.place.country == "IT"),
    ("goal", {"goal": Goal.EXPLORE_MARKET}, lambda p: bool(p.goals & GOAL_BITS[Goal.EXPLORE_MARKET])),
    ("language", {"language": "fr"}, lambda p: "fr" in p.languages),
    ("topic", {"topic": "TOPIC 7"}, lambda p: "topic 7" in p.offers),
    ("kind", {"kind": OrganisationKind.CLUSTER}, lambda p: p.party.kind is OrganisationKind.CLUSTER),
    ("partnership", {"partnership": "woolclub"}, lambda p: p.party.partnership == "woolclub"),
    ("text", {"text": "hémp Spin"}, lambda p: {"hemp", "spinning"} <= set(p.motivation.split())),
    (
        "two at once",
        {"country": "IT", "language": "fr"},
        lambda p: p.party.place.country == "IT" and "fr" in p.languages,
    ),
]


@pytest.mark.parametrize(("asked", "holds"), [row[1:] for row in HALVES], ids=[row[0] for row in HALVES])
def test_a_filter_leaves_those_it_asks_for(asked: dict[str, Any], holds: Callable[[Prospect], bool]) -> None:
    rng = random.Random(5)
    everybody = [a_random_prospect(rng, f"r{number:04}") for number in range(400)]
    everybody.append(a_host("c", kind=OrganisationKind.CLUSTER, partnership="woolclub", offers=[], needs=[]))
    catalogue, _ = a_catalogue(*everybody)
    found = catalogue.page(
        "hosts", CatalogueFilter(**asked), order=CatalogueOrder.NAME, behind=None, limit=500, today=TODAY
    )
    expected = {p.id for p in everybody if p.hosts and holds(p)}
    assert expected
    assert {p.id for p in found} == expected


FEBRUARY = availability((date(2023, 2, 6), date(2023, 2, 28)))
A_WEEK = a_window((date(2023, 2, 6), date(2023, 2, 12)))

TIMES: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    ("any time", {}, {"available_from": "2023-02-01"}, True),
    ("too late", {}, {"available_from": "2023-02-27"}, False),
    ("three working days", {}, {"available_from": "2023-02-24", "available_to": "2023-02-28"}, True),
    ("a day too few", {}, {"available_from": "2023-02-09", "available_to": "2023-02-10"}, False),
    ("taken then", {"stays": [A_WEEK]}, {"available_to": "2023-02-10"}, False),
    ("taken only then", {"stays": [A_WEEK]}, {"available_to": "2023-02-17"}, True),
    (
        "two of three free",
        {"stays": [A_WEEK], "host_places": 3},
        {"available_to": "2023-02-10", "free_places": 2},
        True,
    ),
    (
        "not all three",
        {"stays": [A_WEEK], "host_places": 3},
        {"available_to": "2023-02-10", "free_places": 3},
        False,
    ),
    ("never so many", {}, {"free_places": 2}, False),
]


@pytest.mark.parametrize(
    ("host", "asked", "found"), [row[1:] for row in TIMES], ids=[row[0] for row in TIMES]
)
def test_time_and_places_are_counted_in_working_days_of_the_host(
    host: dict[str, Any], asked: dict[str, Any], found: bool
) -> None:
    catalogue, _ = a_catalogue(a_host("h", availability=FEBRUARY, **host))
    assert ids(catalogue, "hosts", **asked) == (["h"] if found else [])


def test_a_visitor_that_has_used_its_visit_is_not_shown() -> None:
    catalogue, pool = a_catalogue(a_visitor("v", identifiers=["vat:PT1"]), a_host("h"))
    assert ids(catalogue, "visitors") == ["v"]
    pool.claim("vat:PT1")
    assert ids(catalogue, "visitors") == []
    assert ids(catalogue, "hosts") == ["h"]


def test_words_are_found_by_their_beginnings_in_name_topics_and_motivation() -> None:
    catalogue, _ = a_catalogue(
        a_host(
            "a",
            organisation="Göteborgs Väveri (sample)",
            offers=["sailcloth"],
            motivation="Écologie d'abord.",
        ),
        a_host("b", organisation="Other (sample)", offers=["rope"], motivation=""),
    )
    for asked in ("goteborg", "VAVERI sample", "sailcl", "ecologie", 'ab"ord OR', "gote* sail"):
        assert ids(catalogue, "hosts", text=asked) == (["a"] if "OR" not in asked else []), asked
    assert ids(catalogue, "hosts", text="!?") == []


@pytest.mark.parametrize(
    "said", ["Write to me@mill.example now.", "Call +351 21 000 00 00 now.", "<office@mill.example>"]
)
def test_addresses_and_numbers_in_a_motivation_are_neither_shown_nor_found(said: str) -> None:
    catalogue, _ = a_catalogue(a_host("h", motivation=said))
    assert "contact through the platform" in shown(said)
    assert "@" not in shown(said)
    assert "000" not in shown(said)
    assert ids(catalogue, "hosts", text="mill.example") == ids(catalogue, "hosts", text="351") == []


def test_years_and_amounts_in_a_motivation_stay() -> None:
    assert shown("Since 2019 we press 1,200 t of hemp; see you in 2023.") == (
        "Since 2019 we press 1,200 t of hemp; see you in 2023."
    )


@pytest.mark.parametrize("seed", range(3))
def test_pages_by_fit_go_on_where_the_last_one_ended(seed: int) -> None:
    rng = random.Random(seed)
    everybody = [a_random_prospect(rng, f"r{number:04}") for number in range(250)]
    catalogue, pool = a_catalogue(*everybody)
    view = PoolView(pool, LATEST, TODAY)
    seeker = a_visitor(
        "seeker", served=list(Ecosystem), availability=availability((TODAY, TODAY + timedelta(90)))
    )
    among = catalogue.filter("hosts", CatalogueFilter(language="en"), TODAY)
    whole = [
        fit
        for fit in view.best(seeker, "visitor", limit=999).fits
        if among(_member(catalogue, fit.partner.registration_id))
    ]
    seen: list[str] = []
    behind: Key | None = None
    while page := view.best(seeker, "visitor", limit=9, among=among, behind=behind).fits:
        seen += [fit.partner.registration_id for fit in page]
        last = _member(catalogue, seen[-1])
        behind = -rank(round(page[-1].score * 100), last), last.id
    assert len(seen) > 20
    assert seen == [fit.partner.registration_id for fit in whole]


def _member(catalogue: Catalogue, id: str) -> Prospect:
    prospect = catalogue.member(id)
    assert prospect is not None
    return prospect


def test_a_cursor_is_of_one_order() -> None:
    text = str(Cursor(CatalogueOrder.NAME, ("mill", "h")))
    assert Cursor.read(text, CatalogueOrder.NAME).key == ("mill", "h")
    for wrong in (text, "", "e30=", "ü", text[:-4]):
        with pytest.raises(Malformed):
            Cursor.read(wrong, CatalogueOrder.NEWEST)


def test_an_owner_is_known_as_long_as_one_of_its_registrations_is_accepted() -> None:
    catalogue, _ = a_catalogue(a_host("h", owner="o"), a_visitor("v", owner="o"))
    catalogue.remove("h")
    assert catalogue.knows("o")
    catalogue.remove("v")
    catalogue.remove("v")
    assert not catalogue.knows("o")
    assert len(catalogue) == 0


def test_a_text_index_forgets_what_it_no_longer_holds() -> None:
    index = TextIndex()
    index.put({"a": "hemp fibre", "b": "flax"})
    index.put({"a": "wool"})
    assert (index.find("hemp"), index.find("woo")) == (set(), {"a"})
    index.remove("a")
    index.remove("never there")
    assert index.find("wool") == set()


def test_the_newest_come_first() -> None:
    catalogue, _ = a_catalogue(
        *(
            a_host(f"h{day}", since=a_moment(day), roles=[Role.HOST], place=Place(country="IT", city="x"))
            for day in (3, 9, 5)
        )
    )
    assert ids(catalogue, "hosts") == ["h9", "h5", "h3"]
