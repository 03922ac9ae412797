"""Holding what goes out, and letting it go: who may, and that the second time changes nothing."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.notify import notify
from shared.messaging.outbox import unpack
from shared.security import Caller, CallerRole
from shared.storage.store import OUTBOX
from tests.builders import an_envelope
from tests.fakes import MemoryTransactions
from tests.unit.notifications import samples
from tests.unit.notifications.serving import served

SUPPORT_OFFICE = Caller("support-office", CallerRole.SUPPORT_OFFICE)
STAFF = Caller("s", CallerRole.STAFF, partnership="hempclub")
PARTICIPANT = Caller("v", CallerRole.PARTICIPANT, organisation="tagus-fibre")

HOLD = {"held": True, "reason": "The mail server moves."}
RELEASE = {"held": False, "reason": "It has moved."}


@pytest.fixture
def transactions() -> MemoryTransactions[NotificationsUnitOfWork]:
    return MemoryTransactions(samples.open_unit)


async def put(transactions: MemoryTransactions[NotificationsUnitOfWork], body: Any, **given: Any) -> Any:
    async with served(transactions, **given) as http:
        return await http.put("/outgoing", json=body)


def by_channel(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {one["channel"]: one for one in answer.json()["channels"]}


def published(transactions: MemoryTransactions[NotificationsUnitOfWork]) -> list[tuple[str, list[str]]]:
    rows = transactions.database[OUTBOX].values()
    events = [orjson.loads(message.value) for row in rows for message in unpack(row)]
    return [(event["type"], event["data"]["channels"]) for event in events]


async def test_the_support_office_holds_everything_and_all_see_who_did_and_why(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    held = by_channel(await put(transactions, HOLD, as_=SUPPORT_OFFICE))
    assert set(held) == {"email", "chat", "webhooks"}
    async with served(transactions, as_=STAFF) as http:
        assert by_channel(await http.get("/outgoing")) == held
    for one in held.values():
        assert (one["held"], one["by"], one["reason"]) == (True, "support-office", "The mail server moves.")
        assert one["since"]
    assert published(transactions) == [("cxc.outgoing.held.v1", ["chat", "email", "webhooks"])]


async def test_one_channel_is_held_and_let_go_alone(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    held = by_channel(await put(transactions, {**HOLD, "channels": ["email"]}, as_=SUPPORT_OFFICE))
    assert [name for name, one in held.items() if one["held"]] == ["email"]
    await put(transactions, {**HOLD, "reason": "All of it."}, as_=SUPPORT_OFFICE)
    left = by_channel(await put(transactions, {**RELEASE, "channels": ["chat"]}, as_=SUPPORT_OFFICE))
    assert {name: one["reason"] for name, one in left.items() if one["held"]} == {
        "email": "The mail server moves.",
        "webhooks": "All of it.",
    }
    assert published(transactions) == [
        ("cxc.outgoing.held.v1", ["email"]),
        ("cxc.outgoing.held.v1", ["chat", "webhooks"]),
        ("cxc.outgoing.released.v1", ["chat"]),
    ]


async def test_to_hold_or_release_twice_changes_nothing(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    first = await put(transactions, HOLD, as_=SUPPORT_OFFICE)
    assert (await put(transactions, {**HOLD, "reason": "Again."}, as_=SUPPORT_OFFICE)).json() == first.json()
    for _ in range(2):
        released = by_channel(await put(transactions, RELEASE, as_=SUPPORT_OFFICE))
        assert not any(one["held"] for one in released.values())
    assert len(published(transactions)) == 2


async def test_what_waits_is_counted(transactions: MemoryTransactions[NotificationsUnitOfWork]) -> None:
    event = samples.an_acceptance()
    await transactions.run(
        lambda uow: notify(uow, an_envelope(event, service="registration", subject="r-visitor"), event)
    )
    async with served(transactions, as_=STAFF) as http:
        waiting = by_channel(await http.get("/outgoing"))
    assert waiting["email"]["waiting"] == 1
    assert waiting["email"]["oldest"]
    assert (waiting["webhooks"]["waiting"], waiting["webhooks"]["oldest"]) == (None, None)


@pytest.mark.parametrize("caller", [STAFF, PARTICIPANT, Caller("a", CallerRole.AUDITOR)])
async def test_nobody_else_holds_anything(
    transactions: MemoryTransactions[NotificationsUnitOfWork], caller: Caller
) -> None:
    assert (await put(transactions, HOLD, as_=caller)).status_code == 403
    assert published(transactions) == []


async def test_participants_do_not_see_what_waits(
    transactions: MemoryTransactions[NotificationsUnitOfWork],
) -> None:
    async with served(transactions, as_=PARTICIPANT) as http:
        assert (await http.get("/outgoing")).status_code == 403


@pytest.mark.parametrize(
    "body", [{"held": True}, {**HOLD, "reason": "  "}, {**HOLD, "channels": []}, {**HOLD, "channels": ["x"]}]
)
async def test_a_switch_without_a_reason_or_of_an_unknown_channel_is_malformed(
    transactions: MemoryTransactions[NotificationsUnitOfWork], body: Any
) -> None:
    assert (await put(transactions, body, as_=SUPPORT_OFFICE)).status_code == 422
