"""HempClub's grants at every point of the way to the money, and an API that serves them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any, cast, get_args

import httpx
from fastapi import FastAPI

from services.funding.api import create_app
from services.funding.bootstrap import Funding
from services.funding.domain.grant import grant_id
from services.funding.repositories import FundingUnitOfWork
from services.funding.settings import FundingSettings
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.contracts.vocabulary import GateName, GateState
from shared.http import authenticated
from shared.partnerships import Partnership, Partnerships
from shared.security import Caller, CallerRole
from shared.settings import KafkaSettings
from shared.storage.unit_of_work import Clock
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import POLICIES, a_match, a_partnership

STAFF = Caller("staff-1", CallerRole.STAFF, partnership="hempclub")
OTHER_STAFF = Caller("staff-2", CallerRole.STAFF, partnership="other")
AUDITOR = Caller("auditor-1", CallerRole.AUDITOR)
SUPPORT = Caller("support-1", CallerRole.SUPPORT_OFFICE)
VISITOR = Caller("visitor-1", CallerRole.PARTICIPANT, organisation="visitor-paid")
HOST = Caller("host-1", CallerRole.PARTICIPANT, organisation="host-paid")
STRANGER = Caller("stranger-1", CallerRole.PARTICIPANT, organisation="somebody-else")
EXTERNAL = Caller("crm-1", CallerRole.EXTERNAL)

NOW = datetime(2023, 3, 3, 9, 0, tzinfo=UTC)
"""Two weeks after the last day of the stays, 17 February 2023."""
PARTNERSHIPS = (a_partnership(budget="6300.00"), a_partnership("other"))

Service = MemoryTransactions[FundingUnitOfWork]

_ALL = {"agreement": "passed", "report": "passed", "evidence": "passed"}
STAGES: dict[str, tuple[int, dict[str, str]]] = {
    "signing": (16, {"agreement": "waits_for_partnership"}),
    "staying": (16, {"agreement": "passed"}),
    "reporting": (20, {"agreement": "passed", "report": "waits_for_partnership"}),
    "payable": (20, _ALL),
    "prepared": (21, _ALL),
    "released": (22, _ALL),
    "paid": (20, _ALL),
}
"""The matches by how far they are, the day of February on which they came so far, and their gates."""


def a_service(*partnerships: Partnership, clock: Clock = lambda: NOW) -> Service:
    """Units of work on a database in memory, at a moment."""
    known = Partnerships(partnerships or PARTNERSHIPS)
    return MemoryTransactions(
        lambda store: FundingUnitOfWork(store, policies=POLICIES, partnerships=known, clock=clock)
    )


async def staged() -> Service:
    """EUR 900 at every point of the way, one more that waits for budget, one of another partnership."""
    at = datetime(2023, 1, 20, 9, 0, tzinfo=UTC)
    service = a_service(clock=lambda: at)
    for name in (*STAGES, "queued"):
        await service.run(lambda uow, name=name: reserve_lump_sum(uow, a_match(name)))  # type: ignore[misc]
    await service.run(lambda uow: reserve_lump_sum(uow, a_match("foreign", payer="other")))
    for name, (day, gates) in STAGES.items():
        at = datetime(2023, 2, day, 9, 0, tzinfo=UTC)
        await turn(service, name, day, **gates)

    async def pay(uow: FundingUnitOfWork) -> None:
        for name in ("prepared", "released", "paid"):
            grant = await uow.grants.get(grant_id(name))
            grant.prepare("payment-1")
            if name != "prepared":
                grant.release()
            if name == "paid":
                grant.mark_paid(date(2023, 2, 24), "CXC-1")

    at = datetime(2023, 2, 24, 9, 0, tzinfo=UTC)
    await service.run(pay)
    now = a_service()
    now.database.collections = service.database.collections
    return now


async def turn(service: Service, name: str, day: int, **gates: str) -> None:
    """Turn gates of the match on a day of February 2023."""

    async def work(uow: FundingUnitOfWork) -> None:
        grant = await uow.grants.get(grant_id(name))
        for gate in get_args(GateName):
            if gate in gates:
                grant.turn_gate(gate, GateState(gates[gate]), at=datetime(2023, 2, day, 9, tzinfo=UTC))

    await service.run(work)


class Api:
    """A client of the API that can be anyone."""

    def __init__(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        self._app = app
        self._client = client

    async def get(self, path: str, caller: Caller | None = None, **headers: str) -> httpx.Response:
        self._app.dependency_overrides = {authenticated: lambda: caller} if caller else {}
        return await self._client.get(path, headers=headers)

    async def post(self, path: str, body: object, caller: Caller | None = None) -> httpx.Response:
        self._app.dependency_overrides = {authenticated: lambda: caller} if caller else {}
        return await self._client.post(path, json=body)


@asynccontextmanager
async def serving(service: Service, *partnerships: Partnership) -> AsyncIterator[Api]:
    """The API on that database."""
    settings = FundingSettings(
        kafka=KafkaSettings(bootstrap="127.0.0.1:1"),
        mongo_url="mongodb://127.0.0.1:1",
        issuer="https://issuer.example",
        jwks_url="https://issuer.example/keys",
    )
    app = create_app(settings)
    app.state.root = Funding(
        settings=settings,
        client=cast(Any, None),
        database=cast(Any, None),
        transactions=cast(Any, service),
        partnerships=Partnerships(partnerships or PARTNERSHIPS),
        policies=POLICIES,
        files=cast(Any, None),
        clock=lambda: NOW,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://funding") as client:
        yield Api(app, client)
