"""Drafts: filled in bit by bit, looked at before they are sent, and sent once."""

from __future__ import annotations

from typing import Any

import pytest

from services.registration.domain.draft import Draft
from tests.builders import a_submission
from tests.fakes import MemoryDatabase
from tests.unit.registration.client import Client
from tests.unit.registration.service import (
    A_PARTICIPANT,
    A_PORTAL,
    AN_AUDITOR,
    ANOTHER_PARTICIPANT,
    HEMPCLUB_STAFF,
    SUPPORT_OFFICE,
    WOOLCLUB_STAFF,
    published,
)

BEGUN = {"organisation": {"name": "Tagus Fibre Works (sample)", "country": "ZZ"}, "goals": []}


async def begun(api: Client, content: Any = BEGUN) -> dict[str, Any]:
    answer = await api.post("/drafts", json=content)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/drafts/{body['id']}"
    return body


def stored(database: MemoryDatabase) -> list[Any]:
    return [*database["registrations"].values()]


async def test_a_draft_says_field_by_field_what_lacks_and_what_is_wrong(api: Client) -> None:
    draft = await begun(api)
    assert draft["content"] == BEGUN
    said = {problem["pointer"]: problem["detail"] for problem in draft["problems"]}
    assert said["/organisation/kind"] == said["/participant"] == said["/availability"] == "is missing"
    assert "is not a country" in said["/organisation/country"]
    assert "/goals" in said
    assert draft["preview"] is None
    assert (await api.get(f"/drafts/{draft['id']}")).json() == draft


async def test_a_complete_draft_shows_the_receipt_it_would_get_and_nothing_is_registered(api: Client) -> None:
    draft = await begun(api)
    saved = (await api.put(f"/drafts/{draft['id']}?version=1", json=a_submission())).json()
    assert (saved["version"], saved["problems"]) == (2, [])
    preview = saved["preview"]
    assert (preview["state"], preview["verdict"], preview["partnership"]) == (
        "accepted",
        "eligible",
        "hempclub",
    )
    assert preview["receipt"]["outcomes"]
    assert stored(api.store.database) == published(api.store.database) == []


async def test_a_rule_that_forbids_sending_is_named_at_its_field(api: Client) -> None:
    draft = await begun(api, a_submission(partnership="nosuch"))
    [problem] = draft["problems"]
    assert problem["pointer"] == "/partnership"
    assert "hempclub, woolclub, solarclub" in problem["detail"]
    sent = await api.post(f"/drafts/{draft['id']}/send")
    assert (sent.status_code, sent.json()["type"].rsplit("/")[-1]) == (409, "unknown-partnership")


async def test_of_two_windows_the_second_does_not_overwrite_what_the_first_saved(api: Client) -> None:
    draft = await begun(api)
    path = f"/drafts/{draft['id']}"
    assert (await api.put(f"{path}?version=1", json={"motivation": "first"})).status_code == 200
    second = await api.put(f"{path}?version=1", json={"motivation": "second"})
    assert (second.status_code, second.json()["type"].rsplit("/")[-1]) == (409, "draft-changed")
    assert "version 2, not 1" in second.json()["detail"]
    assert (await api.get(path)).json()["content"] == {"motivation": "first"}
    assert (await api.put(path, json={})).status_code == 422


async def test_a_sent_draft_is_a_registration_and_sending_it_again_makes_no_second(api: Client) -> None:
    draft = await begun(api, a_submission())
    path = f"/drafts/{draft['id']}"
    stale = await api.post(f"{path}/send?version=7")
    assert (stale.status_code, stale.json()["type"].rsplit("/")[-1]) == (409, "draft-changed")
    sent = await api.post(f"{path}/send?version=1")
    assert (sent.status_code, sent.json()["id"], sent.json()["state"]) == (201, draft["id"], "accepted")
    assert sent.headers["location"] == f"/registrations/{draft['id']}"
    again = await api.post(f"{path}/send?version=1")
    assert (again.status_code, again.json()) == (200, sent.json())
    assert len(stored(api.store.database)) == 1
    assert api.store.database[Draft.COLLECTION] == {}
    gone = await api.get(path)
    assert (gone.status_code, "is a registration" in gone.json()["detail"]) == (404, True)


async def test_an_incomplete_draft_is_not_sent_and_stays(api: Client) -> None:
    draft = await begun(api)
    sent = await api.post(f"/drafts/{draft['id']}/send")
    assert (sent.status_code, sent.json()["type"].rsplit("/")[-1]) == (409, "draft-incomplete")
    assert sent.json()["errors"] == draft["problems"]
    assert (await api.get(f"/drafts/{draft['id']}")).status_code == 200


async def test_a_discarded_draft_is_gone(api: Client) -> None:
    draft = await begun(api)
    assert (await api.delete(f"/drafts/{draft['id']}")).status_code == 204
    assert (await api.delete(f"/drafts/{draft['id']}")).status_code == 404


@pytest.mark.parametrize("writer", [A_PARTICIPANT, HEMPCLUB_STAFF, A_PORTAL], ids=lambda who: who.role)
async def test_a_draft_is_for_those_who_began_it(api: Client, writer: Any) -> None:
    api.caller = writer
    draft = await begun(api)
    assert [line["id"] for line in (await api.get("/drafts")).json()["items"]] == [draft["id"]]
    for other in {ANOTHER_PARTICIPANT, WOOLCLUB_STAFF, SUPPORT_OFFICE, AN_AUDITOR} - {writer}:
        api.caller = other
        assert (await api.get("/drafts")).json() == {"items": [], "next": None}
        path = f"/drafts/{draft['id']}"
        answers = [
            await api.get(path),
            await api.put(f"{path}?version=1", json={}),
            await api.delete(path),
            await api.post(f"{path}/send"),
        ]
        assert [answer.status_code for answer in answers] == [404] * 4


async def test_those_who_only_read_begin_no_drafts(api: Client) -> None:
    api.caller = AN_AUDITOR
    assert (await api.post("/drafts", json={})).status_code == 403


async def test_a_list_names_the_organisation_and_says_what_is_complete(api: Client) -> None:
    await begun(api)
    await begun(api, a_submission())
    await begun(api, {"organisation": "not even an object"})
    lines = (await api.get("/drafts", params={"limit": 2})).json()
    assert [(line["organisation"], line["complete"]) for line in lines["items"]] == [
        ("Tagus Fibre Works (sample)", False),
        ("Tagus Fibre Works (sample)", True),
    ]
    rest = (await api.get("/drafts", params={"after": lines["next"]})).json()
    assert [line["organisation"] for line in rest["items"]] == [None]


def nested(levels: int) -> Any:
    content: Any = 1
    for _ in range(levels):
        content = {"deeper": content}
    return content


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"[]", 422, "object"),
        (b'"draft"', 422, "object"),
        (b'{"host_places": NaN}', 422, "NaN"),
        (b'{"motivation": "\\ud800"}', 422, "half of a character"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, 422, "deep"),
        (b'{"motivation": "' + b"x" * 262_144 + b'"}', 413, "262144"),
    ],
    ids=["a list", "text", "not a number", "half a character", "deeply nested", "too large"],
)
async def test_what_cannot_be_kept_is_refused_in_words(
    api: Client, body: bytes, status: int, said: str
) -> None:
    answer = await api.post("/drafts", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "content",
    [{}, {"$set": {"a.b": 1}}, {"": None}, {"_id": "x", "\u0000": 2**70}, nested(20)],
    ids=["nothing", "operators", "no name", "odd names", "nested"],
)
async def test_whatever_json_says_comes_back_as_it_was(api: Client, content: Any) -> None:
    draft = await begun(api, content)
    assert (await api.get(f"/drafts/{draft['id']}")).json()["content"] == content


async def test_what_is_nested_too_deeply_is_refused(api: Client) -> None:
    answer = await api.post("/drafts", json=nested(200))
    assert (answer.status_code, "20 levels" in answer.json()["detail"]) == (422, True)
