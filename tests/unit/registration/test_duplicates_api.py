"""Lookalikes over HTTP: who sees what, side by side, and what a merge would change before it does."""

from __future__ import annotations

from typing import Any

from services.registration.domain.duplicate import pair_id
from shared.security import Caller, CallerRole
from tests.unit.registration.client import Client
from tests.unit.registration.service import A_PARTICIPANT, AN_AUDITOR, HEMPCLUB_STAFF, WOOLCLUB_STAFF
from tests.unit.registration.test_duplicates import of_hempclub, of_woolclub, registered, suspected, visited

SOLARCLUB_STAFF = Caller("officer-s", CallerRole.STAFF, partnership="solarclub")
WHY = {"reason": "Same people, same door."}


async def a_pair(api: Client) -> tuple[str, str, str]:
    one = await registered(api.store, of_hempclub(pic="900000001"))
    other = await registered(api.store, of_woolclub(vat="PT501964843", street="Rua Verde 3"))
    await suspected(api.store, one, other)
    return one, other, pair_id(one, other)


async def answered(api: Client, path: str, caller: Caller, **params: Any) -> Any:
    api.caller = caller
    answer = await api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def posted(api: Client, path: str, caller: Caller, body: Any = WHY, *, status: int = 200) -> Any:
    api.caller = caller
    answer = await api.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_staff_see_both_sides_and_nobody_s_mail_address(api: Client) -> None:
    one, other, id = await a_pair(api)
    [seen] = (await answered(api, "/duplicates", HEMPCLUB_STAFF))["items"]
    sides = {side["registration_id"]: side for side in seen["sides"]}
    assert sides[other] == {
        "registration_id": other,
        "partnership": "woolclub",
        "state": "eligible",
        "organisation": "TAGUS FIBRE WORKS LDA (sample)",
        "kind": "sme",
        "country": "PT",
        "city": "Lisbon",
        "street": "Rua Verde 3",
        "postcode": None,
        "website": None,
        "identifiers": ["vat:PT501964843"],
    }
    assert (seen["id"], seen["state"], seen["score"]) == (id, "open", seen["likeness"]["score"])
    assert "The same city." in seen["likeness"]["alike"]
    assert await answered(api, f"/registrations/{one}/duplicates", HEMPCLUB_STAFF) == [seen]
    in_full = await answered(api, f"/duplicates/{id}", WOOLCLUB_STAFF)
    assert "@" not in str(seen) + str(in_full)


async def test_pairs_are_seen_by_staff_of_either_side_and_overseers_alone(api: Client) -> None:
    one, _, id = await a_pair(api)
    for caller in (HEMPCLUB_STAFF, WOOLCLUB_STAFF, AN_AUDITOR):
        assert [pair["id"] for pair in (await answered(api, "/duplicates", caller))["items"]] == [id]
        assert (await answered(api, f"/duplicates/{id}", caller))["id"] == id
    assert (await answered(api, "/duplicates", SOLARCLUB_STAFF))["items"] == []
    for caller, path, status in [
        (SOLARCLUB_STAFF, f"/duplicates/{id}", 404),
        (SOLARCLUB_STAFF, f"/registrations/{one}/duplicates", 404),
        (WOOLCLUB_STAFF, f"/registrations/{one}/duplicates", 404),
        (A_PARTICIPANT, "/duplicates", 403),
        (A_PARTICIPANT, f"/registrations/{one}/duplicates", 403),
        (A_PARTICIPANT, f"/duplicates/{id}", 404),
    ]:
        api.caller = caller
        assert (await api.get(path)).status_code == status, path


async def test_the_list_is_filtered_and_paged_the_most_alike_first(api: Client) -> None:
    names = ["Tagus Fibre", "Tagus Fibre Works (sample)", "TAGUS FIBRE WORKS", "Tagus Works"]
    one = await registered(api.store, of_hempclub())
    others = [await registered(api.store, of_woolclub(name=name)) for name in names]
    await suspected(api.store, one, *others)
    everything = (await answered(api, "/duplicates", HEMPCLUB_STAFF))["items"]
    scores = [pair["score"] for pair in everything]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 100

    paged, after = [], None
    while True:
        page = await answered(
            api, "/duplicates", HEMPCLUB_STAFF, limit=1, **({"after": after} if after else {})
        )
        paged += page["items"]
        if (after := page["next"]) is None:
            break
    assert paged == everything
    for filters, wanted in [
        ({"min_score": scores[1]}, [pair for pair in everything if pair["score"] >= scores[1]]),
        ({"partnership": "woolclub", "state": "open"}, everything),
        ({"partnership": "solarclub"}, []),
        ({"state": "merged"}, []),
    ]:
        assert (await answered(api, "/duplicates", HEMPCLUB_STAFF, **filters))["items"] == wanted
    api.caller = HEMPCLUB_STAFF
    for nonsense in ("x", "100", "9999.x", "٩.x"):
        assert (await api.get("/duplicates", params={"after": nonsense})).status_code == 422


async def test_a_preview_says_what_the_merge_then_does_and_changes_nothing(api: Client) -> None:
    one, other, id = await a_pair(api)
    await visited(api.store, one, "match-1")
    stored = {name: dict(rows) for name, rows in api.store.database.collections.items()}
    preview = (await answered(api, f"/duplicates/{id}", WOOLCLUB_STAFF))["if_merged"]
    assert {name: dict(rows) for name, rows in api.store.database.collections.items() if rows} == {
        name: rows for name, rows in stored.items() if rows
    }
    effects = {effect["registration_id"]: effect for effect in preview["effects"]}
    assert effects[other] == {
        "registration_id": other,
        "state_before": "eligible",
        "state": "ineligible",
        "shares": ["pic:900000001"],
    }
    assert effects[one]["shares"] == ["vat:PT501964843"]
    assert preview["warnings"] == ["One of the two has an approved visit; the other can no longer visit."]

    merged = await posted(api, f"/duplicates/{id}/merge", WOOLCLUB_STAFF)
    assert (merged["effects"], merged["warnings"]) == (preview["effects"], preview["warnings"])
    assert (await answered(api, f"/duplicates/{id}", HEMPCLUB_STAFF))["if_merged"] is None


async def test_a_merge_is_undone_and_the_pair_then_found_distinct(api: Client) -> None:
    _, _, id = await a_pair(api)
    merged = await posted(api, f"/duplicates/{id}/merge", WOOLCLUB_STAFF)
    assert merged["finding"]["by"] == "officer-w"
    assert merged["finding"]["reason"] == WHY["reason"]
    seen = await answered(api, f"/duplicates/{id}", HEMPCLUB_STAFF)
    assert (seen["state"], seen["merge_id"]) == ("merged", merged["id"])
    again = await posted(api, f"/duplicates/{id}/merge", HEMPCLUB_STAFF, status=409)
    assert again["type"].endswith("/duplicate-decided")

    undone = await posted(api, f"/merges/{merged['id']}/undo", HEMPCLUB_STAFF)
    assert undone["undone"]["by"] == "officer-h"
    assert {effect["state"] for effect in undone["effects"]} == {"accepted", "eligible"}
    again = await posted(api, f"/merges/{merged['id']}/undo", HEMPCLUB_STAFF, status=409)
    assert again["type"].endswith("/merge-undone")
    distinct = await posted(api, f"/duplicates/{id}/distinct", HEMPCLUB_STAFF)
    assert (distinct["state"], distinct["merge_id"]) == ("distinct", None)


async def test_who_does_not_work_for_a_side_decides_nothing_and_nobody_without_a_reason(api: Client) -> None:
    _, _, id = await a_pair(api)
    for path in (f"/duplicates/{id}/merge", f"/duplicates/{id}/distinct"):
        await posted(api, path, SOLARCLUB_STAFF, status=404)
        await posted(api, path, A_PARTICIPANT, status=404)
        await posted(api, path, AN_AUDITOR, status=403)
        for body in ({}, {"reason": " "}, {"reason": "x", "force": True}):
            await posted(api, path, HEMPCLUB_STAFF, body, status=422)
    await posted(api, "/merges/none/undo", HEMPCLUB_STAFF, status=404)
