"""Financial agreements on real MongoDB: two processes at once, and payments that are late."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.funding.bootstrap import Funding, bootstrap
from services.funding.chores import CHORES
from services.funding.domain.agreement import Agreement, AgreementChanged
from services.funding.domain.grant import Grant, grant_id
from services.funding.domain.lump_sum import lump_sum
from services.funding.domain.stay import Stay
from services.funding.use_cases.draw_up_agreement import draw_up_agreement
from services.funding.use_cases.recalculate_grant import recalculate_grant
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.use_cases.sign_agreement import sign_agreement
from shared.chores import Round, go_round
from shared.contracts.common import Window
from shared.contracts.envelope import CloudEvent, new_id
from shared.contracts.vocabulary import GateState, GrantState
from shared.messaging.outbox import unpack
from shared.security import Caller, CallerRole
from tests.integration.apis import running_root, settings_of
from tests.unit.funding.builders import a_match, stay_facts

pytestmark = pytest.mark.integration

OFFICER = Caller("officer-1", CallerRole.STAFF, partnership="hempclub")
SHORTER = Window(first_day=date(2023, 2, 13), last_day=date(2023, 2, 15))


@pytest.fixture
async def roots(mongo_url: str, database: str) -> AsyncIterator[list[Funding]]:
    """Two processes of funding."""
    settings = settings_of("funding", mongo_url)
    async with (
        running_root("funding", settings, database) as one,
        running_root("funding", settings, database) as other,
    ):
        yield [one, other]


async def told(root: Funding) -> Counter[str]:
    """How often each kind of event is waiting to be published."""
    rows = await root.database["outbox"].find({}).to_list(None)
    return Counter(CloudEvent.model_validate_json(m.value).type for row in rows for m in unpack(row))


async def reserved(root: Funding) -> str:
    """A match whose lump sum of EUR 900 is reserved."""
    match_id = new_id()
    await root.transactions.run(lambda uow: reserve_lump_sum(uow, a_match(match_id)))
    return match_id


def visitor(match_id: str) -> Caller:
    return Caller("office", CallerRole.PARTICIPANT, organisation=f"visitor-{match_id}")


async def draw_up(root: Funding, match_id: str) -> Agreement:
    return await root.transactions.run(
        lambda uow: draw_up_agreement(uow, grant_id(match_id), by=OFFICER), attempts=20
    )


async def sign(root: Funding, match_id: str, by: Caller, sha256: str) -> None:
    await root.transactions.run(
        lambda uow: sign_agreement(uow, grant_id(match_id), by=by, seen_sha256=sha256), attempts=20
    )


async def shorten(root: Funding, match_id: str) -> None:
    facts = Stay.model_validate(stay_facts(last_day="2023-02-15"))
    answer = lump_sum(facts, root.policies)

    async def again(uow: Any) -> None:
        grant = await uow.grants.get(grant_id(match_id))
        await recalculate_grant(uow, grant, answer, real_stay=SHORTER, reason="These are the real days.")

    await root.transactions.run(again, attempts=20)


async def test_two_who_ask_at_once_find_one_agreement(roots: list[Funding]) -> None:
    match_id = await reserved(roots[0])
    found = await asyncio.gather(*(draw_up(root, match_id) for root in roots * 5))
    assert len({agreement.content.sha256 for agreement in found}) == 1
    assert (await told(roots[0]))["cxc.agreement.drawn_up.v1"] == 1


async def test_a_signature_and_another_amount_at_once_never_promise_what_is_not_paid(
    roots: list[Funding],
) -> None:
    one, other = roots
    for _ in range(8):
        match_id = await reserved(one)
        agreement = await draw_up(one, match_id)
        await sign(one, match_id, visitor(match_id), agreement.content.sha256)
        results = await asyncio.gather(
            sign(one, match_id, OFFICER, agreement.content.sha256),
            shorten(other, match_id),
            draw_up(one, match_id),
            return_exceptions=True,
        )
        assert not [result for result in results if isinstance(result, BaseException)] or (
            isinstance(results[0], AgreementChanged) and not isinstance(results[1], BaseException)
        )
        grant = await one.transactions.read(lambda uow: uow.grants.get(grant_id(match_id)))  # noqa: B023
        left = await draw_up(other, match_id)
        assert (left.content.amount, left.content.last_day) == (grant.amount, SHORTER.last_day)
        assert (left.state, left.signatures) == ("open", [])
        assert (grant.state, grant.gates.agreement.state) == (
            GrantState.RESERVED,
            GateState.WAITS_FOR_VISITOR,
        )


async def test_a_late_payment_is_told_once_and_counted_until_it_is_paid(
    mongo_url: str, database: str
) -> None:
    today = datetime(2023, 2, 20, 9, tzinfo=UTC)
    funding = await bootstrap(settings_of("funding", mongo_url), database=database, clock=lambda: today)
    match_id = await reserved(funding)
    late = next(chore for chore in CHORES if chore.name == "overdue")

    async def change(*what: Any) -> None:
        async def work(uow: Any) -> None:
            grant: Grant = await uow.grants.get(grant_id(match_id))
            for step in what:
                step(grant)

        await funding.transactions.run(work)

    async def look() -> float | None:
        stopping = asyncio.Event()

        async def and_stop(round: Round[Funding]) -> None:
            await late.do_round(round)
            stopping.set()

        async with asyncio.timeout(20):
            await go_round(funding, stopping, [replace(late, do_round=and_stop)], look_every_s=0.05)
        return REGISTRY.get_sample_value("cxc_overdue_grants", {"partnership": "hempclub"})

    await change(
        *(
            lambda grant, gate=gate: grant.turn_gate(gate, GateState.PASSED, at=today)
            for gate in ("agreement", "report", "evidence")
        )
    )
    today = datetime(2023, 3, 2, 23, tzinfo=UTC)
    assert await look() == 0
    today = datetime(2023, 3, 3, 1, tzinfo=UTC)
    assert await look() == 1
    assert await look() == 1
    assert (await told(funding))["cxc.grant.payment_overdue.v1"] == 1
    await change(
        lambda grant: grant.prepare("payment-1"),
        lambda grant: grant.release(),
        lambda grant: grant.mark_paid(today.date(), "reference-1"),
    )
    assert await look() == 0
    await funding.close()
