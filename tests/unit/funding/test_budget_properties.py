"""Random histories of approvals, cancellations and changes of the budget, in batches: it always adds up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from services.funding.domain.budget import Budget, BudgetBelowReserved
from services.funding.domain.grant import Grant
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.use_cases.settle_budget import settle_budget
from shared.contracts.envelope import now
from shared.contracts.vocabulary import GrantState
from shared.errors import RuleBroken
from tests.builders import a_cancelled_match
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import a_match, a_partnership, transactions


class Approve(NamedTuple):
    match: int
    full: bool


class Cancel(NamedTuple):
    match: int


class Settle(NamedTuple):
    total: int


matches = st.integers(0, 11)
batches = st.lists(
    st.one_of(st.builds(Approve, matches, st.booleans()), st.builds(Cancel, matches)),
    max_size=8,
    # Events of one match run one after the other, not at once in a batch.
    unique_by=lambda step: step.match,
)
histories = st.lists(st.one_of(batches, st.builds(Settle, st.integers(0, 6000))), max_size=12)


@settings(max_examples=150, deadline=None)
@given(start=st.integers(0, 4000), history=histories)
def test_a_budget_is_never_exceeded_and_nobody_waits_in_vain(
    start: int, history: Sequence[list[Approve | Cancel] | Settle]
) -> None:
    asyncio.run(_live_through(start, history))


async def _live_through(start: int, history: Sequence[list[Approve | Cancel] | Settle]) -> None:
    funding = transactions(a_partnership(budget=f"{start}.00"))
    await _settle(funding, start)
    for step in history:
        if isinstance(step, Settle):
            await _settle(funding, step.total)
        else:
            await _batch(funding, step)
        await _check(funding)


async def _settle(funding: MemoryTransactions[FundingUnitOfWork], total: int) -> None:
    with suppress(BudgetBelowReserved):
        await funding.run(lambda uow: settle_budget(uow, a_partnership(budget=f"{total}.00")))


async def _batch(funding: MemoryTransactions[FundingUnitOfWork], steps: Sequence[Approve | Cancel]) -> None:
    async def handle(uow: FundingUnitOfWork, step: Approve | Cancel) -> None:
        with suppress(RuleBroken):
            if isinstance(step, Approve):
                await reserve_lump_sum(uow, a_match(f"m{step.match}", full=step.full))
            else:
                await cancel_grant(uow, a_cancelled_match(a_match(f"m{step.match}")))

    async def all_at_once(uow: FundingUnitOfWork) -> None:
        await asyncio.gather(*(handle(uow, step) for step in steps))

    await funding.run(all_at_once)


async def _check(funding: MemoryTransactions[FundingUnitOfWork]) -> None:
    grants = await funding.read(lambda uow: uow.query(Grant, {}))
    budget = await funding.read(lambda uow: uow.budgets.get("hempclub"))
    reserved = [grant for grant in grants if grant.state is GrantState.RESERVED]
    waiting = sorted(
        (grant for grant in grants if grant.state is GrantState.AWAITING_BUDGET),
        key=lambda grant: grant.position or 0,
    )
    assert budget.reserved == _sum(reserved) <= budget.total
    assert (budget.awaiting, budget.awaiting_amount) == (len(waiting), _sum(waiting))
    if waiting:
        assert waiting[0].amount > budget.available, "the head of the queue fits, and was not served"
        served = [grant.position for grant in reserved if grant.position]
        assert max(served, default=0) < (waiting[0].position or 0), "someone was overtaken"
    assert len({grant.position for grant in waiting}) == len(waiting)


def _sum(grants: Sequence[Grant]) -> Decimal:
    return sum((grant.amount for grant in grants), Decimal(0))


def test_a_budget_stays_small_however_many_wait() -> None:
    budget = Budget.open("hempclub", Decimal(0), at=now())
    for _ in range(10_000):
        budget.next_position()
    assert len(str(budget.to_document())) < 400
