"""The funding API: who sees which grant, what a preview says, what is public."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.security import Caller, CallerRole
from tests.unit.funding.builders import a_match, a_partnership, stay_facts, transactions
from tests.unit.funding.staged import Api, serving

STAFF = Caller("staff-1", CallerRole.STAFF, partnership="hempclub")
OTHER_STAFF = Caller("staff-2", CallerRole.STAFF, partnership="other")
AUDITOR = Caller("auditor-1", CallerRole.AUDITOR)
VISITOR = Caller("visitor-1", CallerRole.PARTICIPANT, organisation="visitor-m1")
HOST = Caller("host-1", CallerRole.PARTICIPANT, organisation="host-m1")
EXTERNAL = Caller("crm-1", CallerRole.EXTERNAL)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    partnerships = [a_partnership(budget="1000.00"), a_partnership("other")]
    funding = transactions(*partnerships)
    for match in (
        a_match("m1"),
        a_match("m2", full=False),
        a_match("m3", payer="other"),
        a_match("m4", payer="other", country="NO", city="Oslo"),
    ):
        await funding.run(lambda uow, match=match: reserve_lump_sum(uow, match))  # type: ignore[misc]
    async with serving(funding, *partnerships) as api:
        yield api


async def test_a_preview_has_the_agreed_shape(api: Api) -> None:
    answer = await api.post("/lump-sums/preview", stay_facts(last_day="2023-02-15"), EXTERNAL)
    assert answer.status_code == 200
    said = answer.json()
    assert list(said) == [
        "outcome",
        "amount",
        "working_days",
        "days",
        "distance_km",
        "halved_because",
        "receipt",
    ]
    assert (said["outcome"], said["amount"], said["working_days"]) == ("payable", "450.00", 3)
    assert said["halved_because"] == ["fewer_than_5_working_days"]
    assert said["distance_km"] == pytest.approx(1686.448, abs=0.001)
    assert said["days"][0] == {
        "day": "2023-02-13",
        "weekday": "Monday",
        "counted": True,
        "why": "working day",
    }


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"last_day": "2023-02-10"}, 422, "malformed"),
        ({"host_country": "XX"}, 422, "malformed"),
        ({"agreed_amount": "901"}, 409, "agreed-amount-over-rate"),
    ],
)
async def test_a_preview_that_cannot_be_made_says_why(
    api: Api, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = await api.post("/lump-sums/preview", stay_facts(**changes), STAFF)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["type"].endswith(code)


async def test_progress_is_public_and_says_no_word_about_money(api: Api) -> None:
    answer = await api.get("/partnerships/hempclub/progress")
    assert answer.json() == {
        "partnership": "hempclub",
        "name": "Hempclub",
        "done": 23,
        "objective": 80,
        "percent": 28.75,
        "sentence": "23 / 80, 28.75 %",
    }


@pytest.mark.parametrize("caller", [STAFF, AUDITOR])
async def test_staff_and_auditors_see_the_budget(api: Api, caller: Caller) -> None:
    answer = await api.get("/partnerships/hempclub/budget", caller)
    assert answer.json() == {
        "partnership": "hempclub",
        "total": "1000.00",
        "available": "100.00",
        "reserved": "900.00",
        "committed": "0.00",
        "paid": "0.00",
        "awaiting": "450.00",
        "awaiting_grants": 1,
    }


@pytest.mark.parametrize("caller", [OTHER_STAFF, VISITOR, EXTERNAL])
async def test_nobody_else_sees_the_budget(api: Api, caller: Caller) -> None:
    answer = await api.get("/partnerships/hempclub/budget", caller)
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/partnerships/hempclub/budget", "/grants", "/grants/grant-m1"])
async def test_money_is_never_shown_without_a_token(api: Api, path: str) -> None:
    assert (await api.get(path)).status_code == 401


@pytest.mark.parametrize("path", ["/partnerships/unheard-of/progress", "/partnerships/unheard-of/budget"])
async def test_a_partnership_that_does_not_exist_is_not_found(api: Api, path: str) -> None:
    assert (await api.get(path, AUDITOR)).status_code == 404


@pytest.mark.parametrize(
    ("caller", "seen"),
    [
        (AUDITOR, ["m1", "m2", "m3", "m4"]),
        # All four hosts are HempClub's: its staff sees the matches that others pay for, too.
        (STAFF, ["m1", "m2", "m3", "m4"]),
        (OTHER_STAFF, ["m3", "m4"]),
        (VISITOR, ["m1"]),
        (HOST, []),
        (EXTERNAL, []),
    ],
)
async def test_each_caller_sees_their_own_grants(api: Api, caller: Caller, seen: list[str]) -> None:
    listed = (await api.get("/grants", caller)).json()["items"]
    assert [line["match_id"] for line in listed] == seen
    answers = await asyncio.gather(*(api.get(f"/grants/grant-m{number}", caller) for number in range(1, 5)))
    assert [answer.status_code for answer in answers] == [
        200 if f"m{number}" in seen else 404 for number in range(1, 5)
    ]


async def test_grants_are_filtered_and_paged(api: Api) -> None:
    async def ids(query: str) -> list[str]:
        return [line["match_id"] for line in (await api.get(f"/grants?{query}", AUDITOR)).json()["items"]]

    assert await ids("state=awaiting_budget") == ["m2"]
    assert await ids("partnership=other&state=refused") == ["m4"]
    first = (await api.get("/grants?limit=3", AUDITOR)).json()
    assert await ids(f"limit=3&after={first['next']}") == ["m4"]
    assert (await api.get("/grants?state=lost", AUDITOR)).status_code == 422


async def test_a_grant_is_shown_with_its_calculation_and_no_addresses(api: Api) -> None:
    answer = await api.get("/grants/grant-m2", VISITOR)
    assert answer.status_code == 404
    shown = await api.get("/grants/grant-m2", STAFF)
    grant = shown.json()
    assert (grant["state"], grant["amount"], grant["position"]) == ("awaiting_budget", "450.00", 1)
    assert len(grant["lump_sum"]["days"]) == 3
    assert grant["lump_sum"]["receipt"]["sentence"] == grant["sentence"]
    assert ".example" not in shown.text


async def test_the_api_describes_itself(api: Api) -> None:
    described = (await api.get("/openapi.json")).json()
    routes = [
        (path, method, route)
        for path, methods in described["paths"].items()
        for method, route in methods.items()
        if path not in ("/live", "/ready", "/metrics")
    ]
    assert routes
    for path, method, route in routes:
        assert route["summary"], (path, method)
        assert route["description"], (path, method)
        assert any(status.startswith("4") for status in route["responses"]), (path, method)
    examples = described["paths"]["/lump-sums/preview"]["post"]["requestBody"]["content"]["application/json"]
    for example in examples["examples"].values():
        assert (await api.post("/lump-sums/preview", example["value"], STAFF)).json()["outcome"] == "payable"
