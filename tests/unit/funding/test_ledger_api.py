"""The ledger as it is served, and money that comes back: who reads, who claims, who notes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.security import Caller
from tests.unit.funding.staged import (
    AUDITOR,
    EXTERNAL,
    HOST,
    OTHER_STAFF,
    STAFF,
    STRANGER,
    SUPPORT,
    VISITOR,
    Api,
    serving,
    staged,
)

LEDGER = "/partnerships/hempclub/ledger"
CLAIM = {"amount": "900.00", "return_by": "2023-04-05", "reason": "The visit did not take place."}
RETURN = {"amount": "300.00", "reference": "NTRF-20230320-0417", "reason": "The visit did not take place."}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving(await staged()) as api:
        yield api


async def entries(api: Api, query: str = "") -> list[dict[str, Any]]:
    answer = await api.get(f"{LEDGER}?{query}", AUDITOR)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_each_movement_is_read_with_its_accounts_and_its_grant(api: Api) -> None:
    first, *others = await entries(api, "limit=200")
    assert {name: first[name] for name in ("number", "credit", "debit", "amount", "why", "grant")} == {
        "number": 1,
        "credit": "budget",
        "debit": "available",
        "amount": "6300.00",
        "why": "budget_set",
        "grant": None,
    }
    [reserved, committed, paid] = [entry for entry in others if entry["grant"] == "grant-paid"]
    assert [entry["why"] for entry in (reserved, committed, paid)] == ["reserved", "committed", "paid"]
    assert (paid["credit"], paid["debit"], paid["amount"]) == ("committed", "paid", "900.00")


async def test_the_budget_says_where_all_of_it_is(api: Api) -> None:
    answer = await api.get("/partnerships/hempclub/budget", STAFF)
    assert answer.json() == {
        "partnership": "hempclub",
        "total": "6300.00",
        "available": "0.00",
        "reserved": "900.00",
        "committed": "4500.00",
        "paid": "900.00",
        "awaiting": "900.00",
        "awaiting_grants": 1,
    }


async def test_it_is_filtered_and_paged(api: Api) -> None:
    every = [entry["number"] for entry in await entries(api, "limit=200")]
    assert every == list(range(1, len(every) + 1))
    first = (await api.get(f"{LEDGER}?limit=5", STAFF)).json()
    assert [entry["number"] for entry in first["items"]] == every[:5]
    assert [entry["number"] for entry in await entries(api, f"limit=5&after={first['next']}")] == every[5:10]
    assert {entry["grant"] for entry in await entries(api, "grant=grant-payable")} == {"grant-payable"}
    assert [entry["grant"] for entry in await entries(api, "account=paid")] == ["grant-paid"]
    in_february = await entries(api, "first_day=2023-02-01&last_day=2023-02-28")
    assert {entry["why"] for entry in in_february} == {"committed", "paid"}


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("account=lost", "account"),
        ("first_day=17 February", "first_day"),
        ("last_day=1676592000", "last_day"),
        ("limit=0", "limit"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_malformed(api: Api, query: str, at: str) -> None:
    answer = await api.get(f"{LEDGER}?{query}", AUDITOR)
    assert answer.status_code == 422
    assert at in answer.text


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        (STAFF, 200),
        (AUDITOR, 200),
        (SUPPORT, 200),
        (OTHER_STAFF, 403),
        (VISITOR, 403),
        (EXTERNAL, 403),
        (None, 401),
    ],
)
async def test_staff_of_the_partnership_and_auditors_read_it(
    api: Api, caller: Caller | None, status: int
) -> None:
    assert (await api.get(LEDGER, caller)).status_code == status
    assert (await api.get("/partnerships/unheard-of/ledger", AUDITOR)).status_code == 404


# ── money that comes back ────────────────────────────────────────────────────────────────────


async def test_what_is_claimed_and_comes_back_goes_to_who_waits(api: Api) -> None:
    claimed = await api.post("/grants/grant-paid/claim", CLAIM, STAFF)
    assert (claimed.status_code, claimed.json()["claimed"], claimed.json()["state"]) == (
        200,
        "900.00",
        "paid",
    )
    part = await api.post("/grants/grant-paid/recoveries", RETURN, STAFF)
    assert (part.json()["recovered"], part.json()["claimed"]) == ("300.00", "600.00")
    rest = {**RETURN, "amount": "600.00", "reference": "NTRF-20230322-0031"}
    whole = await api.post("/grants/grant-paid/recoveries", rest, STAFF)
    assert whole.json()["state"] == "recovered"
    assert (await api.get("/grants/grant-queued", STAFF)).json()["state"] == "reserved"
    assert [entry["why"] for entry in await entries(api, "account=paid")] == [
        "paid",
        "recovered",
        "recovered",
    ]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("grant-paid/claim", {**CLAIM, "amount": "900.01"}, "recovery-too-large"),
        ("grant-paid/claim", {**CLAIM, "return_by": "2023-03-02"}, "return-by-past"),
        ("grant-paid/recoveries", {**RETURN, "amount": "900.01"}, "recovery-too-large"),
        ("grant-released/claim", CLAIM, "grant-state-forbids"),
        ("grant-payable/recoveries", RETURN, "grant-state-forbids"),
    ],
)
async def test_what_cannot_come_back_is_refused_and_changes_nothing(
    api: Api, path: str, body: dict[str, Any], code: str
) -> None:
    before = await entries(api, "limit=200")
    answer = await api.post(f"/grants/{path}", body, STAFF)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, code)
    assert await entries(api, "limit=200") == before


@pytest.mark.parametrize("written", ["4.5E+2", "450", 450, "450.0"])
async def test_an_amount_is_told_to_the_cent_however_it_is_written(api: Api, written: object) -> None:
    claimed = await api.post("/grants/grant-paid/claim", {**CLAIM, "amount": written}, STAFF)
    assert claimed.json()["claimed"] == "450.00"


async def test_a_return_that_is_sent_twice_is_noted_once(api: Api) -> None:
    assert (await api.post("/grants/grant-paid/recoveries", RETURN, STAFF)).status_code == 200
    again = await api.post("/grants/grant-paid/recoveries", RETURN, STAFF)
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "recovery-noted")
    assert (await api.get("/grants/grant-paid", STAFF)).json()["recovered"] == "300.00"


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "0"},
        {"amount": "1.005"},
        {"amount": "NaN"},
        {"amount": True},
        {"amount": "300.00 USD"},
        {"reference": " "},
        {"reason": ""},
        {"bonus": 1},
    ],
)
async def test_what_makes_no_sense_is_malformed(api: Api, changes: dict[str, Any]) -> None:
    answer = await api.post("/grants/grant-paid/recoveries", {**RETURN, **changes}, STAFF)
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        (OTHER_STAFF, 404),
        (VISITOR, 403),
        (HOST, 404),
        (STRANGER, 404),
        (AUDITOR, 403),
        (SUPPORT, 403),
        (None, 401),
    ],
)
async def test_only_staff_of_the_partnership_that_paid_claim_and_note_it(
    api: Api, caller: Caller | None, status: int
) -> None:
    for path, body in (("claim", CLAIM), ("recoveries", RETURN)):
        assert (await api.post(f"/grants/grant-paid/{path}", body, caller)).status_code == status
