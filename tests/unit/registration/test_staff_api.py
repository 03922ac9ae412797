"""What staff do over HTTP: the queue, questions, assignments, bulk decisions, undo, the audit trail."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.builders import a_submission
from tests.unit.registration.client import Client
from tests.unit.registration.service import (
    A_PARTICIPANT,
    AN_AUDITOR,
    HEMPCLUB_STAFF,
    SUPPORT_OFFICE,
    WOOLCLUB_STAFF,
)


async def waiting(api: Client, number: int = 1, **changes: Any) -> list[str]:
    """Ids of registrations that wait for woolclub's staff, who call from now on."""
    api.caller = A_PARTICIPANT
    made = []
    for _ in range(number):
        answer = await api.post("/registrations", json=a_submission(**{"partnership": "woolclub", **changes}))
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
    api.caller = WOOLCLUB_STAFF
    return made


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit("/")[-1]


async def test_the_queue_is_filtered_sorted_and_counted(api: Client) -> None:
    made = await waiting(api, 3)
    await api.post(f"/registrations/{made[1]}/ask", json={"question": "Which?", "answer_by": "2023-02-01"})
    queue: dict[str, Any] = {"waiting_for": "staff", "sort": "-submitted_at", "limit": 1}
    first = (await api.get("/registrations", params=queue)).json()
    assert [line["id"] for line in first["items"]] == [made[2]]
    rest = (await api.get("/registrations", params={**queue, "after": first["next"]})).json()
    assert [line["id"] for line in rest["items"]] == [made[0]]
    [asked] = (await api.get("/registrations", params={"sort": "answer_by"})).json()["items"]
    assert (asked["id"], asked["asked"], asked["answer_by"]) == (made[1], "Which?", "2023-02-01")
    counts = (await api.get("/registrations/counts")).json()
    assert (counts["total"], counts["by_state"]["eligible"], counts["by_state"]["lapsed"]) == (3, 3, 0)
    assert (counts["waiting_for_staff"], counts["waiting_for_applicant"]) == (2, 1)
    counts = (await api.get("/registrations/counts", params={"country": "DE"})).json()
    assert counts["total"] == 0


async def test_a_page_of_another_order_and_a_misspelt_filter_are_refused(api: Client) -> None:
    await waiting(api, 2)
    page = (await api.get("/registrations", params={"limit": 1})).json()
    other = await api.get("/registrations", params={"sort": "organisation", "after": page["next"]})
    assert code(other) == (422, "malformed")
    assert "sorted by id, not by organisation" in other.json()["detail"]
    misspelt = await api.get("/registrations", params={"waitingfor": "staff"})
    assert [error["pointer"] for error in misspelt.json()["errors"]] == ["/waitingfor"]
    assert (await api.get("/registrations/counts", params={"stat": "eligible"})).status_code == 422


async def test_a_question_is_shown_with_the_registration(api: Client) -> None:
    [id] = await waiting(api)
    answer = await api.post(f"/registrations/{id}/ask", json={"question": "Which line?"})
    assert answer.status_code == 200
    assert answer.json()["question"]["text"] == "Which line?"
    assert (await api.post(f"/registrations/{id}/ask", json={"question": " "})).status_code == 422
    old = {"question": "Which?", "answer_by": "2020-01-01"}
    assert code(await api.post(f"/registrations/{id}/ask", json=old)) == (409, "answer-day-passed")
    api.caller = A_PARTICIPANT
    assert code(await api.post(f"/registrations/{id}/ask", json={"question": "?"})) == (403, "forbidden")


async def test_the_support_office_assigns(api: Client) -> None:
    [id] = await waiting(api)
    api.caller = SUPPORT_OFFICE
    to = {"partnership": "hempclub", "reason": "It is about hemp."}
    answer = await api.post(f"/registrations/{id}/assign", json=to)
    assert (answer.status_code, answer.json()["party"]["partnership"]) == (200, "hempclub")
    assert answer.json()["history"][-2]["why"] == "It is about hemp."
    assert code(await api.post(f"/registrations/{id}/assign", json=to)) == (409, "registration-state")
    assert (await api.post(f"/registrations/{id}/assign", json={"partnership": "x"})).status_code == 422


async def test_many_are_previewed_decided_and_undone(api: Client) -> None:
    fine = await waiting(api, 3)
    against = (await waiting(api, organisation={**a_submission()["organisation"], "memberships": []}))[0]
    proposed: dict[str, Any] = {"decision": "accept", "registrations": [*fine, against]}
    preview = (await api.post("/decisions/preview", json=proposed)).json()
    assert (preview["decided"], preview["left_out"], preview["with_warnings"]) == (3, 1, 0)
    answer = await api.post("/decisions", json={**proposed, "basis": preview["basis"]})
    assert answer.status_code == 201, answer.text
    decision = answer.json()
    assert [item["registration_id"] for item in decision["items"]] == fine
    assert decision["left_out"] == [{"registration_id": against, "code": "reason-needed"}]
    assert (await api.get(f"/decisions/{decision['id']}")).json() == decision
    again = await api.post("/decisions", json={**proposed, "basis": preview["basis"]})
    assert code(again) == (409, "not-as-previewed")
    assert len(again.json()["errors"]) == 3

    undone = await api.post(f"/decisions/{decision['id']}/undo", json={"reason": "The wrong list."})
    assert undone.status_code == 200
    assert undone.json()["kept"] == []
    assert undone.json()["decision"]["undone"]["registrations"] == fine
    assert undone.json()["decision"]["undoable_until"] is None
    assert code(await api.post(f"/decisions/{decision['id']}/undo")) == (409, "already-undone")
    states = {line["state"] for line in (await api.get("/registrations")).json()["items"]}
    assert states == {"eligible", "ineligible"}

    [line] = (await api.get("/decisions", params={"kind": "accept"})).json()["items"]
    assert (line["registrations"], line["undone"]) == (3, True)
    entries = (await api.get("/audit", params={"decision": decision["id"]})).json()["items"]
    assert [entry["action"] for entry in entries] == ["undo"] * 3 + ["accept"] * 3


async def test_a_filter_decides_about_what_it_chose_in_the_preview(api: Client) -> None:
    [id] = await waiting(api)
    proposed = {"decision": "reject", "reason": "Full.", "filter": {"state": ["eligible"], "text": "tagus"}}
    preview = (await api.post("/decisions/preview", json=proposed)).json()
    await waiting(api)
    decision = (await api.post("/decisions", json={**proposed, "basis": preview["basis"]})).json()
    assert [item["registration_id"] for item in decision["items"]] == [id]
    other = {**proposed, "reason": "Late.", "basis": preview["basis"]}
    assert code(await api.post("/decisions", json=other)) == (409, "not-as-previewed")


@pytest.mark.parametrize("body", [
    {"decision": "accept"},
    {"decision": "accept", "registrations": []},
    {"decision": "accept", "registrations": ["r"] * 1001},
    {"decision": "accept", "registrations": ["r"], "filter": {}},
    {"decision": "accept", "filter": {"stat": ["eligible"]}},
    {"decision": "reject", "registrations": ["r"]},
    {"decision": "ask", "registrations": ["r"]},
    {"decision": "accept", "registrations": ["r"], "question": "Which?"},
    {"decision": "withdraw", "registrations": ["r"]},
])  # fmt: skip
async def test_what_cannot_be_meant_is_malformed(api: Client, body: dict[str, Any]) -> None:
    api.caller = WOOLCLUB_STAFF
    assert code(await api.post("/decisions/preview", json=body)) == (422, "malformed")


async def test_a_basis_nobody_gave_is_malformed(api: Client) -> None:
    [id] = await waiting(api)
    body = {"decision": "accept", "registrations": [id], "basis": "nonsense"}
    answer = await api.post("/decisions", json=body)
    assert code(answer) == (422, "malformed")
    assert answer.json()["errors"][0]["pointer"] == "/basis"


async def test_decisions_and_the_trail_are_for_those_concerned(api: Client) -> None:
    [id] = await waiting(api)
    await api.post(f"/registrations/{id}/accept")
    [line] = (await api.get("/decisions")).json()["items"]
    entry = (await api.get("/audit", params={"registration": id})).json()["items"][0]
    assert (entry["by"], entry["role"], entry["decision_id"]) == ("officer-w", "staff", line["id"])
    assert (entry["before"], entry["after"]) == ({"state": "eligible"}, {"state": "accepted"})
    for caller, sees in ((HEMPCLUB_STAFF, 0), (AN_AUDITOR, 1), (SUPPORT_OFFICE, 1)):
        api.caller = caller
        assert len((await api.get("/decisions")).json()["items"]) == sees
        assert len((await api.get("/audit")).json()["items"]) == sees
        assert (await api.get(f"/decisions/{line['id']}")).status_code == (200 if sees else 404)
    api.caller = A_PARTICIPANT
    for path in ("/decisions", "/audit"):
        assert code(await api.get(path)) == (403, "forbidden")


async def test_the_trail_goes_on_page_by_page(api: Client) -> None:
    made = await waiting(api, 3)
    for id in made:
        await api.post(f"/registrations/{id}/reject", json={"reason": "Full."})
    first = (await api.get("/audit", params={"limit": 2, "action": "reject", "by": "officer-w"})).json()
    rest = (await api.get("/audit", params={"limit": 2, "after": first["next"]})).json()
    assert [entry["registration_id"] for entry in first["items"] + rest["items"]] == made[::-1]
    empty = (await api.get("/audit", params={"last_day": "2023-01-15"})).json()
    assert empty == {"items": [], "next": None}
