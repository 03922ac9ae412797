"""The registration API over HTTP, on a database in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.contracts.catalogue import contracts
from tests.builders import a_host_submission, a_submission
from tests.unit.registration.client import Client
from tests.unit.registration.service import (
    ANOTHER_PARTICIPANT,
    SUPPORT_OFFICE,
    WOOLCLUB_STAFF,
    published,
)


async def registered(api: Client, **changes: Any) -> dict[str, Any]:
    answer = await api.post("/registrations", json=a_submission(**changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_registration_is_answered_in_full_with_its_address(api: Client) -> None:
    answer = await api.post("/registrations", json=a_submission())
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/registrations/{body['id']}"
    assert (body["state"], body["verdict"], body["version"]) == ("accepted", "eligible", 2)
    assert body["receipt"]["rule_set"] == "cxc-2020"
    assert [step["state"] for step in body["history"]] == ["eligible", "accepted"]
    assert (await api.get(answer.headers["location"])).json() == body


async def test_an_ineligible_registration_is_taken_too_and_says_why(api: Client) -> None:
    organisation = {**a_submission()["organisation"], "country": "NO"}
    body = await registered(api, organisation=organisation)
    assert body["state"] == "ineligible"
    assert "Norway, which does not take part" in body["receipt"]["sentence"]


@pytest.mark.parametrize(
    ("spoil", "pointer", "detail"),
    [
        (lambda data: data.update(favourite_colour="green"), "/favourite_colour", "is not a field of this"),
        (lambda data: data["organisation"].update(vta="PT1"), "/organisation/vta", "is not a field of this"),
        (lambda data: data.pop("goals"), "/goals", "is missing"),
        (lambda data: data["organisation"].update(country="ZZ"), "/organisation/country", "not a country"),
        (
            lambda data: data["availability"][0].update(last_day="2023-01-01"),
            "/availability/0",
            "last_day 2023-01-01 is before first_day 2023-02-06",
        ),
        (lambda data: data.update(roles=["tourist"]), "/roles/0", "'visitor' or 'host'"),
    ],
)
async def test_malformed_input_is_a_422_that_points_at_the_field(
    api: Client, spoil: Any, pointer: str, detail: str
) -> None:
    data = a_submission()
    spoil(data)
    answer = await api.post("/registrations", json=data)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    [problem] = answer.json()["errors"]
    assert problem["pointer"] == pointer
    assert detail in problem["detail"]
    assert published(api.store.database) == []


async def test_an_unknown_partnership_is_a_broken_rule_that_lists_the_known_ones(api: Client) -> None:
    answer = await api.post("/registrations", json=a_submission(partnership="nosuch"))
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/unknown-partnership")
    assert "hempclub, woolclub, solarclub" in answer.json()["detail"]


async def test_no_token_is_a_401(api: Client) -> None:
    api.app.dependency_overrides.clear()
    answer = await api.post("/registrations", json=a_submission())
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_body_over_the_limit_is_a_413(api: Client) -> None:
    answer = await api.post("/registrations", json=a_submission(motivation="x" * 1_100_000))
    assert answer.status_code == 413


async def test_a_body_that_grows_over_the_limit_without_saying_so_is_a_413_too(api: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 65_536

    answer = await api.post("/registrations", content=chunks(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (413, "too-large")


async def test_amending_screens_anew_and_keeps_the_steps(api: Client) -> None:
    id = (await registered(api))["id"]
    organisation = {**a_submission()["organisation"], "memberships": []}
    answer = await api.put(f"/registrations/{id}", json=a_submission(organisation=organisation))
    body = answer.json()
    assert (answer.status_code, body["state"]) == (200, "ineligible")
    assert [step["why"] for step in body["history"]] == ["submitted", "eligible", "amended"]


async def test_staff_decide_and_everyone_else_is_told_who_may(api: Client) -> None:
    id = (await registered(api, partnership="woolclub"))["id"]
    refused = await api.post(f"/registrations/{id}/accept")
    assert (refused.status_code, refused.json()["detail"]) == (403, "Only staff of woolclub can do this.")
    api.caller = WOOLCLUB_STAFF
    assert (await api.post(f"/registrations/{id}/reject", json={})).status_code == 422
    assert (await api.post(f"/registrations/{id}/reject", json={"reason": " "})).status_code == 422
    accepted = await api.post(f"/registrations/{id}/accept")
    assert (accepted.status_code, accepted.json()["state"]) == (200, "accepted")
    again = await api.post(f"/registrations/{id}/accept", json={"reason": "again"})
    assert (again.status_code, again.json()["type"].rsplit("/")[-1]) == (409, "registration-state")


async def test_withdrawing_takes_a_reason_or_none(api: Client) -> None:
    one, other = (await registered(api))["id"], (await registered(api))["id"]
    assert (await api.post(f"/registrations/{one}/withdraw")).json()["state"] == "withdrawn"
    body = (await api.post(f"/registrations/{other}/withdraw", json={"reason": "no time"})).json()
    assert body["history"][-1]["why"] == "no time"


async def test_what_one_may_not_see_does_not_exist(api: Client) -> None:
    id = (await registered(api))["id"]
    api.caller = ANOTHER_PARTICIPANT
    assert (await api.get(f"/registrations/{id}")).status_code == 404
    assert (await api.get("/registrations")).json() == {"items": [], "next": None}


async def test_a_list_is_paged_by_the_last_id(api: Client) -> None:
    made = [(await registered(api))["id"] for _ in range(3)]
    made.append(
        (await api.post("/registrations", json=a_host_submission(partnership="woolclub"))).json()["id"]
    )
    api.caller = SUPPORT_OFFICE
    first = (await api.get("/registrations", params={"limit": 3})).json()
    second = (await api.get("/registrations", params={"limit": 3, "after": first["next"]})).json()
    assert [line["id"] for line in first["items"] + second["items"]] == made
    assert second["next"] is None
    filters = {"state": "eligible", "role": "host", "country": "IT", "partnership": "woolclub"}
    assert [line["id"] for line in (await api.get("/registrations", params=filters)).json()["items"]] == made[
        3:
    ]
    assert (await api.get("/registrations", params={"country": "ZZ"})).status_code == 422


async def test_the_json_schema_of_every_contract_is_public_and_takes_what_the_service_takes(
    api: Client,
) -> None:
    for name in contracts():
        answer = await api.get(f"/schemas/{name}.json")
        assert answer.headers["content-type"] == "application/schema+json"
        Draft202012Validator.check_schema(answer.json())
    submit = (await api.get("/schemas/cxc.registration.submit.v1.json")).json()
    validator = Draft202012Validator(submit)
    assert validator.is_valid(a_submission())
    assert not validator.is_valid(a_submission(favourite_colour="green"))
    unknown = await api.get("/schemas/cxc.registration.enrol.v1.json")
    assert unknown.status_code == 404
    assert "cxc.registration.submit.v1" in unknown.json()["detail"]


async def test_the_openapi_examples_are_taken_as_they_stand(api: Client) -> None:
    document = (await api.get("/openapi.json")).json()
    content = document["paths"]["/registrations"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        answer = await api.post("/registrations", json=example["value"])
        assert (answer.status_code, answer.json()["verdict"]) == (201, "eligible"), answer.text


async def test_every_operation_says_what_it_does_and_how_it_can_fail(api: Client) -> None:
    document = (await api.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        if not path.startswith(("/registrations", "/schemas")):
            continue
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            problems = {status for status in operation["responses"] if status >= "400"}
            assert problems >= ({"401"} if path.startswith("/registrations") else {"404"})


async def test_an_amended_registration_shows_what_it_said_before(api: Client) -> None:
    id = (await registered(api))["id"]
    await api.put(f"/registrations/{id}", json=a_submission(needs=["weaving"]))
    listed = (await api.get(f"/registrations/{id}/versions")).json()
    assert [(line["number"], line["changed"]) for line in listed["items"]] == [(1, []), (2, ["/needs"])]
    shown = (await api.get(f"/registrations/{id}/versions/2")).json()
    assert shown["changes"] == [
        {"pointer": "/needs", "before": ["hemp fibre", "spinning"], "after": ["weaving"]}
    ]
    assert (await api.get(f"/registrations/{id}/versions/3")).status_code == 404
    assert (await api.get(f"/registrations/{id}/versions/0")).status_code == 422
    api.caller = ANOTHER_PARTICIPANT
    assert (await api.get(f"/registrations/{id}/versions")).status_code == 404


async def test_the_organisation_confirms_that_it_is_still_interested(api: Client) -> None:
    id = (await registered(api))["id"]
    body = (await api.post(f"/registrations/{id}/confirm-interest")).json()
    assert (body["state"], body["history"][-1]["why"]) == ("accepted", "still interested")
    await api.post(f"/registrations/{id}/withdraw")
    too_late = await api.post(f"/registrations/{id}/confirm-interest")
    assert (too_late.status_code, too_late.json()["type"].rsplit("/")[-1]) == (409, "registration-state")
