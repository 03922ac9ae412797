"""The matching API over HTTP, on a database in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.matching.api import create_app
from services.matching.settings import MatchingSettings
from shared.http import authenticated
from shared.partnerships import Partnerships
from shared.security import Caller
from tests.builders import a_host_party, a_party
from tests.unit.matching.builders import (
    Service,
    a_host_profile,
    a_partnership,
    a_profile,
    accepted,
    participant_of,
    staff_of,
)

PROPOSAL = {
    "visitor_registration_id": "visitor",
    "host_registration_id": "host",
    "first_day": "2023-02-14",
    "last_day": "2023-02-16",
}


class Client(httpx.AsyncClient):
    """Calls the API as somebody."""

    app: FastAPI
    service: Service
    caller: Caller = participant_of("visitor")


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    for name, value in {
        "CXC_MONGO_URL": "mongodb://nowhere.example",
        "CXC_KAFKA_BOOTSTRAP": "nowhere.example:9092",
        "CXC_ISSUER": "https://issuer.example",
        "CXC_JWKS_URL": "https://issuer.example/keys",
    }.items():
        monkeypatch.setenv(name, value)
    app = create_app(MatchingSettings.load())
    # Without its lifespan, the app connects to nothing.
    client = Client(transport=httpx.ASGITransport(app), base_url="http://matching.example")
    client.app, client.service = app, Service(Partnerships([a_partnership("hempclub")]))
    await client.service.consume(
        accepted(a_party("visitor"), a_profile()), accepted(a_host_party("host"), a_host_profile())
    )
    client.service.hear()
    app.state.root = SimpleNamespace(transactions=client.service.transactions)
    app.dependency_overrides[authenticated] = lambda: client.caller
    async with client:
        yield client


async def test_suggestions_come_with_reasons_and_without_contact(api: Client) -> None:
    answer = await api.get("/visitors/visitor/suggestions", params={"limit": 3})
    assert answer.status_code == 200
    body = answer.json()
    assert body["considered"] == 1
    first = body["items"][0]
    assert first["partner"]["registration_id"] == "host"
    assert first["partner"]["email"] is None
    assert sum(reason["points"] for reason in first["reasons"]) == first["score"] == 90.0

    api.caller = participant_of("host")
    assert (await api.get("/hosts/host/suggestions")).json()["items"][0]["partner"]["place"][
        "country"
    ] == "PT"
    assert (await api.get("/visitors/visitor/suggestions")).status_code == 404


async def test_a_match_is_proposed_accepted_and_approved(api: Client) -> None:
    answer = await api.post("/matches", json=PROPOSAL)
    assert answer.status_code == 201, answer.text
    address = answer.headers["location"]
    assert (answer.json()["state"], answer.json()["visitor"]["email"]) == ("proposed", None)

    api.caller = participant_of("host")
    accepted_one = (await api.post(f"{address}/accept")).json()
    assert (accepted_one["state"], accepted_one["awaits"]) == ("agreed", ["hempclub"])
    assert accepted_one["visitor"]["email"] == "office@tagus-fibre.example"

    api.caller = staff_of("hempclub")
    assert (await api.post(f"{address}/approve")).json()["state"] == "approved"
    assert (await api.get("/matches", params={"state": "approved"})).json()["items"][0]["id"] in address
    again = await api.post(f"{address}/approve")
    assert again.status_code == 409
    assert again.json()["type"].endswith("/match-state-forbids")
    cancelled = await api.post(f"{address}/cancel", json={"reason": "The host moved."})
    assert (cancelled.json()["state"], cancelled.json()["ended_because"]) == ("cancelled", "The host moved.")


async def test_a_match_is_declined_with_or_without_a_reason(api: Client) -> None:
    address = (await api.post("/matches", json=PROPOSAL)).headers["location"]
    api.caller = participant_of("host")
    assert (await api.post(f"{address}/decline")).json()["state"] == "declined"
    address = (await api.post("/matches", json=PROPOSAL)).headers["location"]
    api.caller = staff_of("hempclub")
    refused = await api.post(f"{address}/refuse", json={"reason": "No agenda."})
    assert refused.json()["ended_because"] == "No agenda."


MALFORMED: list[tuple[str, Any]] = [
    ("a field is missing", {**PROPOSAL, "first_day": None}),
    ("a day that does not exist", {**PROPOSAL, "last_day": "2023-02-31"}),
    ("an unknown field", {**PROPOSAL, "remark": "please"}),
    ("no object", []),
]


@pytest.mark.parametrize("body", [row[1] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
async def test_malformed_proposals_are_told_where(api: Client, body: Any) -> None:
    answer = await api.post("/matches", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]


async def test_reversed_days_break_a_rule(api: Client) -> None:
    answer = await api.post("/matches", json={**PROPOSAL, "first_day": "2023-02-17"})
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/stay-out-of-bounds")


async def test_an_unknown_match_is_not_found(api: Client) -> None:
    for path in ("/matches/none", "/visitors/none/suggestions"):
        assert (await api.get(path)).status_code == 404
    assert (await api.post("/matches/none/approve")).status_code == 404


async def test_the_days_are_countered_and_a_proposal_is_withdrawn(api: Client) -> None:
    proposed = await api.post("/matches", json=PROPOSAL)
    address, body = proposed.headers["location"], proposed.json()
    assert (body["awaits"], body["answer_by"], body["reminder_on"]) == (["host"], "2023-01-30", "2023-01-26")
    other_days = {"first_day": "2023-02-20", "last_day": "2023-02-23", "reason": "We travel."}

    own = await api.post(f"{address}/counter", json=other_days)
    assert (own.status_code, own.json()["title"]) == (403, "Not allowed")
    api.caller = participant_of("host")
    same = await api.post(f"{address}/counter", json={k: PROPOSAL[k] for k in ("first_day", "last_day")})
    assert same.json()["type"].endswith("/same-stay")
    countered = (await api.post(f"{address}/counter", json=other_days)).json()
    assert (countered["state"], countered["awaits"], countered["proposed_by"]) == (
        "proposed",
        ["visitor"],
        "host",
    )
    assert countered["stay"] == {"first_day": "2023-02-20", "last_day": "2023-02-23"}

    withdrawn = (await api.post(f"{address}/withdraw", json={"reason": "No time."})).json()
    assert (withdrawn["state"], withdrawn["ended_because"]) == ("withdrawn", "No time.")
    assert (withdrawn["awaits"], withdrawn["answer_by"]) == ([], None)
    api.caller = participant_of("visitor")
    late = await api.post(f"{address}/accept")
    assert late.status_code == 409
    assert late.json()["detail"] == "The match is withdrawn; only one that is proposed can be accepted."


@pytest.mark.parametrize(
    "body",
    [{}, {"first_day": "2023-02-20"}, {"first_day": "soon", "last_day": "2023-02-23"}, {**PROPOSAL}],
)
async def test_malformed_days_are_told_where(api: Client, body: Any) -> None:
    address = (await api.post("/matches", json=PROPOSAL)).headers["location"]
    answer = await api.post(f"{address}/counter", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_a_commitment_is_written_signed_and_printed(api: Client) -> None:
    address = (await api.post("/matches", json=PROPOSAL)).headers["location"]
    assert (await api.get(f"{address}/commitment")).status_code == 404
    api.caller = participant_of("host")
    await api.post(f"{address}/accept")
    api.caller = staff_of("hempclub")
    await api.post(f"{address}/approve")

    draft = (await api.get(f"{address}/commitment")).json()
    item = {"day": "2023-02-15", "begins": "", "title": "The spinning line", "responsible": "Host"}
    sent = {"version": draft["version"], "goals": "Spin hemp.", "agenda": [item]}
    answer = await api.put(f"{address}/commitment", json=sent)
    assert answer.status_code == 200, answer.text
    written = answer.json()
    assert (written["goals"], written["agenda"][0]["begins"]) == ("Spin hemp.", None)
    again = await api.put(f"{address}/commitment", json={**sent, "goals": "Something else."})
    assert (again.status_code, again.json()["title"]) == (409, "The commitment was changed")

    seen = {"sha256": f" {written['sha256']} "}
    signed = (await api.post(f"{address}/commitment/sign", json=seen)).json()
    assert (signed["missing"], signed["state"]) == (["HO", "VO"], "open")
    for side in ("visitor", "host"):
        api.caller = participant_of(side)
        signed = (await api.post(f"{address}/commitment/sign", json=seen)).json()
    assert (signed["missing"], signed["state"]) == ([], "complete")

    paper = await api.get(f"{address}/commitment.pdf")
    assert (paper.headers["content-type"], paper.content[:5]) == ("application/pdf", b"%PDF-")
    assert f"commitment-{signed['id']}.pdf" in paper.headers["content-disposition"]
