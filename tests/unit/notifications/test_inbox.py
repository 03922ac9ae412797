"""Inboxes as their owners keep them: what is unread, by kind, what is read, and the archive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.notify import notify
from shared.contracts.envelope import Event
from shared.contracts.matching import MatchAgreed, MatchApproved
from shared.security import Caller, CallerRole
from tests.builders import A_MOMENT, an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples
from tests.unit.notifications.serving import served

VISITOR = Caller("v", CallerRole.PARTICIPANT, organisation="tagus-fibre")
STRANGER = Caller("x", CallerRole.PARTICIPANT, organisation="another")


@dataclass
class House:
    transactions: MemoryTransactions[NotificationsUnitOfWork]
    http: httpx.AsyncClient
    told_at: datetime = A_MOMENT

    async def tell(self, *events: Event) -> None:
        for event in events:
            self.told_at += timedelta(hours=1)
            fact = an_envelope(event, service="matching", subject="s").model_copy(
                update={"time": self.told_at}
            )
            await self.transactions.run(lambda uow, fact=fact, event=event: notify(uow, fact, event))  # type: ignore[misc]

    async def entries(self, **params: Any) -> list[dict[str, Any]]:
        answer = await self.http.get("/inbox", params=params)
        return list(answer.raise_for_status().json()["items"])

    async def post(self, path: str, body: Any = None) -> Any:
        answer = await self.http.post(path, json=body)
        return answer.raise_for_status().json()

    async def unread(self) -> Any:
        return (await self.http.get("/inbox/unread")).raise_for_status().json()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    transactions = MemoryTransactions(samples.open_unit)
    async with served(transactions, as_=VISITOR) as http:
        house = House(transactions, http)
        await house.tell(
            samples.an_acceptance(),
            *(samples.a_match(MatchApproved, match_id=f"m-{number}") for number in range(3)),
        )
        yield house


def figures(unread: int, **kinds: int) -> dict[str, Any]:
    return {"unread": unread, "kinds": kinds, "more": False}


async def test_unread_entries_are_counted_by_kind(house: House) -> None:
    assert await house.unread() == figures(4, matches=3, registration=1)
    [acceptance] = await house.entries(kind="registration")
    assert (acceptance["kind"], acceptance["link_label"]) == ("registration", "See the registration")
    await house.post(f"/inbox/{acceptance['id']}/read")
    assert await house.unread() == figures(3, matches=3)
    assert len(await house.entries(kind=["registration", "matches"])) == 4
    assert await house.entries(kind="money") == []


async def test_an_entry_can_be_made_unread_again(house: House) -> None:
    entry = (await house.entries())[0]
    await house.post(f"/inbox/{entry['id']}/read")
    again = await house.post(f"/inbox/{entry['id']}/unread")
    assert again == entry
    assert await house.post(f"/inbox/{entry['id']}/unread") == again
    assert (await house.unread())["unread"] == 4


async def test_an_archived_entry_is_read_and_out_of_the_way(house: House) -> None:
    entry = (await house.entries())[0]
    archived = await house.post(f"/inbox/{entry['id']}/archive")
    assert archived["archived_at"]
    assert archived["read_at"]
    assert entry["id"] not in [one["id"] for one in await house.entries()]
    assert await house.entries(archived=True) == [archived]
    assert (await house.unread())["unread"] == 3

    back = await house.post(f"/inbox/{entry['id']}/unarchive")
    assert (back["archived_at"], back["read_at"]) == (None, archived["read_at"])
    assert len(await house.entries()) == 4
    assert await house.entries(archived=True) == []


async def test_an_archived_entry_that_is_made_unread_comes_back(house: House) -> None:
    entry = (await house.entries())[0]
    await house.post(f"/inbox/{entry['id']}/archive")
    assert await house.post(f"/inbox/{entry['id']}/unread") == entry
    assert (await house.unread())["unread"] == 4


async def test_everything_up_to_what_was_seen_is_read_at_once(house: House) -> None:
    seen = (await house.entries())[0]
    await house.tell(samples.a_match(MatchAgreed, match_id="m-new"))
    assert await house.post("/inbox/read", {"until": seen["id"]}) == {"changed": 4, **figures(1, matches=1)}
    [left] = await house.entries(unread=True)
    assert left["about"] == "m-new"
    assert await house.post("/inbox/read") == {"changed": 1, **figures(0)}
    assert await house.post("/inbox/read") == {"changed": 0, **figures(0)}


async def test_one_kind_is_read_and_the_others_are_left(house: House) -> None:
    done = await house.post("/inbox/read", {"kinds": ["matches"]})
    assert done == {"changed": 3, **figures(1, registration=1)}


async def test_what_is_read_is_archived_at_once_and_the_rest_stays(house: House) -> None:
    await house.post("/inbox/read", {"kinds": ["matches"]})
    assert await house.post("/inbox/archive") == {"changed": 3, **figures(1, registration=1)}
    assert [entry["kind"] for entry in await house.entries()] == ["registration"]
    assert len(await house.entries(archived=True)) == 3


async def test_more_than_one_transaction_holds_is_read_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("services.notifications.use_cases.clear_inbox", "services.notifications.routes.inbox"):
        monkeypatch.setattr(f"{module}.AT_ONCE", 2)
    assert (await house.post("/inbox/read"))["changed"] == 4


async def test_nobody_touches_what_lies_in_another_inbox(house: House) -> None:
    entry = (await house.entries())[0]
    async with served(house.transactions, as_=STRANGER) as stranger:
        for change in ("read", "unread", "archive", "unarchive"):
            assert (await stranger.post(f"/inbox/{entry['id']}/{change}")).status_code == 404
        assert (await stranger.post("/inbox/read")).json()["changed"] == 0
    assert entry in await house.entries()


@pytest.mark.parametrize("body", [{"untill": "x"}, {"kinds": "matches"}, [], {"until": "x" * 300}])
async def test_what_is_meant_has_to_be_said_rightly(house: House, body: Any) -> None:
    for path in ("/inbox/read", "/inbox/archive"):
        assert (await house.http.post(path, json=body)).status_code == 422
