"""The catalogue over the API, with thousands of profiles on real MongoDB."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import date
from typing import Any

import pytest

from services.matching.domain.candidate import Candidate
from shared.contracts.common import Place
from shared.contracts.envelope import now
from shared.contracts.vocabulary import Ecosystem
from tests.builders import a_host_party, a_party
from tests.integration.apis import (
    AUDITOR,
    EXTERNAL,
    NOBODY,
    OTHER_STAFF,
    STAFF,
    STRANGER,
    SUPPORT_OFFICE,
    Api,
    participant,
    pointers,
    problem,
)
from tests.unit.matching.builders import a_host_profile, a_profile, availability

pytestmark = pytest.mark.integration

HOSTS = 3_000
SPRING = availability((date(2090, 2, 6), date(2090, 4, 28)))
COUNTRIES = ("IT", "ES", "FR", "DE", "PT")
WORDS = ("spinning", "weaving", "dyeing", "milling", "hemp", "flax", "wool", "jute")


@pytest.fixture(scope="module")
async def full(matching: Api) -> Api:
    """A pool of 3,000 hosts and one visitor."""
    rng = random.Random(1)
    members = [
        _candidate(
            a_party("seeker"), a_profile(availability=SPRING, motivation="hemp flax", languages=["en"])
        )
    ]
    for number in range(HOSTS):
        country = COUNTRIES[number % 5]
        party = a_host_party(
            f"host-{number:04}",
            organisation=f"Mill {rng.randrange(10**6):06} (sample)",
            place=Place(country=country, city="Sample", lat=45.0, lon=9.0),
        )
        profile = a_host_profile(
            availability=SPRING,
            ecosystems=[Ecosystem.TEXTILE, rng.choice(list(Ecosystem))],
            offers=rng.sample(WORDS, 2),
            motivation=f"{' '.join(rng.sample(WORDS, 3))}; write to mill{number}@mill.example",
        )
        members.append(_candidate(party, profile))
    await matching.root.database[Candidate.COLLECTION].insert_many(members)
    deadline = time.monotonic() + 60
    while len(matching.root.catalogue) < len(members):
        assert time.monotonic() < deadline, "the catalogue did not fill in time"
        await asyncio.sleep(0.05)
    return matching


def _candidate(party: Any, profile: Any) -> Any:
    candidate = Candidate(id=party.registration_id)
    candidate.join(party, profile, version=2, at=now())
    return candidate.to_document()


async def every_page(api: Api, **asked: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        answer = await api.get("/catalogue", STAFF, limit=50, **asked, **after)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next"] is None:
            return items
        after = {"after": page["next"]}


async def test_every_host_of_a_country_is_on_one_page_of_the_catalogue(full: Api) -> None:
    items = await every_page(full, side="hosts", country="ES", sort="name")
    assert len({item["registration_id"] for item in items}) == len(items) == HOSTS // 5
    names = [item["organisation"] for item in items]
    assert names == sorted(names)


async def test_words_and_filters_are_joined(full: Api) -> None:
    items = await every_page(full, side="hosts", text="FLÁX weav", country="FR", topic="hemp")
    assert items
    for item in items:
        said = " ".join([item["motivation"], *item["offers"]])
        assert "flax" in said
        assert "weaving" in said
        assert item["country"] == "FR"
        assert "hemp" in item["offers"]


async def test_no_address_is_in_the_catalogue(full: Api) -> None:
    for asked in ({"side": "hosts"}, {"side": "visitors"}, {"side": "hosts", "for": "seeker", "sort": "fit"}):
        answer = await full.get("/catalogue", participant("seeker"), **asked)
        assert answer.status_code == 200
        assert "@" not in answer.text
        assert answer.json()["items"]
    assert (await full.get("/catalogue", STAFF, side="hosts", text="mill17")).json()["items"] == []


async def test_sorted_by_fit_the_best_come_first_with_reasons_and_what_counts_against_them(full: Api) -> None:
    seeker = participant("seeker")
    items: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    for _ in range(4):
        answer = await full.get(
            "/catalogue", seeker, side="hosts", sort="fit", limit=25, **{"for": "seeker"}, **after
        )
        page = answer.json()
        items += page["items"]
        after = {"after": page["next"]}
    best = (await full.get("/visitors/seeker/suggestions", seeker, limit=50)).json()["items"]
    assert [item["registration_id"] for item in items[:50]] == [
        item["partner"]["registration_id"] for item in best
    ]
    assert [item["fit"]["score"] for item in items] == sorted(
        (item["fit"]["score"] for item in items), reverse=True
    )
    assert len({item["registration_id"] for item in items}) == 100
    assert "PT" not in {item["country"] for item in items}
    for item in items:
        assert item["fit"]["score"] == pytest.approx(
            sum(reason["points"] for reason in item["fit"]["reasons"])
        )


async def test_in_any_order_what_keeps_two_apart_is_said(full: Api) -> None:
    answer = await full.get(
        "/catalogue", participant("seeker"), side="hosts", country="PT", **{"for": "seeker"}
    )
    item = answer.json()["items"][0]
    assert item["fit"] is None
    assert item["obstacles"] == ["Both are in Portugal; a visit goes abroad."]


async def test_who_takes_part_may_look_and_only_for_itself(full: Api) -> None:
    for caller, status in (
        (participant("seeker"), 200),
        (participant("host-0001"), 200),
        (STAFF, 200),
        (OTHER_STAFF, 200),
        (SUPPORT_OFFICE, 200),
        (AUDITOR, 200),
        (STRANGER, 403),
        (EXTERNAL, 403),
        (NOBODY, 401),
    ):
        assert (await full.get("/catalogue", caller, side="hosts")).status_code == status, caller
    for caller in (participant("host-0001"), OTHER_STAFF):
        answer = await full.get("/catalogue", caller, side="hosts", **{"for": "seeker"})
        problem(answer, 404, "not-found")
    problem(await full.get("/catalogue", STAFF, side="visitors", **{"for": "seeker"}), 404, "not-found")


async def test_one_profile_is_read_as_it_stands_in_the_list(full: Api) -> None:
    seeker = participant("seeker")
    listed = (await full.get("/catalogue", seeker, side="hosts", **{"for": "seeker"})).json()["items"][0]
    path = f"/catalogue/{listed['registration_id']}"
    answer = await full.get(path, seeker, side="hosts", **{"for": "seeker"})
    assert answer.json() == listed
    assert "@" not in answer.text
    problem(await full.get(path, seeker, side="visitors"), 404, "not-found")
    problem(await full.get(path, STRANGER, side="hosts"), 403, "forbidden")
    problem(await full.get(path, OTHER_STAFF, side="hosts", **{"for": "seeker"}), 404, "not-found")
    problem(await full.get("/catalogue/nobody", STAFF, side="hosts"), 404, "not-found")


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({}, "/side"),
        ({"side": "all"}, "/side"),
        ({"side": "hosts", "county": "IT"}, "/county"),
        ({"side": "hosts", "country": "Italy"}, "/country"),
        ({"side": "hosts", "text": "x"}, "/text"),
        ({"side": "hosts", "limit": 51}, "/limit"),
        ({"side": "hosts", "after": "nonsense"}, "/after"),
        ({"side": "hosts", "sort": "fit"}, "/for"),
        ({"side": "hosts", "available_from": "2090-03-01", "available_to": "2090-02-01"}, ""),
    ],
)
async def test_a_malformed_question_is_told_where(full: Api, asked: dict[str, Any], where: str) -> None:
    refused = problem(await full.get("/catalogue", STAFF, **asked), 422, "malformed")
    assert pointers(refused) == [where]
