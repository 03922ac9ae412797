"""The feed and the status look-up as outside systems meet them."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator

from services.registration.feed.writer import FeedWriter
from services.registration.handlers import handlers
from shared.contracts.common import Party
from shared.contracts.envelope import SCHEMAS, CloudEvent, new_id
from shared.contracts.examples import golden_examples
from shared.contracts.registration import RegistrationWithdrawn
from shared.messaging.consumer import BatchConsumer
from tests.builders import a_message, a_party, a_submission, an_envelope, an_inbox_event
from tests.integration.apis import (
    AUDITOR,
    EXTERNAL,
    NOBODY,
    STAFF,
    SUPPORT_OFFICE,
    WOOL_STAFF,
    Api,
    As,
    participant,
    pointers,
    problem,
)

pytestmark = pytest.mark.integration

_OFFSETS = itertools.count()
"""No message has another's place in its topic."""


def a_withdrawal(party: Party) -> CloudEvent:
    event = RegistrationWithdrawn(party=party, reason="No time this year.")
    return an_envelope(event, service="registration", subject=party.registration_id)


async def into_the_feed(api: Api, *events: CloudEvent) -> None:
    writer = await FeedWriter.open(api.root.database)
    offset = writer.offsets.get(("t", 0), 0)
    await writer.write([a_message(event, topic="t", offset=at) for at, event in enumerate(events, offset)])


def a_system() -> As:
    """An outside system nobody else is."""
    return As("external", subject=f"/sample/{new_id()}")


# ── the feed ─────────────────────────────────────────────────────────────────────────────────


async def test_a_reader_goes_from_number_to_number_through_what_concerns_it(registration: Api) -> None:
    system = a_system()
    events = [a_withdrawal(a_party(source=system.subject)) for _ in range(5)]
    await into_the_feed(registration, events[0], a_withdrawal(a_party()), *events[1:])

    first = (await registration.get("/feed", system, limit=3)).json()
    second = (await registration.get("/feed", system, after=first["next"], limit=3)).json()
    end = (await registration.get("/feed", system, after=second["next"])).json()

    assert [item["number"] for item in first["items"] + second["items"]] == [1, 2, 3, 4, 5]
    assert [item["event"]["id"] for item in first["items"] + second["items"]] == [one.id for one in events]
    assert (first["next"], first["last"], second["next"], end["items"], end["next"]) == (3, 5, 5, [], 5)
    assert first["scope"] == f"source:{system.subject}"
    assert len({page["feed"] for page in (first, second, end)}) == 1


async def test_the_scope_follows_from_the_token(registration: Api) -> None:
    await into_the_feed(registration, a_withdrawal(a_party(partnership="woolclub")))
    for caller, scope in (
        (SUPPORT_OFFICE, "all"),
        (AUDITOR, "all"),
        (WOOL_STAFF, "partnership:woolclub"),
        (EXTERNAL, f"source:{EXTERNAL.subject}"),
    ):
        page = (await registration.get("/feed", caller)).json()
        assert page["scope"] == scope
        assert bool(page["items"]) == (caller is not EXTERNAL)
    refused = problem(await registration.get("/feed", participant("tagus-fibre")), 403, "forbidden")
    assert "/registrations" in refused["detail"]
    problem(await registration.get("/feed", NOBODY), 401, "unauthenticated")


async def test_who_waits_is_answered_as_soon_as_something_comes_and_others_are_not(
    registration: Api,
) -> None:
    system, other = a_system(), a_system()
    waiting = asyncio.create_task(registration.get("/feed", system, wait=30))
    others = asyncio.create_task(registration.get("/feed", other, wait=1))
    assert (await others).json()["items"] == []
    event = a_withdrawal(a_party(source=system.subject))
    await into_the_feed(registration, event)
    [item] = (await asyncio.wait_for(waiting, 20)).json()["items"]
    assert item["event"]["id"] == event.id


async def test_numbers_of_another_feed_are_noticed(registration: Api) -> None:
    detail = problem(await registration.get("/feed", a_system(), after=7), 409, "ahead-of-the-feed")["detail"]
    assert "last number" in detail
    assert "another feed" in detail


@pytest.mark.parametrize(
    ("name", "value"),
    [("after", -1), ("after", 2**53), ("after", "x"), ("limit", 0), ("limit", 1001), ("wait", 31)],
)
async def test_a_malformed_request_is_told_where(registration: Api, name: str, value: Any) -> None:
    answer = await registration.get("/feed", SUPPORT_OFFICE, **{name: value})
    assert pointers(problem(answer, 422, "malformed")) == [f"/{name}"]


async def test_every_event_s_dataschema_is_served_takes_it_and_may_be_kept(registration: Api) -> None:
    for name, golden in golden_examples().items():
        address = golden.get("dataschema", f"{SCHEMAS}{golden['type']}.json")
        path = "/schemas/" + address.removeprefix(SCHEMAS)
        answer = await registration.get(path, NOBODY)
        assert answer.json()["$id"] == address
        assert [
            error.message for error in Draft202012Validator(answer.json()).iter_errors(golden["data"])
        ] == [], name
        assert "max-age" in answer.headers["cache-control"]
        again = await registration.call(
            "GET", path, NOBODY, headers={"If-None-Match": answer.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
    assert (await registration.get("/schemas/cxc.feed.gap.v1.json", NOBODY)).status_code == 200


# ── what became of an event ──────────────────────────────────────────────────────────────────


async def sent(api: Api, *events: dict[str, Any]) -> None:
    """Let the worker's consumer handle what the outside system published."""
    consumer = BatchConsumer(handlers, api.root.transactions)
    await consumer.consume([a_message(event, offset=next(_OFFSETS)) for event in events])


async def test_a_sender_learns_what_became_of_its_event_by_its_own_id(registration: Api) -> None:
    system = a_system()
    id = f"order/4711?x=ü&{new_id()}"
    event = an_inbox_event(a_submission(), id=id, source=system.subject or "", subject="CRM-1")
    path = f"/inbox/{quote(id, safe='/')}"
    assert "in doubt" in problem(await registration.get(path, system), 404, "not-found")["detail"]

    await sent(registration, event)
    taken = (await registration.get(path, system)).json()
    assert taken["outcome"] == "taken"
    assert (taken["event_id"], taken["source"], taken["reference"]) == (id, system.subject, "CRM-1")
    found = (await registration.get(f"/registrations/{taken['registration_id']}", SUPPORT_OFFICE)).json()
    assert (taken["state"], taken["verdict"]) == (found["state"], found["verdict"])


async def test_a_refusal_is_told_with_its_reasons_and_a_corrected_event_after_it(registration: Api) -> None:
    system = a_system()
    wrong = an_inbox_event(a_submission(roles=["guest"]), source=system.subject or "", subject="CRM-2")
    path = f"/inbox/{wrong['id']}"
    await sent(registration, wrong)
    refused = (await registration.get(path, system)).json()
    assert (refused["outcome"], refused["reference"]) == ("refused", "CRM-2")
    assert refused["refusal"]["status"] == 422
    assert [error["pointer"] for error in refused["refusal"]["errors"]] == ["/roles/0"]

    await sent(registration, {**wrong, "data": a_submission()})
    assert (await registration.get(path, system)).json()["outcome"] == "taken"

    await sent(registration, {**wrong, "data": a_submission(motivation="Something else.")})
    reused = (await registration.get(path, system)).json()
    assert reused["outcome"] == "taken"
    assert reused["refusal"]["type"].endswith("/id-reused")


async def test_whose_events_one_may_ask_about(registration: Api) -> None:
    system = a_system()
    event = an_inbox_event(a_submission(partnership="hempclub"), source=system.subject or "")
    await sent(registration, event)
    path = f"/inbox/{event['id']}"

    for caller in (STAFF, SUPPORT_OFFICE, AUDITOR):
        assert (await registration.get(path, caller, source=system.subject)).json()["outcome"] == "taken"
    problem(await registration.get(path, WOOL_STAFF, source=system.subject), 404, "not-found")
    problem(await registration.get(path, a_system()), 404, "not-found")
    problem(await registration.get(path, a_system(), source=system.subject), 403, "forbidden")
    problem(await registration.get(path, participant("tagus-fibre")), 403, "forbidden")
    assert pointers(problem(await registration.get(path, STAFF), 422, "malformed")) == ["/source"]


async def test_who_waits_for_an_event_hears_of_it_when_it_is_handled(registration: Api) -> None:
    system = a_system()
    event = an_inbox_event(a_submission(), source=system.subject or "")
    waiting = asyncio.create_task(registration.get(f"/inbox/{event['id']}", system, wait=30))
    await sent(registration, event)
    assert (await asyncio.wait_for(waiting, 20)).json()["outcome"] == "taken"
