"""Plans over HTTP, on a database in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest

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
from tests.unit.matching.plans import SUPPORT_OFFICE, made, published


class Client(httpx.AsyncClient):
    """Calls the API as somebody."""

    service: Service
    caller: Caller = staff_of("hempclub")


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    for name, value in {
        "CXC_MONGO_URL": "mongodb://nowhere.example",
        "CXC_KAFKA_BOOTSTRAP": "nowhere.example:9092",
        "CXC_ISSUER": "https://issuer.example",
        "CXC_JWKS_URL": "https://issuer.example/keys",
    }.items():
        monkeypatch.setenv(name, value)
    app = create_app(MatchingSettings.load())
    # Without its lifespan, the app connects to nothing.
    async with Client(transport=httpx.ASGITransport(app), base_url="http://matching.example") as client:
        client.service = Service(Partnerships([a_partnership("hempclub"), a_partnership("linenclub")]))
        await client.service.consume(
            *(accepted(a_host_party(id, partnership="linenclub"), a_host_profile()) for id in ("h1", "h2")),
            *(accepted(a_party(id), a_profile()) for id in ("v1", "v2", "v3")),
        )
        app.state.root = SimpleNamespace(transactions=client.service.transactions)
        app.dependency_overrides[authenticated] = lambda: client.caller
        yield client


async def test_a_plan_is_asked_for_and_followed(client: Client) -> None:
    asked = await client.post("/plans", json={"keep_margin": 3})
    assert asked.status_code == 202, asked.text
    address = asked.headers["location"]
    queued = (await client.get(address)).json()
    assert (queued["state"], queued["figures"], queued["asked"]["keep_margin"]) == ("queued", None, 3.0)
    unread = await client.get(f"{address}/pairs")
    assert unread.status_code == 409
    assert "queued" in unread.json()["detail"]
    await made(client.service, queued["id"])
    ready = (await client.get(address)).json()
    assert (ready["state"], ready["figures"]["exchanges"], ready["figures"]["total_score"] > 0) == (
        "ready",
        2,
        True,
    )


async def test_a_plan_is_read_page_by_page_and_by_person(client: Client) -> None:
    id = (await client.post("/plans")).json()["id"]
    await made(client.service, id)
    first = (await client.get(f"/plans/{id}/pairs", params={"limit": 1})).json()
    rest = (await client.get(f"/plans/{id}/pairs", params={"after": first["next"]})).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (1, 1, None)
    [left_out] = (await client.get(f"/plans/{id}/unmatched")).json()["items"]
    assert (left_out["why_not"], left_out["why"] != "") == ("hosts_full", True)
    visitor = left_out["visitor"]["registration_id"]
    person = (await client.get(f"/plans/{id}/people/{visitor}")).json()
    assert person["as_visitor"]["why"] == left_out["why"]
    assert [one["is_full"] for one in person["as_visitor"]["next_best"]] == [True, True]
    for one in person["as_visitor"]["next_best"]:
        assert "one more place" in one["to_change"].lower()


async def test_what_came_of_each_pair_is_shown(client: Client) -> None:
    id = (await client.post("/plans")).json()["id"]
    await made(client.service, id)
    answer = await client.post(f"/plans/{id}/publish", json={"answer_days": 5})
    assert (answer.status_code, answer.json()["state"]) == (202, "publishing")
    await published(client.service, id, answer_days=5)
    shown = (await client.get(f"/plans/{id}")).json()["publication"]
    assert (shown["pairs"], shown["suggested"], shown["dropped"]) == (2, 2, 0)
    suggested = (await client.get(f"/plans/{id}/pairs", params={"outcome": "suggested"})).json()["items"]
    assert all(pair["match_id"] for pair in suggested)


async def test_participants_see_no_plans(client: Client) -> None:
    id = (await client.post("/plans")).json()["id"]
    client.caller = participant_of("v1")
    for answer in (
        await client.get("/plans"),
        await client.get(f"/plans/{id}"),
        await client.post("/plans"),
        await client.post(f"/plans/{id}/publish"),
        await client.post(f"/plans/{id}/cancel"),
    ):
        assert answer.status_code == 403


async def test_plans_of_several_partnerships_are_compared_by_those_who_make_them(client: Client) -> None:
    client.caller = SUPPORT_OFFICE
    id = (await client.post("/plans")).json()["id"]
    await made(client.service, id)
    both = {"from": id, "to": id}
    assert (await client.get("/plans/compare", params=both)).json()["more_exchanges"] == 0
    client.caller = staff_of("hempclub")
    assert (await client.get("/plans/compare", params=both)).status_code == 403
