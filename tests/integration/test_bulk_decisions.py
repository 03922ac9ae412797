"""Five hundred decided at once and undone, through Kafka to the money; and officers who decide together."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import yaml
from aiokafka import AIOKafkaProducer
from pymongo import AsyncMongoClient

from ops.issuer import issue_token
from ops.platform import Platform, Ports
from services.registration.bootstrap import Registering
from services.registration.domain.decision import (
    AlreadyUndone,
    Basis,
    Decision,
    DecisionKind,
    NotAsPreviewed,
    Proposal,
)
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.decide_registrations import decide_registrations, preview_decision
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.undo_decision import undo_decision
from shared.contracts.registration import RegistrationAccepted, RegistrationDecisionUndone, Submission
from shared.messaging.outbox import unpack
from shared.messaging.topics import REGISTRATION_INBOX
from shared.security import Caller, CallerRole
from tests.builders import a_host_submission, a_submission, an_inbox_event
from tests.conftest import Servers
from tests.integration.apis import running_root, settings_of

pytestmark = pytest.mark.integration

PAIRS = 250
OURS = f"bulkclub-{uuid.uuid4().hex[:8]}"
"""A partnership of this test alone, on servers that others have used."""
BULKCLUB: dict[str, Any] = {
    "id": OURS,
    "name": "BulkClub",
    "ecosystems": ["textile"],
    "staff": [{"email": "staff@bulkclub.example"}],
    "auto_approve_pre_agreed": True,
    "budget": "1000000.00",
    "objective": 500,
}
OUR_PICS = {"$regex": "^pic:9[12]"}
OFFICER = Caller("officer", CallerRole.STAFF, partnership="woolclub")


class Bulkclub:
    """Registration, matching and funding as processes, and the staff of their one partnership."""

    def __init__(
        self, platform: Platform, http: httpx.AsyncClient, mongo: AsyncMongoClient[dict[str, Any]]
    ) -> None:
        self._url = f"http://127.0.0.1:{platform.port('registration-api')}"
        self._kafka = platform.kafka_bootstrap
        self._http = http
        self._mongo = mongo
        token = issue_token(
            platform.issuer_key,
            issuer=platform.issuer_url,
            role="staff",
            partnership=OURS,
        )
        self._headers = {"Authorization": f"Bearer {token}"}

    async def publish(self, submissions: dict[str, dict[str, Any]]) -> None:
        """Send registrations by event, each under its reference."""
        async with AIOKafkaProducer(bootstrap_servers=self._kafka) as producer:
            for reference, data in submissions.items():
                event = an_inbox_event(data, source=f"/sample/{OURS}", subject=reference)
                await producer.send(REGISTRATION_INBOX, orjson.dumps(event), key=reference.encode())
            await producer.flush()

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._http.post(f"{self._url}{path}", json=body, headers=self._headers)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def counts(self) -> dict[str, int]:
        answer = await self._http.get(f"{self._url}/registrations/counts", headers=self._headers)
        found: dict[str, int] = answer.json()["by_state"]
        return found

    async def count(self, service: str, collection: str, **where: Any) -> int:
        return await self._mongo[f"cxc_{service}"][collection].count_documents(where)

    async def reserved(self) -> str:
        budget = await self._mongo["cxc_funding"]["budgets"].find_one({"_id": OURS})
        return str(budget["reserved"]) if budget else "0"


@pytest.fixture
async def bulkclub(servers: Servers, tmp_path: Path) -> AsyncIterator[Bulkclub]:
    partnerships = tmp_path / "partnerships.yaml"
    partnerships.write_text(yaml.safe_dump({"partnerships": [BULKCLUB]}))
    platform = Platform(
        tmp_path / "platform",
        ports=Ports.any(),
        servers=["issuer"],
        services=["registration", "matching", "funding"],
        kafka_bootstrap=servers.kafka_bootstrap,
        mongo_url=servers.mongo_url,
        partnerships=partnerships,
    )
    with platform:
        await asyncio.to_thread(platform.start)
        await asyncio.to_thread(platform.wait_ready)
        async with (
            httpx.AsyncClient(timeout=60) as http,
            AsyncMongoClient[dict[str, Any]](servers.mongo_url) as mongo,
        ):
            yield Bulkclub(platform, http, mongo)


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 120) -> None:
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.05)


def a_pair(number: int, first_day: date) -> dict[str, dict[str, Any]]:
    """A visitor of Lisbon and a host of Vienna who have agreed on a week, by reference."""
    days = {"first_day": first_day.isoformat(), "last_day": (first_day + timedelta(4)).isoformat()}
    free = [{**days, "last_day": (first_day + timedelta(60)).isoformat()}]
    visitor, host = f"v-{number}", f"h-{number}"
    visiting = a_submission(partnership=OURS, availability=free)
    visiting["organisation"].update(
        name=f"Sample visitor {number}", pic=f"{910_000_000 + number}", lat=38.72, lon=-9.14
    )
    hosting = a_host_submission(partnership=OURS, availability=free)
    hosting["organisation"].update(
        name=f"Sample host {number}",
        country="AT",
        city="Vienna",
        pic=f"{920_000_000 + number}",
        lat=48.21,
        lon=16.37,
    )
    return {
        visitor: {**visiting, "pre_agreed": [{"reference": host, **days}]},
        host: {**hosting, "pre_agreed": [{"reference": visitor, **days}]},
    }


async def test_five_hundred_accepted_and_undone_leave_no_trace_in_matching_and_funding(
    bulkclub: Bulkclub,
) -> None:
    today = datetime.now(UTC).date()
    monday = today + timedelta(63 - today.weekday())
    submissions = {
        reference: data for number in range(PAIRS) for reference, data in a_pair(number, monday).items()
    }
    await bulkclub.publish(submissions)

    async def screened() -> bool:
        return (await bulkclub.counts())["eligible"] == 2 * PAIRS

    await until(screened)
    proposed: dict[str, Any] = {"decision": "accept", "filter": {"state": ["eligible"]}}
    preview = await bulkclub.post("/decisions/preview", proposed)
    assert (preview["decided"], preview["left_out"]) == (2 * PAIRS, 0)
    decision = await bulkclub.post("/decisions", {**proposed, "basis": preview["basis"]})
    assert len(decision["items"]) == 2 * PAIRS

    async def paid_for() -> bool:
        return await bulkclub.count("funding", "grants", partnership=OURS, state="reserved") == PAIRS

    await until(paid_for)
    assert Decimal(await bulkclub.reserved()) >= 500 * PAIRS

    undone = await bulkclub.post(f"/decisions/{decision['id']}/undo", {"reason": "The wrong list."})
    assert undone["kept"] == []
    assert len(undone["decision"]["undone"]["registrations"]) == 2 * PAIRS
    assert (await bulkclub.counts())["eligible"] == 2 * PAIRS

    async def money_is_free() -> bool:
        return await bulkclub.count("funding", "grants", partnership=OURS, state="cancelled") == PAIRS

    await until(money_is_free)
    assert await bulkclub.reserved() == "0.00"
    assert await bulkclub.count("matching", "candidates", in_pool=True, **{"party.partnership": OURS}) == 0
    assert (
        await bulkclub.count("matching", "matches", state="cancelled", **{"visitor.partnership": OURS})
        == PAIRS
    )
    assert await bulkclub.count("matching", "visit_claims", _id=OUR_PICS, match_id={"$ne": None}) == 0

    async def visits_are_given_back() -> bool:
        return await bulkclub.count("registration", "visits", _id=OUR_PICS, uses={"$ne": []}) == 0

    await until(visits_are_given_back)
    assert await bulkclub.count("registration", "audit", decision_id=decision["id"]) == 4 * PAIRS


# ── at the same moment ───────────────────────────────────────────────────────────────────────

ACCEPT = Proposal(decision=DecisionKind.ACCEPT)
REJECT = Proposal(decision=DecisionKind.REJECT, reason="No room this year.")


@pytest.fixture
async def roots(mongo_url: str, database: str) -> AsyncIterator[list[Registering]]:
    settings = settings_of("registration", mongo_url)
    async with (
        running_root("registration", settings, database) as one,
        running_root("registration", settings, database) as other,
    ):
        yield [one, other]


async def submitted(root: Registering, number: int) -> list[str]:
    sent = Submission.model_validate(a_submission(partnership="woolclub"))

    async def work(uow: RegistrationUnitOfWork) -> list[str]:
        return [(await submit_registration(uow, sent, by=OFFICER)).id for _ in range(number)]

    return await root.transactions.run(work)


async def previewed(root: Registering, proposal: Proposal, ids: list[str]) -> Basis:
    _, basis = await root.transactions.read(
        lambda uow: preview_decision(uow, proposal, ids, by=OFFICER, request="r")
    )
    return basis


async def events_of(root: Registering, type: str) -> list[str]:
    rows = await root.database["outbox"].find({}).sort("position", 1).to_list(None)
    envelopes = [orjson.loads(message.value) for row in rows for message in unpack(row)]
    return [envelope["subject"] for envelope in envelopes if envelope["type"] == type]


async def test_of_two_officers_who_decide_about_the_same_exactly_one_wins(roots: list[Registering]) -> None:
    for _ in range(10):
        ids = await submitted(roots[0], 20)
        # Not all the same: half of each choice is the other's too.
        choices = [(ACCEPT, ids[:15]), (REJECT, ids[5:])]
        bases = [await previewed(roots[0], proposal, chosen) for proposal, chosen in choices]

        async def decide(root: Registering, proposal: Proposal, basis: Basis) -> Decision:
            return await root.transactions.run(
                lambda uow: decide_registrations(uow, proposal, basis, by=OFFICER, request="r")
            )

        results = await asyncio.gather(
            *(
                decide(root, proposal, basis)
                for root, (proposal, _), basis in zip(roots, choices, bases, strict=True)
            ),
            return_exceptions=True,
        )
        [winner] = [result for result in results if isinstance(result, Decision)]
        [loser] = [result for result in results if isinstance(result, NotAsPreviewed)]
        assert len(loser.errors) == 10
        decided = {item.registration_id for item in winner.items}
        found = await roots[0].database["registrations"].find({"_id": {"$in": ids}}).to_list(None)
        for document in found:
            expected = winner.items[0].after if document["_id"] in decided else "eligible"
            assert document["state"] == expected


async def test_two_who_undo_the_same_decision_undo_it_once(roots: list[Registering]) -> None:
    ids = await submitted(roots[0], 20)
    basis = await previewed(roots[0], ACCEPT, ids)
    decision = await roots[0].transactions.run(
        lambda uow: decide_registrations(uow, ACCEPT, basis, by=OFFICER, request="r")
    )
    results = await asyncio.gather(
        *(
            root.transactions.run(lambda uow: undo_decision(uow, decision.id, by=OFFICER, reason=""))
            for root in roots
        ),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == [AlreadyUndone.__name__, "tuple"]
    assert sorted(await events_of(roots[0], RegistrationDecisionUndone.TYPE)) == sorted(ids)
    assert sorted(await events_of(roots[0], RegistrationAccepted.TYPE)) == sorted(ids)
