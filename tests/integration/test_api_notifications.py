"""The notifications API on real MongoDB: inboxes, the delivery log, and who reads what."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from services.notifications.use_cases.notify import notify
from shared.contracts.envelope import new_id
from shared.contracts.matching import MatchApproved
from tests.builders import A_MOMENT, a_host_party, a_party, an_approved_match, an_envelope
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


MOMENTS = (A_MOMENT + timedelta(minutes=minutes) for minutes in count())


async def told(api: Api) -> MatchApproved:
    """An approved match that everyone it concerns has been told of."""
    id = new_id()
    match = an_approved_match(
        id,
        visitor=a_party(f"v-{id}", email=f"visitor@{id}.example"),
        host=a_host_party(f"h-{id}", email=f"host@{id}.example", partnership="woolclub"),
    )
    fact = an_envelope(match, service="matching", subject=id).model_copy(update={"time": next(MOMENTS)})
    await api.root.transactions.run(lambda uow: notify(uow, fact, match))
    return match


async def the_entry(api: Api, match: MatchApproved, caller: As) -> dict[str, Any]:
    answer = await api.get("/inbox", caller, about=match.match_id)
    [entry] = answer.json()["items"]
    found: dict[str, Any] = entry
    return found


async def test_an_entry_is_read_once(notifications: Api) -> None:
    match = await told(notifications)
    visitor = participant(match.visitor.owner)
    entry = await the_entry(notifications, match, visitor)
    assert (entry["recipient"], entry["read_at"]) == ("visitor", None)
    assert match.host.organisation in entry["text"]
    read = await notifications.post(f"/inbox/{entry['id']}/read", visitor)
    again = await notifications.post(f"/inbox/{entry['id']}/read", visitor)
    assert read.json() == again.json()
    assert read.json()["read_at"] is not None
    unread = await notifications.get("/inbox", visitor, about=match.match_id, unread=True)
    assert unread.json() == {"items": [], "next": None}


async def test_an_inbox_is_turned_page_by_page_newest_first(notifications: Api) -> None:
    facts = [(await told(notifications)).match_id for _ in range(3)]
    seen: list[str] = []
    after: dict[str, Any] = {}
    while True:
        page = (await notifications.get("/inbox", STAFF, limit=2, **after)).json()
        seen += [entry["about"] for entry in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen[:3] == facts[::-1]
    assert len(seen) == len(set(seen)) >= 3


async def test_the_log_says_who_was_told_what_and_hides_other_people_s_addresses(notifications: Api) -> None:
    match = await told(notifications)
    answer = await notifications.get("/notifications", STAFF, about=match.match_id, channel="email")
    entries = answer.json()["items"]
    assert {entry["recipient"] for entry in entries} >= {"visitor", "host"}
    assert {entry["state"] for entry in entries} == {"pending"}
    assert all(entry["why"] for entry in entries)
    assert f"v…@{match.match_id}.example" in [entry["address"] for entry in entries]
    assert match.visitor.email not in answer.text

    [mail] = [entry for entry in entries if entry["recipient"] == "visitor"]
    full = await notifications.get(f"/notifications/{mail['id']}", participant(match.visitor.owner))
    assert full.json()["address"] == match.visitor.email
    assert full.json()["text"]
    refused = await notifications.post(f"/inbox/{mail['id']}/read", participant(match.visitor.owner))
    problem(refused, 409, "not-in-the-inbox")


VISITOR, HOST = "the visitor", "the host"
#          caller                         inbox  entries  log  one  reads
MATRIX: list[tuple[str, Any, int, int, int, int, int]] = [
    ("the visitor", VISITOR, 200, 1, 403, 200, 200),
    ("the host", HOST, 200, 1, 403, 404, 404),
    ("another organisation", STRANGER, 200, 0, 403, 404, 404),
    ("the visitor's staff", STAFF, 200, 1, 200, 200, 404),
    ("the host's staff", WOOL_STAFF, 200, 1, 200, 200, 404),
    ("staff of neither", OTHER_STAFF, 200, 0, 200, 404, 404),
    ("the support office", SUPPORT_OFFICE, 403, 0, 200, 200, 403),
    ("an auditor", AUDITOR, 403, 0, 200, 200, 403),
    ("an external system", EXTERNAL, 403, 0, 403, 404, 403),
    ("nobody", NOBODY, 401, 0, 401, 401, 401),
]
"""`one` and `reads` are of the visitor's own entry."""


@pytest.mark.parametrize(("caller", "inbox", "entries", "log", "one", "reads"), [row[1:] for row in MATRIX],
                         ids=[row[0] for row in MATRIX])  # fmt: skip
async def test_who_reads_what(
    notifications: Api, caller: Any, inbox: int, entries: int, log: int, one: int, reads: int
) -> None:
    match = await told(notifications)
    visitor = participant(match.visitor.owner)
    who: As | None = {VISITOR: visitor, HOST: participant(match.host.owner)}.get(caller, caller)
    entry = await the_entry(notifications, match, visitor)
    before = await notifications.stored()

    answer = await notifications.get("/inbox", who, about=match.match_id)
    assert answer.status_code == inbox
    if inbox == 200:
        assert len(answer.json()["items"]) == entries
    answer = await notifications.get("/notifications", who, about=match.match_id)
    assert answer.status_code == log
    if log == 200:
        assert bool(answer.json()["items"]) is (caller is not OTHER_STAFF)
    assert (await notifications.get(f"/notifications/{entry['id']}", who)).status_code == one
    assert await notifications.stored() == before
    assert (await notifications.post(f"/inbox/{entry['id']}/read", who)).status_code == reads
    if reads != 200:
        assert await notifications.stored() == before


QUERIES = [
    ("/inbox", "limit=0", "/limit"),
    ("/inbox", "unread=perhaps", "/unread"),
    ("/inbox", f"about={'x' * 300}", "/about"),
    ("/notifications", "state=happy", "/state"),
    ("/notifications", "channel=pigeon", "/channel"),
    ("/notifications", "limit=many", "/limit"),
]


@pytest.mark.parametrize(("path", "query", "where"), QUERIES, ids=[row[1][:20] for row in QUERIES])
async def test_a_malformed_filter_is_told_where(
    notifications: Api, path: str, query: str, where: str
) -> None:
    answer = await notifications.call("GET", f"{path}?{query}", STAFF)
    assert pointers(problem(answer, 422, "malformed")) == [where]


async def test_unknown_messages_are_not_found(notifications: Api) -> None:
    for method, path in (("GET", "/notifications/none"), ("POST", "/inbox/none/read")):
        problem(await notifications.call(method, path, STAFF), 404, "not-found")


async def test_a_body_over_the_limit_is_refused_where_none_is_expected(notifications: Api) -> None:
    content = b" " * 5 * 1024 * 1024
    answer = await notifications.call("POST", "/inbox/none/read", STAFF, content=content)
    problem(answer, 413, "too-large")
