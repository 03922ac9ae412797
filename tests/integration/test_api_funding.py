"""The funding API on real MongoDB: previews, grants, budgets, progress, and who sees what."""

from __future__ import annotations

from typing import Any

import pytest

from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.contracts.common import Place, Window
from shared.contracts.envelope import new_id
from shared.contracts.matching import MatchApproved
from tests.builders import a_host_party, a_party, an_approved_match
from tests.integration.apis import (
    AUDITOR,
    EXTERNAL,
    NOBODY,
    OTHER_STAFF,
    STAFF,
    STRANGER,
    SUPPORT_OFFICE,
    WOOL_STAFF,
    Api,
    As,
    participant,
    pointers,
    problem,
)

pytestmark = pytest.mark.integration


def a_stay(**changes: Any) -> dict[str, Any]:
    """Lisbon to Milan, three working days: the first of the worked examples, EUR 450."""
    return {
        "host_country": "IT",
        "host_place": {"city": "Milan", "country": "IT"},
        "visitor_place": {"city": "Lisbon", "country": "PT"},
        "visitor_country": "PT",
        "first_day": "2023-02-14",
        "last_day": "2023-02-16",
        **changes,
    }


async def approved(api: Api, **changes: Any) -> MatchApproved:
    """A match whose approval has reached funding: visitor of HempClub, host of WoolClub."""
    id = new_id()
    match = an_approved_match(
        id,
        visitor=a_party(f"v-{id}", partnership=changes.pop("payer", "hempclub")),
        host=a_host_party(
            f"h-{id}", partnership="woolclub", place=changes.pop("place", Place(country="IT", city="Milan"))
        ),
        **changes,
    )
    await api.root.transactions.run(lambda uow: reserve_lump_sum(uow, match))
    return match


# ── the main path ────────────────────────────────────────────────────────────────────────────

MILAN_WEEK = {"first_day": "2023-02-13", "last_day": "2023-02-17"}
PREVIEWS: list[tuple[str, dict[str, Any], str, str | None, str]] = [
    ("Lisbon to Milan, three days", {}, "payable", "450.00", "3 working days"),
    ("a week", MILAN_WEEK, "payable", "900.00", ""),
    (
        "Bratislava to Vienna, both halves",
        {
            "host_country": "AT",
            "host_place": {"city": "Vienna", "country": "AT"},
            "visitor_place": {"city": "Bratislava", "country": "SK"},
            "visitor_country": "SK",
        },
        "payable",
        "450.00",
        "once",
    ),
    (
        "Prague in a week of holidays",
        {
            "host_country": "CZ",
            "host_place": {"city": "Prague", "country": "CZ"},
            "first_day": "2023-07-03",
            "last_day": "2023-07-07",
        },
        "payable",
        "305.00",
        "3 working days",
    ),
    ("a partnership pays less", {**MILAN_WEEK, "agreed_amount": "700.00"}, "payable", "700.00", ""),
    (
        "Norway",
        {"host_country": "NO", "host_place": {"city": "Oslo", "country": "NO"}},
        "not_eligible",
        "0.00",
        "Norway",
    ),
    ("two days", {"last_day": "2023-02-15"}, "not_eligible", "0.00", "2"),
    (
        "a place nobody knows",
        {"host_place": {"city": "Nosuchplace", "country": "IT"}},
        "needs_review",
        None,
        "Nosuchplace",
    ),
    (
        "the United Kingdom",
        {"host_country": "UK", "host_place": {"city": "Leeds", "country": "UK"}},
        "needs_review",
        None,
        "United Kingdom",
    ),
]


@pytest.mark.parametrize(("changes", "outcome", "amount", "says"), [row[1:] for row in PREVIEWS],
                         ids=[row[0] for row in PREVIEWS])  # fmt: skip
async def test_what_a_preview_says(
    funding: Api, changes: dict[str, Any], outcome: str, amount: str | None, says: str
) -> None:
    before = await funding.stored()
    answer = await funding.post("/lump-sums/preview", EXTERNAL, a_stay(**changes))
    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert (body["outcome"], body["amount"]) == (outcome, amount)
    assert says in body["receipt"]["sentence"]
    assert await funding.stored() == before


async def test_an_approved_match_has_a_grant_with_its_receipt(funding: Api) -> None:
    match = await approved(funding)
    answer = await funding.get(f"/grants/grant-{match.match_id}", STAFF)
    grant = answer.json()
    assert (grant["state"], grant["amount"], grant["partnership"]) == ("reserved", "450.00", "hempclub")
    assert grant["lump_sum"]["receipt"]["sentence"] == grant["sentence"] != ""
    assert [day["counted"] for day in grant["lump_sum"]["days"]] == [True, True, True]
    assert "email" not in answer.text

    norway = await approved(funding, place=Place(country="NO", city="Oslo"))
    unknown = await approved(funding, place=Place(country="IT", city="Nosuchplace"))
    for match, state in ((norway, "refused"), (unknown, "needs_review")):
        body = (await funding.get(f"/grants/grant-{match.match_id}", STAFF)).json()
        assert body["state"] == state
        assert match.match_id in [
            line["match_id"]
            for line in (await funding.get("/grants", STAFF, state=state, limit=200)).json()["items"]
        ]


async def test_a_list_of_grants_is_turned_page_by_page(funding: Api) -> None:
    for _ in range(3):
        await approved(funding)
    seen: list[str] = []
    after: dict[str, Any] = {}
    while True:
        page = (await funding.get("/grants", SUPPORT_OFFICE, partnership="hempclub", limit=2, **after)).json()
        seen += [line["id"] for line in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == sorted(set(seen))
    assert len(seen) >= 3


async def test_a_short_budget_lets_grants_wait_in_order(funding: Api) -> None:
    before = (await funding.get("/partnerships/woolclub/budget", WOOL_STAFF)).json()
    assert (before["total"], before["reserved"], before["awaiting_grants"]) == ("2000.00", "0.00", 0)
    week = Window.model_validate(MILAN_WEEK)
    matches = [await approved(funding, payer="woolclub", stay=week) for _ in range(4)]
    found = [(await funding.get(f"/grants/grant-{m.match_id}", WOOL_STAFF)).json() for m in matches]
    assert [(grant["state"], grant["position"]) for grant in found] == [
        ("reserved", None),
        ("reserved", None),
        ("awaiting_budget", 1),
        ("awaiting_budget", 2),
    ]
    after = (await funding.get("/partnerships/woolclub/budget", WOOL_STAFF)).json()
    assert after == {
        "partnership": "woolclub",
        "total": "2000.00",
        "available": "200.00",
        "reserved": "1800.00",
        "committed": "0.00",
        "paid": "0.00",
        "awaiting": "1800.00",
        "awaiting_grants": 2,
    }


async def test_the_progress_of_hempclub_is_the_published_one(funding: Api) -> None:
    body = (await funding.get("/partnerships/hempclub/progress", NOBODY)).json()
    assert body == {
        "partnership": "hempclub",
        "name": "HempClub",
        "done": 23,
        "objective": 80,
        "percent": 28.75,
        "sentence": "23 / 80, 28.75 %",
    }


# ── who may see what ─────────────────────────────────────────────────────────────────────────

VISITOR, HOST = "the visitor", "the host"
#          caller                        lists  reads  budget  previews
MATRIX: list[tuple[str, Any, bool | None, int, int, int]] = [
    ("the visitor", VISITOR, True, 200, 403, 200),
    ("the host", HOST, False, 404, 403, 200),
    ("another organisation", STRANGER, False, 404, 403, 200),
    ("the paying partnership's staff", STAFF, True, 200, 200, 200),
    ("the host's partnership's staff", WOOL_STAFF, True, 200, 403, 200),
    ("staff of neither", OTHER_STAFF, False, 404, 403, 200),
    ("the support office", SUPPORT_OFFICE, True, 200, 200, 200),
    ("an auditor", AUDITOR, True, 200, 200, 200),
    ("an external system", EXTERNAL, False, 404, 403, 200),
    ("nobody", NOBODY, None, 401, 401, 200),
]


@pytest.mark.parametrize(("caller", "lists", "reads", "budget", "previews"), [row[1:] for row in MATRIX],
                         ids=[row[0] for row in MATRIX])  # fmt: skip
async def test_who_may_see_what_of_a_grant(
    funding: Api, caller: Any, lists: bool | None, reads: int, budget: int, previews: int
) -> None:
    match = await approved(funding)
    who: As | None = {
        VISITOR: participant(match.visitor.owner),
        HOST: participant(match.host.owner),
    }.get(caller, caller)
    before = await funding.stored()
    id = f"grant-{match.match_id}"
    listed = await funding.get("/grants", who, limit=1, after=id[:-1])
    if lists is None:
        problem(listed, 401, "unauthenticated")
    else:
        assert (id in [line["id"] for line in listed.json()["items"]]) is lists
    assert (await funding.get(f"/grants/{id}", who)).status_code == reads
    assert (await funding.get("/partnerships/hempclub/budget", who)).status_code == budget
    assert (await funding.post("/lump-sums/preview", who, a_stay())).status_code == previews
    assert (await funding.get("/partnerships/hempclub/progress", who)).status_code == 200
    assert await funding.stored() == before


# ── bad input ────────────────────────────────────────────────────────────────────────────────

BAD: list[tuple[str, Any, list[str], str]] = [
    (
        "a missing field",
        {k: v for k, v in a_stay().items() if k != "host_place"},
        ["/host_place"],
        "is missing",
    ),
    ("a wrong type", a_stay(first_day="soon"), ["/first_day"], "valid date"),
    ("an unknown field", a_stay(colour="green"), ["/colour"], "not a field of this"),
    ("no such country", a_stay(host_country="ZZ"), ["/host_country"], "'ZZ' is not a country"),
    (
        "dates reversed",
        a_stay(last_day="2023-02-13"),
        [""],
        "last_day 2023-02-13 is before first_day 2023-02-14",
    ),
    ("a place that says nothing", a_stay(host_place={"country": "IT"}), ["/host_place"], "give a city"),
    ("a negative amount", a_stay(agreed_amount="-1"), ["/agreed_amount"], "greater than 0"),
    ("an amount that is no number", a_stay(agreed_amount="NaN"), ["/agreed_amount"], "must be a number"),
    ("tenths of a cent", a_stay(agreed_amount="1.001"), ["/agreed_amount"], "2 decimal places"),
    ("a list", [], [""], "not a JSON object"),
]


@pytest.mark.parametrize(("body", "where", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_a_malformed_stay_is_told_where(funding: Api, body: Any, where: list[str], says: str) -> None:
    refused = problem(await funding.post("/lump-sums/preview", STAFF, body), 422, "malformed")
    assert pointers(refused) == where
    assert says in refused["detail"]


async def test_more_than_the_rate_breaks_a_rule(funding: Api) -> None:
    answer = await funding.post("/lump-sums/preview", STAFF, a_stay(agreed_amount="901"))
    assert "900" in problem(answer, 409, "agreed-amount-over-rate")["detail"]


async def test_a_body_that_is_no_json_or_too_large_is_refused(funding: Api) -> None:
    headers = {"Content-Type": "application/json"}
    for content, status, code in ((b"{", 422, "malformed"), (b" " * 5 * 1024 * 1024, 413, "too-large")):
        answer = await funding.call("POST", "/lump-sums/preview", STAFF, content=content, headers=headers)
        problem(answer, status, code)


async def test_unknown_grants_and_partnerships_are_not_found(funding: Api) -> None:
    problem(await funding.get("/grants/none", STAFF), 404, "not-found")
    for path in ("/partnerships/nosuch/progress", "/partnerships/nosuch/budget"):
        assert "'nosuch'" in problem(await funding.get(path, STAFF), 404, "not-found")["detail"]
    for query, where in (
        ("limit=0", "/limit"),
        ("state=happy", "/state"),
        ("partnership=$ne", "/partnership"),
    ):
        refused = problem(await funding.call("GET", f"/grants?{query}", STAFF), 422, "malformed")
        assert pointers(refused) == [where]
