"""The funding API on a database in memory, at a moment of the test's choice, with a stay to report on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

import httpx
from fastapi import FastAPI

from services.funding.api import create_app
from services.funding.bootstrap import Funding
from services.funding.domain.grant import Grant, grant_id
from services.funding.repositories import FundingUnitOfWork
from services.funding.settings import FundingSettings
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.contracts.envelope import CloudEvent
from shared.contracts.matching import MatchApproved
from shared.contracts.vocabulary import GateState
from shared.http import authenticated
from shared.messaging.outbox import unpack
from shared.partnerships import Partnership, Partnerships
from shared.security import Caller, CallerRole
from shared.settings import KafkaSettings
from shared.storage.store import OUTBOX
from tests.builders import a_host_party, a_party, an_approved_match
from tests.fakes import MemoryFiles, MemoryTransactions
from tests.unit.funding.builders import POLICIES, a_partnership

VISITOR = Caller("visitor-1", CallerRole.PARTICIPANT, organisation="visitor")
HOST = Caller("host-1", CallerRole.PARTICIPANT, organisation="host")
STRANGER = Caller("somebody-1", CallerRole.PARTICIPANT, organisation="somebody-else")
STAFF = Caller("staff-1", CallerRole.STAFF, partnership="hempclub")
HOST_STAFF = Caller("staff-2", CallerRole.STAFF, partnership="woolclub")
OTHER_STAFF = Caller("staff-3", CallerRole.STAFF, partnership="solarclub")
SUPPORT_OFFICE = Caller("support-1", CallerRole.SUPPORT_OFFICE)
AUDITOR = Caller("auditor-1", CallerRole.AUDITOR)
EXTERNAL = Caller("crm-1", CallerRole.EXTERNAL)

GRANT = grant_id("m1")


def a_visit(match_id: str = "m1", **changes: Any) -> MatchApproved:
    """Lisbon to Milan, 14 to 16 February 2023; HempClub manages the visitor, WoolClub the host."""
    visitor = a_party("visitor", owner="visitor")
    host = a_host_party("host", owner="host", partnership="woolclub")
    return an_approved_match(match_id, **{"visitor": visitor, "host": host, **changes})


def a_form(**changes: Any) -> dict[str, Any]:
    """A report that lacks nothing, on the planned days, as JSON."""
    return {
        "first_day": "2023-02-14",
        "last_day": "2023-02-16",
        "goals": [{"goal": "adopt_technology", "reached": "fully", "how": "We saw the line at work."}],
        "activities": [{"day": "2023-02-14", "what": "Tour of the spinning line."}],
        "results": "A pilot of 200 kg is planned.",
        "satisfaction": 5,
        **changes,
    }


@dataclass
class Service:
    """The API, whoever calls and whenever."""

    app: FastAPI
    http: httpx.AsyncClient
    transactions: MemoryTransactions[FundingUnitOfWork]
    files: MemoryFiles
    settings: FundingSettings
    at: datetime = field(default_factory=lambda: datetime(2023, 2, 17, 9, tzinfo=UTC))

    async def call(self, method: str, path: str, caller: Caller | None, **request: Any) -> httpx.Response:
        """A request in the caller's name."""
        self.app.dependency_overrides = {authenticated: lambda: caller} if caller else {}
        return await self.http.request(method, path, **request)

    async def get(self, path: str, caller: Caller = VISITOR) -> httpx.Response:
        return await self.call("GET", path, caller)

    async def post(self, path: str, caller: Caller, body: Any = None) -> httpx.Response:
        return await self.call("POST", path, caller, **({} if body is None else {"json": body}))

    async def save(self, caller: Caller = VISITOR, **changes: Any) -> httpx.Response:
        return await self.call("PUT", f"/grants/{GRANT}/report", caller, json=a_form(**changes))

    async def hand_in(self, **changes: Any) -> int:
        """Save and submit; the edition to validate."""
        assert (await self.save(**changes)).status_code == 200
        answer = await self.post(f"/grants/{GRANT}/report/submission", VISITOR)
        assert answer.status_code == 200, answer.text
        edition: int = answer.json()["edition"]
        return edition

    async def validate(self, edition: int, caller: Caller = STAFF, **more: Any) -> httpx.Response:
        body = {"edition": edition, **more}
        return await self.post(f"/grants/{GRANT}/report/validation", caller, body)

    async def approve(self, match: MatchApproved) -> Grant:
        return await self.transactions.run(lambda uow: reserve_lump_sum(uow, match))

    async def grant(self) -> Grant:
        return await self.transactions.read(lambda uow: uow.grants.get(GRANT))

    async def gate(self, name: str) -> GateState:
        state: GateState = getattr((await self.grant()).gates, name).state
        return state

    async def done(self) -> int:
        answer = await self.http.get("/partnerships/hempclub/progress")
        done: int = answer.json()["done"]
        return done

    def events(self, family: str = "") -> list[CloudEvent]:
        """What was published, in order; of a family such as `cxc.report` alone."""
        rows = sorted(self.transactions.database[OUTBOX].values(), key=lambda row: row["position"])
        found = [CloudEvent.model_validate_json(one.value) for row in rows for one in unpack(row)]
        return [event for event in found if event.type.startswith(family)]


@asynccontextmanager
async def a_service(*partnerships: Partnership, **settings: Any) -> AsyncIterator[Service]:
    """The API of these partnerships, HempClub, WoolClub and SolarClub unless others are given."""
    known: Sequence[Partnership] = partnerships or [
        a_partnership(),
        a_partnership("woolclub"),
        a_partnership("solarclub"),
    ]
    app, given = _app(**settings)
    service = cast(Service, None)
    transactions: MemoryTransactions[FundingUnitOfWork] = MemoryTransactions(
        lambda store: FundingUnitOfWork(
            store, policies=POLICIES, partnerships=Partnerships(known), clock=lambda: service.at
        )
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://funding.example") as http:
        service = Service(app, http, transactions, MemoryFiles(), given)
        app.state.root = Funding(
            settings=given,
            client=cast(Any, None),
            database=cast(Any, None),
            transactions=cast(Any, transactions),
            partnerships=Partnerships(known),
            policies=POLICIES,
            files=cast(Any, service.files),
            clock=lambda: service.at,
        )
        yield service


@cache
def _app(**settings: Any) -> tuple[FastAPI, FundingSettings]:
    """An API, made once: what it works on is put into it by each test."""
    given = FundingSettings(
        kafka=KafkaSettings(bootstrap="127.0.0.1:1"),
        mongo_url="mongodb://127.0.0.1:1",
        issuer="https://issuer.example",
        jwks_url="https://issuer.example/keys",
        **settings,
    )
    return create_app(given), given


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The refusal, checked to be this one."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["type"].rpartition("/")[2] == code, body
    return body
