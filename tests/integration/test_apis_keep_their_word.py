"""All four APIs do what their documents say, whatever is sent: no fault of ours, nothing undocumented.

The cases come from the documents (schemathesis), right ones and wrong ones; half of them name things
that exist. CXC_TEST_SEED chooses other cases than the usual ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.schemas import APIOperation

from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.matching.use_cases.join_pool import join_pool
from services.matching.use_cases.propose_match import propose_match
from services.notifications.use_cases.notify import notify
from services.notifications.webhooks.delivery import Delivery
from services.notifications.webhooks.endpoint import Endpoint
from shared.contracts.common import Party
from shared.contracts.envelope import new_id, now
from shared.messaging.topics import PUBLISHERS, ServiceName
from tests.builders import (
    a_host_party,
    a_host_submission,
    a_party,
    a_stay,
    a_submission,
    an_approved_match,
    an_envelope,
)
from tests.integration.apis import EXTERNAL, STAFF, Api, As, participant, settings_of
from tests.integration.test_group_events import a_group_event
from tests.unit.matching.builders import a_host_profile, a_profile, participant_of

pytestmark = pytest.mark.integration

SEED: Final = int(os.environ.get("CXC_TEST_SEED", "1182"))
CALLERS: Final = {"staff": STAFF, "participant": participant("tagus-fibre"), "external": EXTERNAL}
Case = schemathesis.Case[Any]
Operation = APIOperation[Any, Any, Any, Any]

load_all_checks()
CHECKED: Any = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)


@schemathesis.serializer("application/pdf", "image/jpeg", "image/png", "message/rfc822")
def pdf(ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    """A file's bytes as they are."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


@cache
def operations_of(service: ServiceName) -> dict[str, Operation]:
    """What its OpenAPI document describes, by method and path; nothing is connected to."""
    app = import_module(f"services.{service}.api").create_app(
        settings_of(service, "mongodb://nowhere.example")
    )
    schema = schemathesis.openapi.from_dict(app.openapi())
    found: list[Any] = list(schema.get_all_operations())
    return {one.ok().label: one.ok() for one in found}


def every_operation() -> Iterator[Any]:
    for service in PUBLISHERS:
        for label in operations_of(service):
            yield pytest.param(service, label, id=f"{service} {label}")


@cache
def cases_of(service: ServiceName, label: str) -> SearchStrategy[Case]:
    operation = operations_of(service)[label]
    right = operation.as_strategy(GenerationMode.POSITIVE)
    return right | operation.as_strategy(GenerationMode.NEGATIVE) if _can_be_wrong(operation) else right


def _can_be_wrong(operation: Operation) -> bool:
    return bool(operation.body or operation.query or operation.headers)


@dataclass
class Some:
    """The APIs, and ids of things that exist in each."""

    apis: dict[str, Api]
    ids: dict[str, list[str]]


@pytest.fixture(scope="module")
async def some(registration: Api, matching: Api, funding: Api, notifications: Api) -> Some:
    """A little of everything, of the callers' own and of others."""
    registrations = []
    for caller in CALLERS.values():
        for submission in (a_submission(partnership="woolclub"), a_host_submission()):
            made = await registration.post("/registrations", caller, submission)
            registrations.append(made.json()["id"])
    draft = await registration.post("/drafts", STAFF, {})

    visitor = a_party("v", owner="tagus-fibre")
    matches = []
    for host in (a_host_party("h-1"), a_host_party("h-2")):

        async def propose(uow: Any, host: Party = host) -> Any:
            await join_pool(uow, visitor, a_profile(), version=2)
            await join_pool(uow, host, a_host_profile(), version=2)
            return await propose_match(
                uow, "v", host.registration_id, a_stay(), by=participant_of("tagus-fibre")
            )

        matches.append(await matching.root.transactions.run(propose))
    group_event = await matching.post("/group-events", STAFF, a_group_event("h-1"))
    await matching.post(f"/group-events/{group_event.json()['id']}/open", STAFF)
    approved = an_approved_match(visitor=visitor)
    grant = await funding.root.transactions.run(lambda uow: reserve_lump_sum(uow, approved))
    fact = an_envelope(approved, service="matching", subject=approved.match_id)
    messages = await notifications.root.transactions.run(lambda uow: notify(uow, fact, approved))
    endpoint = Endpoint.make(
        id=new_id(),
        scope="partnership:hempclub",
        url="https://hooks.hempclub.example/",
        events=["*"],
        description="",
        contact=None,
        sealed="closed with another key",
        by="staff",
        at=now(),
    )
    delivery = Delivery.make(new_id(), endpoint.id, fact, fact.to_json(), registrations=[], at=now())
    await notifications.root.transactions.run(lambda uow: add_all(uow, endpoint, delivery))
    return Some(
        {
            "registration": registration,
            "matching": matching,
            "funding": funding,
            "notifications": notifications,
        },
        {
            "registration": [*registrations, draft.json()["id"]],
            "matching": ["v", "h-1", *(match.id for match in matches), group_event.json()["id"]],
            "funding": [grant.id, "hempclub", "v"],
            "notifications": [*(message.id for message in messages), "v", endpoint.id, delivery.id],
        },
    )


async def add_all(uow: Any, *aggregates: Any) -> None:
    for aggregate in aggregates:
        uow.add(aggregate)


@pytest.mark.parametrize(("service", "label"), list(every_operation()))
@seed(SEED)
@settings(
    max_examples=9,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
async def test_the_api_does_what_its_document_says(
    some: Some, service: ServiceName, label: str, data: st.DataObject
) -> None:
    caller = CALLERS[data.draw(st.sampled_from(sorted(CALLERS)))]
    case = data.draw(cases_of(service, label))
    exists: bool = data.draw(st.booleans(), label="something that exists")
    if case.path_parameters and exists:
        case.path_parameters = {
            name: data.draw(st.sampled_from(some.ids[service])) for name in case.path_parameters
        }
    if "wait" in (case.query or {}):
        case.query["wait"] = 0  # what a long poll answers does not depend on how long it waits
    if "seconds" in operations_of(service)[label].query:
        case.query = {**(case.query or {}), "seconds": 0}  # nor what a stream says on how long it lasts
    answer = await send(some.apis[service], case, caller)
    case.validate_response(answer, checks=CHECKED)


async def send(api: Api, case: Case, caller: As) -> Any:
    """The case as it goes over the wire, in the caller's name."""
    wire = requests.Request(**case.as_transport_kwargs(base_url=str(api.http.base_url))).prepare()
    headers = {name: value for name, value in wire.headers.items() if name.lower() != "authorization"}
    assert wire.url is not None
    return await api.call(wire.method or "GET", wire.url, caller, content=wire.body or b"", headers=headers)
