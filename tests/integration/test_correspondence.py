"""Messages and saved searches over the API, on real MongoDB, up to the events they lead to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from services.matching.chores import CHORES
from services.matching.domain.saved_search import SearchRound
from services.matching.searches import SETTLED, look_through_searches
from shared.chores import Round
from shared.contracts.envelope import now
from shared.messaging.outbox import unpack
from shared.storage.lease import Lease
from shared.storage.store import OUTBOX
from tests.integration.apis import (
    AUDITOR,
    NOBODY,
    STAFF,
    STRANGER,
    SUPPORT_OFFICE,
    Api,
    participant,
    pointers,
    problem,
)
from tests.integration.test_api_matching import a_host, a_visitor

pytestmark = pytest.mark.integration


async def events(api: Api, wire_type: str) -> list[dict[str, Any]]:
    """Every event of the type in the outbox."""
    rows = await api.root.database[OUTBOX].find({}).sort("position", 1).to_list(None)
    found = [json.loads(message.value or b"{}") for row in rows for message in unpack(row)]
    return [event["data"] for event in found if event["type"] == wire_type]


async def test_a_message_goes_out_with_the_receivers_address_alone(matching: Api) -> None:
    visitor, host = await a_visitor(matching), await a_host(matching)
    answer = await matching.post(
        f"/catalogue/{host}/messages", participant(visitor), {"from": visitor, "text": " Hello! "}
    )
    assert answer.status_code == 201, answer.text
    event = (await events(matching, "cxc.message.sent.v1"))[-1]
    assert (event["text"], event["party"]["registration_id"]) == ("Hello!", host)
    assert "email" not in event["sender"]
    path = answer.headers["location"]
    for caller, status in (
        (participant(visitor), 200),
        (participant(host), 200),
        (STRANGER, 404),
        (STAFF, 404),
        (SUPPORT_OFFICE, 404),
        (AUDITOR, 404),
        (NOBODY, 401),
    ):
        assert (await matching.get(path, caller)).status_code == status, caller
    read = (await matching.get(path, participant(host))).json()
    assert (read["text"], read["sender_registration_id"]) == ("Hello!", visitor)


async def test_nobody_writes_for_another_and_nothing_is_kept_of_it(matching: Api) -> None:
    visitor, host = await a_visitor(matching), await a_host(matching)
    before = await matching.stored()
    path = f"/catalogue/{host}/messages"
    for caller, status in ((participant(host), 403), (STAFF, 403), (STRANGER, 403), (NOBODY, 401)):
        answer = await matching.post(path, caller, {"from": visitor, "text": "Hello!"})
        assert answer.status_code == status, caller
    for body, where in (
        ({"from": visitor}, "/text"),
        ({"from": visitor, "text": "  "}, "/text"),
        ({"from": visitor, "text": "x" * 2001}, "/text"),
        ({"text": "Hello!"}, "/from"),
        ({"from": visitor, "text": "Hello!", "cc": "all"}, "/cc"),
    ):
        refused = problem(await matching.post(path, participant(visitor), body), 422, "malformed")
        assert pointers(refused) == [where]
    assert await matching.stored() == before


async def test_a_day_has_so_many_messages_also_when_they_come_at_once(matching: Api) -> None:
    visitor, host = await a_visitor(matching), await a_host(matching)
    body = {"from": visitor, "text": "Hello!"}
    answers = await asyncio.gather(
        *(matching.post(f"/catalogue/{host}/messages", participant(visitor), body) for _ in range(25))
    )
    assert sum(answer.status_code == 201 for answer in answers) <= 20
    while (
        answer := await matching.post(f"/catalogue/{host}/messages", participant(visitor), body)
    ).is_success:
        pass
    assert "20 messages" in problem(answer, 409, "too-many-messages")["detail"]


async def test_a_saved_search_is_told_of_who_joins(matching: Api) -> None:
    visitor = await a_visitor(matching)
    asked = {"name": "Italy", "side": "hosts", "filter": {"country": "IT", "text": "spinning"}}
    saved = await matching.post(f"/searches?for={visitor}", participant(visitor), asked)
    assert saved.status_code == 201, saved.text
    await look(matching)
    host = await a_host(matching)
    await look(matching)
    told = [
        event
        for event in await events(matching, "cxc.search.matched.v1")
        if event["search_id"] == saved.json()["id"]
    ]
    assert [profile["registration_id"] for event in told for profile in event["found"]] == [host]
    await look(matching)
    listed = (await matching.get("/searches", participant(visitor), **{"for": visitor})).json()["items"]
    assert [(one["name"], one["filter"]) for one in listed] == [("Italy", asked["filter"])]
    assert listed[0]["told_at"] is not None
    for caller, status in (
        (participant("x"), 404),
        (STAFF, 404),
        (participant(visitor), 204),
        (participant(visitor), 404),
    ):
        answer = await matching.call(
            "DELETE", f"/searches/{saved.json()['id']}", caller, params={"for": visitor}
        )
        assert answer.status_code == status, caller


async def look(api: Api) -> None:
    """A round of the chore, as it would be when those who joined just now have settled."""

    class Later:
        def __getattr__(self, name: str) -> Any:
            return getattr(api.root, name)

        def clock(self) -> Any:
            return now() + SETTLED

    lease = Lease("chores", api.root.database)
    assert await lease.hold()
    await look_through_searches(Round("searches", Later(), lease, asyncio.Event()))  # type: ignore[arg-type]
    await lease.let_go()
    assert await api.root.database[SearchRound.COLLECTION].count_documents({}) == 1


def test_the_worker_looks_through_saved_searches() -> None:
    assert look_through_searches in [chore.do_round for chore in CHORES]
