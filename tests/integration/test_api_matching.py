"""The matching API on real MongoDB: from the pool to an approved visit, who may do what, and bad input."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from services.matching.use_cases.join_pool import join_pool
from shared.contracts.common import Party
from shared.contracts.envelope import new_id
from shared.contracts.registration import Profile
from tests.builders import a_host_party, a_party
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
from tests.unit.matching.builders import a_host_profile, a_profile, availability

pytestmark = pytest.mark.integration

DAYS = {"first_day": "2090-02-14", "last_day": "2090-02-16"}
"""Far enough ahead to be a stay that is yet to come."""
SPRING = availability((date(2090, 2, 6), date(2090, 3, 31)))


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.02)


async def joined(api: Api, party: Party, profile: Profile) -> str:
    """The registration is in the pool, as its acceptance brings it there."""
    id = party.registration_id
    await api.root.transactions.run(lambda uow: join_pool(uow, party, profile, version=2))

    async def known() -> bool:
        return id in api.root.pool

    await until(known)
    return id


async def a_visitor(api: Api, **changes: Any) -> str:
    """A visitor of HempClub whose owner is its registration."""
    profile = a_profile(availability=SPRING)
    return await joined(api, a_party(new_id(), **changes), profile)


async def a_host(api: Api, **changes: Any) -> str:
    """A host of WoolClub whose owner is its registration."""
    profile = a_host_profile(availability=SPRING, host_places=3)
    return await joined(api, a_host_party(new_id(), **{"partnership": "woolclub", **changes}), profile)


def a_proposal(visitor: str, host: str, **changes: Any) -> dict[str, Any]:
    return {"visitor_registration_id": visitor, "host_registration_id": host, **DAYS, **changes}


async def proposed(api: Api, visitor: str, host: str) -> str:
    """The path of a match the visitor proposed."""
    answer = await api.post("/matches", participant(visitor), a_proposal(visitor, host))
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


async def agreed(api: Api, visitor: str, host: str) -> str:
    """The path of a match both said yes to."""
    path = await proposed(api, visitor, host)
    assert (await api.post(f"{path}/accept", participant(host))).json()["state"] == "agreed"
    return path


# ── the main path ────────────────────────────────────────────────────────────────────────────


async def test_from_a_suggestion_to_an_approved_visit(matching: Api) -> None:
    visitor, host = await a_visitor(matching), await a_host(matching)
    answer = await matching.get(f"/visitors/{visitor}/suggestions", participant(visitor), limit=50)
    found = {item["partner"]["registration_id"]: item for item in answer.json()["items"]}
    assert found[host]["score"] == pytest.approx(sum(r["points"] for r in found[host]["reasons"]))
    assert all(reason["sentence"] for reason in found[host]["reasons"])
    assert found[host]["partner"]["email"] is None

    path = await proposed(matching, visitor, host)
    match = (await matching.get(path, participant(host))).json()
    assert (match["state"], match["awaits"], match["visitor"]["email"]) == ("proposed", [host], None)
    answer = await matching.get(f"/visitors/{visitor}/suggestions", participant(visitor), limit=50)
    assert host not in [item["partner"]["registration_id"] for item in answer.json()["items"]]

    match = (await matching.post(f"{path}/accept", participant(host))).json()
    assert (match["state"], match["awaits"]) == ("agreed", ["hempclub", "woolclub"])
    assert match["visitor"]["email"] == "office@tagus-fibre.example"

    endorsed = (await matching.post(f"{path}/approve", WOOL_STAFF)).json()
    assert (endorsed["state"], endorsed["approvals"]) == ("agreed", ["woolclub"])
    problem(await matching.post(f"{path}/approve", WOOL_STAFF), 409, "already-approved")
    approved = (await matching.post(f"{path}/approve", STAFF)).json()
    assert (approved["state"], approved["awaits"], approved["version"]) == ("approved", [], 4)

    claims = (await matching.stored())["visit_claims"]
    assert [claim["match_id"] for claim in claims if claim["_id"] == f"pic:{visitor}"] == [match["id"]]
    again = await matching.post("/matches", participant(visitor), a_proposal(visitor, await a_host(matching)))
    problem(again, 409, "visit-already-claimed")

    cancelled = await matching.post(f"{path}/cancel", participant(visitor), {"reason": "The fair was moved."})
    assert (cancelled.json()["state"], cancelled.json()["ended_because"]) == (
        "cancelled",
        "The fair was moved.",
    )
    claims = (await matching.stored())["visit_claims"]
    assert [claim["match_id"] for claim in claims if claim["_id"] == f"pic:{visitor}"] == [None]
    await proposed(matching, visitor, host)  # the pair may try again


async def test_an_approval_ends_the_visitor_s_other_open_matches(matching: Api) -> None:
    visitor = await a_visitor(matching)
    first = await agreed(matching, visitor, await a_host(matching, partnership="hempclub"))
    second = await agreed(matching, visitor, await a_host(matching))
    third = await proposed(matching, visitor, await a_host(matching))
    assert (await matching.post(f"{first}/approve", STAFF)).json()["state"] == "approved"
    for path in (second, third):
        ended = (await matching.get(path, SUPPORT_OFFICE)).json()
        assert ended["state"] == "cancelled"
        assert "one visit of the scheme" in ended["ended_because"]


async def test_a_proposal_is_declined_refused_or_taken_back(matching: Api) -> None:
    visitor, host = await a_visitor(matching), await a_host(matching)
    path = await proposed(matching, visitor, host)
    problem(await matching.post(f"{path}/accept", participant(visitor)), 403, "forbidden")
    problem(
        await matching.post("/matches", participant(host), a_proposal(visitor, host)), 409, "already-matched"
    )
    declined = (await matching.post(f"{path}/decline", participant(host))).json()
    assert (declined["state"], declined["ended_because"]) == ("declined", None)

    path = await agreed(matching, visitor, host)
    refused = await matching.post(f"{path}/refuse", WOOL_STAFF, {"reason": "No agenda."})
    assert (refused.json()["state"], refused.json()["ended_because"]) == ("refused", "No agenda.")

    path = await proposed(matching, visitor, host)
    taken_back = await matching.post(f"{path}/cancel", participant(visitor), {"reason": "Changed plans."})
    assert taken_back.json()["state"] == "cancelled"
    problem(await matching.post(f"{path}/approve", STAFF), 409, "match-state-forbids")
    listed = await matching.get("/matches", SUPPORT_OFFICE, state="cancelled", registration=visitor)
    assert [f"/matches/{line['id']}" for line in listed.json()["items"]] == [path]


async def test_a_list_of_matches_is_turned_page_by_page(matching: Api) -> None:
    visitor = await a_visitor(matching)
    ids = sorted(
        [(await proposed(matching, visitor, await a_host(matching))).split("/")[2] for _ in range(3)]
    )
    first = (await matching.get("/matches", participant(visitor), limit=2)).json()
    second = (await matching.get("/matches", participant(visitor), limit=2, after=first["next"])).json()
    assert [line["id"] for line in first["items"] + second["items"]] == ids
    assert second["next"] is None


# ── who may do what ──────────────────────────────────────────────────────────────────────────

VISITOR, HOST = "the visitor", "the host"
#          caller                        lists  reads suggests accepts approves refuses cancels
MATRIX: list[tuple[str, Any, bool | None, int, int, int, int, int, int]] = [
    ("the visitor", VISITOR, True, 200, 200, 403, 403, 403, 200),
    ("the host", HOST, True, 200, 404, 200, 403, 403, 200),
    ("another organisation", STRANGER, False, 404, 404, 404, 404, 404, 404),
    ("the visitor's staff", STAFF, True, 200, 200, 403, 200, 409, 200),
    ("the host's staff", WOOL_STAFF, True, 200, 404, 403, 200, 200, 409),
    ("staff of neither", OTHER_STAFF, False, 404, 404, 404, 404, 404, 404),
    ("the support office", SUPPORT_OFFICE, True, 200, 200, 403, 403, 403, 403),
    ("an auditor", AUDITOR, True, 200, 200, 403, 403, 403, 403),
    ("an external system", EXTERNAL, False, 404, 404, 404, 404, 404, 404),
    ("nobody", NOBODY, None, 401, 401, 401, 401, 401, 401),
]
"""Each step is tried on a match in the state that asks for it; the visitor's staff approve last."""


@pytest.mark.parametrize(
    ("caller", "lists", "reads", "suggests", "accepts", "approves", "refuses", "cancels"),
    [row[1:] for row in MATRIX],
    ids=[row[0] for row in MATRIX],
)
async def test_who_may_do_what_with_a_match(
    matching: Api,
    caller: Any,
    lists: bool | None,
    reads: int,
    suggests: int,
    accepts: int,
    approves: int,
    refuses: int,
    cancels: int,
) -> None:
    visitor, host = await a_visitor(matching), await a_host(matching)
    who: As | None = {VISITOR: participant(visitor), HOST: participant(host)}.get(caller, caller)
    path = await proposed(matching, visitor, host)
    before = await matching.stored()

    listed = await matching.get("/matches", who, registration=visitor)
    if lists is None:
        problem(listed, 401, "unauthenticated")
    else:
        assert [f"/matches/{line['id']}" for line in listed.json()["items"]] == [path] * lists
    assert (await matching.get(path, who)).status_code == reads
    assert (await matching.get(f"/visitors/{visitor}/suggestions", who)).status_code == suggests
    assert await matching.stored() == before

    assert (await matching.post(f"{path}/accept", who)).status_code == accepts
    if accepts != 200:
        assert await matching.stored() == before
        await matching.post(f"{path}/accept", participant(host))
    if caller is STAFF:
        await matching.post(f"{path}/approve", WOOL_STAFF)
    answers = [
        (await matching.post(f"{path}/approve", who), approves),
        (await matching.post(f"{path}/refuse", who, {"reason": "No."}), refuses),
        (await matching.post(f"{path}/cancel", who, {"reason": "No."}), cancels),
    ]
    for answer, expected in answers:
        assert answer.status_code == expected, answer.text


async def test_only_the_two_organisations_propose(matching: Api) -> None:
    visitor, host = await a_visitor(matching), await a_host(matching)
    for caller, expected in (
        (STRANGER, 403),
        (STAFF, 403),
        (SUPPORT_OFFICE, 403),
        (AUDITOR, 403),
        (EXTERNAL, 403),
        (NOBODY, 401),
        (participant(host), 201),
    ):
        answer = await matching.post("/matches", caller, a_proposal(visitor, host))
        assert answer.status_code == expected, (caller, answer.text)


# ── bad input ────────────────────────────────────────────────────────────────────────────────

BAD: list[tuple[str, Any, list[str], str]] = [
    ("a missing field", {"host_registration_id": "h", **DAYS}, ["/visitor_registration_id"], "is missing"),
    ("a wrong type", a_proposal("v", "h", first_day=[]), ["/first_day"], "valid date"),
    ("no such day", a_proposal("v", "h", last_day="2090-02-31"), ["/last_day"], "not a valid date"),
    ("an unknown field", a_proposal("v", "h", remark="please"), ["/remark"], "not a field of this"),
    ("a list", [], [""], "not a JSON object"),
]


@pytest.mark.parametrize(("body", "where", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_a_malformed_proposal_is_told_where_and_changes_nothing(
    matching: Api, body: Any, where: list[str], says: str
) -> None:
    before = await matching.stored()
    refused = problem(await matching.post("/matches", participant("v"), body), 422, "malformed")
    assert pointers(refused) == where
    assert says in refused["detail"]
    assert await matching.stored() == before


async def test_a_proposal_that_makes_no_sense_breaks_a_rule(matching: Api) -> None:
    visitor, host = await a_visitor(matching), await a_host(matching)
    neighbour = await a_host(matching, place={"country": "PT", "city": "Porto"})
    before = await matching.stored()
    for body, status, code in (
        (a_proposal(visitor, host, first_day="2090-02-17"), 409, "stay-out-of-bounds"),
        (a_proposal(visitor, host, last_day="2090-06-30"), 409, "stay-out-of-bounds"),
        (a_proposal(visitor, neighbour), 409, "partners-do-not-fit"),
        (a_proposal(visitor, "none"), 404, "not-found"),
    ):
        problem(await matching.post("/matches", participant(visitor), body), status, code)
    assert await matching.stored() == before


@pytest.mark.parametrize("step", ["decline", "refuse", "cancel"])
async def test_the_steps_with_a_reason_refuse_what_they_cannot_read(matching: Api, step: str) -> None:
    visitor, host = await a_visitor(matching), await a_host(matching)
    path = f"{await proposed(matching, visitor, host)}/{step}"
    caller = {"refuse": WOOL_STAFF}.get(step, participant(host))
    before = await matching.stored()
    for body, where in (
        ({"reason": 7}, "/reason"),
        ({"because": "x"}, "/because"),
        ({"reason": "x" * 1001}, "/reason"),
    ):
        assert where in pointers(problem(await matching.post(path, caller, body), 422, "malformed"))
    for content, status, code in (
        (b"reason=no", 422, "malformed"),
        (b" " * 5 * 1024 * 1024, 413, "too-large"),
    ):
        headers = {"Content-Type": "application/json"}
        answer = await matching.call("POST", path, caller, content=content, headers=headers)
        problem(answer, status, code)

    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 64 * 1024

    problem(await matching.call("POST", path, caller, content=in_pieces()), 413, "too-large")
    assert await matching.stored() == before


async def test_unknown_matches_and_registrations_are_not_found(matching: Api) -> None:
    for method, path in (
        ("GET", "/matches/none"),
        ("POST", "/matches/none/accept"),
        ("POST", "/matches/none/decline"),
        ("POST", "/matches/none/approve"),
        ("GET", "/visitors/none/suggestions"),
        ("GET", "/hosts/none/suggestions"),
    ):
        problem(await matching.call(method, path, STAFF), 404, "not-found")
    for query, where in (
        ("limit=0", "/limit"),
        ("state=happy", "/state"),
        ("partnership=$ne", "/partnership"),
    ):
        refused = problem(await matching.call("GET", f"/matches?{query}", STAFF), 422, "malformed")
        assert pointers(refused) == [where]
