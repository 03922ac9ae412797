"""The registration API on real MongoDB: its main path, who may do what, and bad input."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.contracts.envelope import new_id
from tests.builders import a_host_submission, a_submission
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

OWNER = participant("tagus-fibre")
PICS = count(900_000_200)


async def registered(api: Api, by: As = OWNER, **changes: Any) -> dict[str, Any]:
    """A registration of Tagus Fibre Works; each organisation is another one to the once-only register."""
    organisation = {
        **a_submission()["organisation"],
        "pic": str(next(PICS)),
        **changes.pop("organisation", {}),
    }
    answer = await api.post("/registrations", by, a_submission(organisation=organisation, **changes))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/registrations/{body['id']}"
    return body


# ── the main path ────────────────────────────────────────────────────────────────────────────


async def test_a_registration_is_answered_with_its_verdict_and_receipt(registration: Api) -> None:
    body = await registered(registration, organisation={"pic": "900000101"})
    assert (body["state"], body["verdict"], body["version"]) == ("accepted", "eligible", 2)
    assert body["party"]["owner"] == "tagus-fibre"
    assert body["party"]["identifiers"] == ["pic:900000101"]
    assert body["receipt"]["sentence"]
    assert {outcome["rule"] for outcome in body["receipt"]["outcomes"]}
    assert all(outcome["source"] for outcome in body["receipt"]["outcomes"])
    assert (await registration.get(f"/registrations/{body['id']}", OWNER)).json() == body
    stored = await registration.stored()
    [row] = [row for row in stored["outbox"] if body["id"] in str(row)]
    assert len(row["messages"]) == 2  # screened and accepted, in one row of one transaction


async def test_a_list_is_turned_page_by_page(registration: Api) -> None:
    pager = participant(new_id())
    ids = [(await registered(registration, pager))["id"] for _ in range(5)]
    seen: list[str] = []
    after: dict[str, Any] = {}
    pages = 0
    while True:
        page = (await registration.get("/registrations", pager, limit=2, **after)).json()
        seen += [line["id"] for line in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert (seen, pages) == (sorted(ids), 3)
    filtered = await registration.get("/registrations", pager, country="ES")
    assert filtered.json() == {"items": [], "next": None}
    assert (
        len((await registration.get("/registrations", pager, country="el", role="host")).json()["items"]) == 0
    )
    found = (await registration.get("/registrations", pager, state="accepted", partnership="hempclub")).json()
    assert len(found["items"]) == 5


async def test_an_amended_registration_is_screened_anew(registration: Api) -> None:
    first = await registered(registration)
    organisation = {**first["submission"]["organisation"], "country": "GB"}
    answer = await registration.call(
        "PUT", f"/registrations/{first['id']}", OWNER, json=a_submission(organisation=organisation)
    )
    body = answer.json()
    assert (answer.status_code, body["state"], body["verdict"]) == (200, "needs_review", "needs_review")
    assert [step["state"] for step in body["history"]] == ["eligible", "accepted", "needs_review"]
    assert body["id"] == first["id"]


async def test_staff_accept_and_reject_with_a_reason_the_applicant_reads(registration: Api) -> None:
    waiting = await registered(registration, partnership="woolclub")
    assert waiting["state"] == "eligible"  # this partnership decides itself
    accepted = await registration.post(f"/registrations/{waiting['id']}/accept", WOOL_STAFF)
    assert (accepted.status_code, accepted.json()["state"]) == (200, "accepted")
    again = await registration.post(f"/registrations/{waiting['id']}/accept", WOOL_STAFF)
    assert "is accepted and cannot be accepted" in problem(again, 409, "registration-state")["detail"]

    other = await registered(registration, partnership="woolclub")
    path = f"/registrations/{other['id']}/reject"
    blank = await registration.post(path, WOOL_STAFF, {"reason": "  "})
    assert pointers(problem(blank, 422, "malformed")) == ["/reason"]
    rejected = await registration.post(path, WOOL_STAFF, {"reason": "The places of this year are taken."})
    seen = await registration.get(f"/registrations/{other['id']}", OWNER)
    assert rejected.json() == seen.json()
    assert seen.json()["history"][-1]["why"] == "The places of this year are taken."


async def test_against_the_verdict_staff_need_a_reason(registration: Api) -> None:
    ineligible = await registered(registration, organisation={"country": "NO", "city": "Oslo"})
    assert ineligible["state"] == "ineligible"
    path = f"/registrations/{ineligible['id']}/accept"
    assert "needs a reason" in problem(await registration.post(path, STAFF), 409, "reason-needed")["detail"]
    assert (await registration.post(path, STAFF, {"reason": "A pilot."})).json()["state"] == "accepted"


async def test_a_withdrawn_registration_stays_withdrawn(registration: Api) -> None:
    body = await registered(registration)
    path = f"/registrations/{body['id']}"
    assert (await registration.post(f"{path}/withdraw", OWNER)).json()["state"] == "withdrawn"
    problem(await registration.post(f"{path}/withdraw", OWNER), 409, "registration-state")
    problem(await registration.call("PUT", path, OWNER, json=a_submission()), 409, "registration-state")


async def test_the_schemas_accept_what_the_api_accepts(registration: Api) -> None:
    answer = await registration.get("/schemas/cxc.registration.submit.v1.json", NOBODY)
    assert answer.headers["content-type"] == "application/schema+json"
    schema = answer.json()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(a_submission())
    assert validator.is_valid(a_host_submission())
    assert not validator.is_valid(a_submission(roles=["tourist"]))
    unknown = problem(await registration.get("/schemas/cxc.nothing.v1.json", NOBODY), 404, "not-found")
    assert "cxc.registration.submit.v1" in unknown["detail"]


async def test_a_request_s_trace_goes_on_in_its_events(registration: Api) -> None:
    trace = f"00-{new_id().replace('-', '')}-00f067aa0ba902b7-01"
    answer = await registration.call(
        "POST", "/registrations", OWNER, json=a_submission(), headers={"traceparent": trace}
    )
    assert answer.status_code == 201
    assert trace in str((await registration.stored())["outbox"])


# ── who may do what ──────────────────────────────────────────────────────────────────────────

#          caller            lists it  reads  amends  accepts  withdraws
MATRIX = [
    ("owner", OWNER, True, 200, 200, 403, 200),
    ("another organisation", STRANGER, False, 404, 404, 404, 404),
    ("its partnership's staff", WOOL_STAFF, True, 200, 200, 200, 200),
    ("another partnership's staff", OTHER_STAFF, False, 404, 404, 404, 404),
    ("the support office", SUPPORT_OFFICE, True, 200, 403, 403, 403),
    ("an auditor", AUDITOR, True, 200, 403, 403, 403),
    ("an external system", EXTERNAL, False, 404, 404, 404, 404),
    ("nobody", NOBODY, None, 401, 401, 401, 401),
]


@pytest.mark.parametrize(("caller", "lists", "reads", "amends", "accepts", "withdraws"),
                         [row[1:] for row in MATRIX], ids=[row[0] for row in MATRIX])  # fmt: skip
async def test_who_may_do_what_with_a_registration(
    registration: Api,
    caller: As | None,
    lists: bool | None,
    reads: int,
    amends: int,
    accepts: int,
    withdraws: int,
) -> None:
    submitted = await registered(registration, partnership="woolclub")
    path = f"/registrations/{submitted['id']}"
    before = await registration.stored()

    listed = await registration.get("/registrations", caller, limit=200, sort="-submitted_at")
    if lists is None:
        problem(listed, 401, "unauthenticated")
    else:
        assert (submitted["id"] in [line["id"] for line in listed.json()["items"]]) is lists
    assert (await registration.get(path, caller)).status_code == reads
    assert await registration.stored() == before

    again = a_submission(partnership="woolclub")
    answers = [
        (await registration.call("PUT", path, caller, json=again), amends),
        (await registration.post(f"{path}/accept", caller), accepts),
        (await registration.post(f"{path}/withdraw", caller), withdraws),
    ]
    for answer, expected in answers:
        assert answer.status_code == expected, answer.text
    if {amends, accepts, withdraws}.isdisjoint({200}):
        assert await registration.stored() == before


@pytest.mark.parametrize(("caller", "expected"), [
    (OWNER, 201), (STAFF, 201), (EXTERNAL, 201), (SUPPORT_OFFICE, 403), (AUDITOR, 403), (NOBODY, 401),
])  # fmt: skip
async def test_who_may_submit(registration: Api, caller: As | None, expected: int) -> None:
    answer = await registration.post("/registrations", caller, a_submission())
    assert answer.status_code == expected


async def test_an_external_system_sees_and_changes_what_it_submitted(registration: Api) -> None:
    own = await registered(registration, EXTERNAL)
    path = f"/registrations/{own['id']}"
    assert (await registration.get(path, EXTERNAL)).status_code == 200
    problem(await registration.get(path, As("external", subject="/sample/other")), 404, "not-found")
    problem(await registration.post(f"{path}/accept", EXTERNAL), 403, "forbidden")
    assert (await registration.post(f"{path}/withdraw", EXTERNAL)).json()["state"] == "withdrawn"


# ── bad input ────────────────────────────────────────────────────────────────────────────────


def organisation(**changes: Any) -> dict[str, Any]:
    return a_submission(organisation={**a_submission()["organisation"], **changes})


BAD: list[tuple[str, Any, list[str], str]] = [
    (
        "a field is missing",
        {k: v for k, v in a_submission().items() if k != "goals"},
        ["/goals"],
        "is missing",
    ),
    ("a wrong type", a_submission(roles="visitor"), ["/roles"], "must be a list"),
    ("an unknown field", a_submission(colour="green"), ["/colour"], "not a field of this"),
    ("an unknown field inside", organisation(vta="PT1"), ["/organisation/vta"], "not a field of this"),
    ("no such country", organisation(country="ZZ"), ["/organisation/country"], "'ZZ' is not a country"),
    (
        "dates reversed",
        a_submission(availability=[{"first_day": "2023-03-31", "last_day": "2023-02-06"}]),
        ["/availability/0"],
        "last_day 2023-02-06 is before first_day 2023-03-31",
    ),
    ("one coordinate", organisation(lat=38.7), ["/organisation"], "give both lat and lon"),
    ("no mail address", a_submission(participant={"email": "desk"}), ["/participant/email"], "mail address"),
    ("an id of no partnership", a_submission(partnership="Hemp Club"), ["/partnership"], "partnership's id"),
    ("two at once", a_submission(goals=[], roles=["tourist"]), ["/goals", "/roles/0"], "at least 1 item"),
    ("a list", [a_submission()], [""], "JSON object"),
    ("null", None, [""], "is missing"),
]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(("body", "where", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_a_malformed_registration_is_told_where_and_changes_nothing(
    registration: Api, method: str, body: Any, where: list[str], says: str
) -> None:
    path = "/registrations" if method == "POST" else "/registrations/whatever"
    before = await registration.stored()
    refused = problem(await registration.call(method, path, OWNER, json=body), 422, "malformed")
    assert sorted(pointers(refused)) == where
    assert says in refused["detail"]
    assert await registration.stored() == before


NOT_JSON: list[tuple[str, bytes, str]] = [
    ("cut off", b'{"organisation": {', "the body is not JSON"),
    ("XML", b"<registration/>", "the body is not JSON: Expecting value at character 0"),
    ("not UTF-8", b'{"motivation": "\xff\xfe"}', "not JSON in UTF-8"),
    ("nested without end", b"[" * 100_000, "nested too deeply"),
    ("a number without end", b'{"host_places": ' + b"9" * 5000 + b"}", "too many digits"),
    ("nothing", b"", "is missing"),
]


@pytest.mark.parametrize(("body", "says"), [row[1:] for row in NOT_JSON], ids=[row[0] for row in NOT_JSON])
async def test_a_body_that_is_no_json_says_so(registration: Api, body: bytes, says: str) -> None:
    before = await registration.stored()
    answer = await registration.call(
        "POST", "/registrations", OWNER, content=body, headers={"Content-Type": "application/json"}
    )
    refused = problem(answer, 422, "malformed")
    assert pointers(refused) == [""]
    assert says in refused["detail"]
    assert await registration.stored() == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
async def test_a_number_that_is_none_is_refused(registration: Api, number: str) -> None:
    before = await registration.stored()
    text = f'{{"organisation": {{"lat": {number}, "lon": 1}}}}'
    answer = await registration.call(
        "POST", "/registrations", OWNER, content=text, headers={"Content-Type": "application/json"}
    )
    assert "/organisation/lat" in pointers(problem(answer, 422, "malformed"))
    assert await registration.stored() == before


async def test_letters_that_are_half_a_character_are_refused(registration: Api) -> None:
    answer = await registration.call(
        "POST",
        "/registrations",
        OWNER,
        content=b'{"motivation": "\\ud800", "organisation": {"country": "\\ud800"}}',
        headers={"Content-Type": "application/json"},
    )
    assert "half of a character" in problem(answer, 422, "malformed")["detail"]


async def test_five_megabytes_are_refused_with_and_without_a_declared_length(registration: Api) -> None:
    before = await registration.stored()
    whole = b'{"motivation": "' + b"x" * (5 * 1024 * 1024) + b'"}'

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 64 * 1024):
            yield whole[start : start + 64 * 1024]

    for content in (whole, in_pieces()):
        answer = await registration.call(
            "POST", "/registrations", OWNER, content=content, headers={"Content-Type": "application/json"}
        )
        assert "the limit" in problem(answer, 413, "too-large")["detail"]
    assert await registration.stored() == before


async def test_an_unknown_partnership_or_partner_breaks_a_rule(registration: Api) -> None:
    before = await registration.stored()
    answer = await registration.post("/registrations", OWNER, a_submission(partnership="nosuch"))
    detail = problem(answer, 409, "unknown-partnership")["detail"]
    assert "'nosuch'" in detail
    assert "hempclub, woolclub, solarclub" in detail
    named = [{"reference": "REG-2", "first_day": "2023-02-14", "last_day": "2023-02-16"}]
    answer = await registration.post("/registrations", OWNER, a_submission(pre_agreed=named))
    assert "'REG-2'" in problem(answer, 409, "unresolvable-reference")["detail"]
    assert await registration.stored() == before


async def test_unknown_ids_routes_and_methods_are_problems_too(registration: Api) -> None:
    for method, path in (
        ("GET", "/registrations/none"),
        ("POST", "/registrations/none/accept"),
        ("POST", "/registrations/none/withdraw"),
    ):
        problem(await registration.call(method, path, STAFF), 404, "not-found")
    for method, path, status in (("GET", "/nowhere", 404), ("DELETE", "/registrations", 405)):
        answer = await registration.call(method, path, STAFF)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["type"] == "about:blank"


QUERIES = [
    ("limit=0", "/limit"),
    ("limit=many", "/limit"),
    ("limit=201", "/limit"),
    ("country=ZZ", "/country"),
    ("state=happy", "/state/0"),
    ("stat=accepted", "/stat"),
    ("role=tourist", "/role"),
    ("partnership=$ne", "/partnership"),
    (f"after={'x' * 300}", "/after"),
]


@pytest.mark.parametrize(("query", "where"), QUERIES, ids=[query[:20] for query, _ in QUERIES])
async def test_a_malformed_filter_is_told_where(registration: Api, query: str, where: str) -> None:
    answer = await registration.call("GET", f"/registrations?{query}", STAFF)
    assert pointers(problem(answer, 422, "malformed")) == [where]
