"""What becomes of an approved match's money: one grant each, reserved, waiting, or refused with a reason."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import orjson
import pytest

from services.funding.domain.budget import Budget, BudgetBelowReserved
from services.funding.domain.grant import Grant, GrantExists, GrantStateForbids, grant_id
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.reserve_lump_sum import NobodyPays, reserve_lump_sum
from services.funding.use_cases.settle_budget import settle_budget
from shared.contracts.common import Window
from shared.contracts.matching import MatchApproved
from shared.contracts.types import EventType
from shared.contracts.vocabulary import GrantState
from shared.errors import Malformed
from shared.messaging.outbox import unpack
from shared.partnerships import UnknownPartnership
from shared.storage.store import OUTBOX
from tests.builders import a_cancelled_match, a_party
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import a_match, a_partnership, transactions

Funding = MemoryTransactions[FundingUnitOfWork]


async def approve(funding: Funding, *matches: MatchApproved) -> list[Grant]:
    """All in one transaction, at the same time, as the consumer does with a batch."""
    return await funding.run(lambda uow: asyncio.gather(*(reserve_lump_sum(uow, match) for match in matches)))


async def cancel(funding: Funding, *matches: MatchApproved) -> list[Grant | None]:
    return await funding.run(
        lambda uow: asyncio.gather(*(cancel_grant(uow, a_cancelled_match(match)) for match in matches))
    )


async def states(funding: Funding) -> dict[str, GrantState]:
    grants = await funding.read(lambda uow: uow.query(Grant, {}))
    return {grant.match_id: grant.state for grant in grants}


async def budget(funding: Funding, partnership: str = "hempclub") -> Budget:
    return await funding.read(lambda uow: uow.budgets.get(partnership))


def published(funding: Funding) -> list[tuple[str, dict[str, Any]]]:
    rows = sorted(funding.database[OUTBOX].values(), key=lambda row: row["position"])
    events = [orjson.loads(message.value) for row in rows for message in unpack(row)]
    return [(event["type"], event["data"]) for event in events]


async def test_an_approved_match_gets_its_lump_sum_reserved_and_told() -> None:
    funding = transactions()
    (grant,) = await approve(funding, a_match("m1", full=False))
    assert (grant.state, grant.amount) == (GrantState.RESERVED, Decimal("450.00"))
    assert (await budget(funding)).reserved == Decimal("450.00")
    ((wire_type, told),) = published(funding)
    assert wire_type == EventType.GRANT_RESERVED
    assert (told["grant_id"], told["match_id"], told["amount"]) == (grant_id("m1"), "m1", "450.00")
    assert told["receipt"]["sentence"].startswith("EUR 450.00 for a stay in Italy")


async def test_an_approval_that_arrives_again_makes_no_second_grant() -> None:
    funding = transactions()
    for _ in range(3):
        await approve(funding, a_match("m1"))
    assert (await budget(funding)).reserved == Decimal("900.00")
    assert len(published(funding)) == 1


async def test_a_match_approved_again_with_other_dates_changes_no_money() -> None:
    funding = transactions()
    await approve(funding, a_match("m1"))
    with pytest.raises(GrantExists, match="2023-02-13 to 2023-02-17"):
        await approve(funding, a_match("m1", full=False))
    assert (await budget(funding)).reserved == Decimal("900.00")


async def test_what_the_scheme_does_not_pay_is_refused_without_touching_the_budget() -> None:
    funding = transactions()
    (grant,) = await approve(funding, a_match("m1", country="NO", city="Oslo"))
    assert (grant.state, grant.amount) == (GrantState.REFUSED, Decimal("0.00"))
    assert (await budget(funding)).reserved == 0
    ((wire_type, told),) = published(funding)
    assert wire_type == EventType.GRANT_REFUSED
    assert "Norway" in told["receipt"]["sentence"]


async def test_what_is_not_certain_waits_for_a_person_without_touching_the_budget() -> None:
    funding = transactions()
    (grant,) = await approve(funding, a_match("m1", country="DE", city="Neustadt"))
    assert grant.state is GrantState.NEEDS_REVIEW
    assert (await budget(funding)).reserved == 0
    assert published(funding)[0][0] == EventType.GRANT_NEEDS_REVIEW


async def test_matches_of_one_batch_never_reserve_more_than_there_is() -> None:
    funding = transactions(a_partnership(budget="2000.00"))
    grants = await approve(funding, *(a_match(f"m{number}") for number in range(5)))
    assert [grant.state for grant in grants] == [GrantState.RESERVED] * 2 + [GrantState.AWAITING_BUDGET] * 3
    assert [grant.position for grant in grants] == [None, None, 1, 2, 3]
    money = await budget(funding)
    assert (money.reserved, money.available) == (Decimal("1800.00"), Decimal("200.00"))
    assert (money.awaiting, money.awaiting_amount) == (3, Decimal("2700.00"))


async def test_each_partnership_pays_for_its_own_visitors() -> None:
    funding = transactions(a_partnership(budget="900.00"), a_partnership("other", budget="450.00"))
    grants = await approve(
        funding, a_match("m1"), a_match("m2", payer="other", full=False), a_match("m3", payer="other")
    )
    assert [grant.state for grant in grants] == [
        GrantState.RESERVED,
        GrantState.RESERVED,
        GrantState.AWAITING_BUDGET,
    ]


async def test_freed_money_goes_to_who_waited_longest() -> None:
    funding = transactions(a_partnership(budget="900.00"))
    first, second, third = (a_match(f"m{number}") for number in range(3))
    await approve(funding, first)
    await approve(funding, second)
    await approve(funding, third)
    await cancel(funding, first)
    assert await states(funding) == {
        "m0": GrantState.CANCELLED,
        "m1": GrantState.RESERVED,
        "m2": GrantState.AWAITING_BUDGET,
    }
    told = [(wire_type, data["match_id"]) for wire_type, data in published(funding)[-2:]]
    assert sorted(told) == [(EventType.GRANT_CANCELLED, "m0"), (EventType.GRANT_RESERVED, "m1")]
    freed = next(data for kind, data in published(funding) if kind == EventType.GRANT_CANCELLED)
    assert freed["freed"] == "900.00"


async def test_a_small_grant_does_not_overtake_a_large_one_that_waits() -> None:
    funding = transactions(a_partnership(budget="1400.00"))
    await approve(funding, a_match("large-1"))
    await approve(funding, a_match("large-2"))
    await approve(funding, a_match("small", full=False))
    assert await states(funding) == {
        "large-1": GrantState.RESERVED,
        "large-2": GrantState.AWAITING_BUDGET,
        "small": GrantState.AWAITING_BUDGET,
    }


async def test_whoever_gives_up_at_the_head_of_the_queue_lets_the_next_one_through() -> None:
    funding = transactions(a_partnership(budget="1400.00"))
    large = a_match("large-2")
    await approve(funding, a_match("large-1"))
    await approve(funding, large)
    await approve(funding, a_match("small", full=False))
    await cancel(funding, large)
    assert (await states(funding))["small"] is GrantState.RESERVED
    money = await budget(funding)
    assert (money.reserved, money.awaiting, money.awaiting_amount) == (Decimal("1350.00"), 0, Decimal(0))


async def test_one_freed_and_one_queued_in_the_same_batch_find_each_other() -> None:
    funding = transactions(a_partnership(budget="900.00"))
    first, second = a_match("m1"), a_match("m2")
    await approve(funding, first)

    async def batch(uow: FundingUnitOfWork) -> None:
        await asyncio.gather(reserve_lump_sum(uow, second), cancel_grant(uow, a_cancelled_match(first)))

    await funding.run(batch)
    assert await states(funding) == {"m1": GrantState.CANCELLED, "m2": GrantState.RESERVED}


async def test_several_cancelled_in_one_batch_serve_the_queue_in_order() -> None:
    funding = transactions(a_partnership(budget="2700.00"))
    paid = [a_match(f"paid-{number}") for number in range(3)]
    waiting = [a_match(f"waiting-{number:03}") for number in range(120)]
    await approve(funding, *paid)
    await approve(funding, *waiting)
    await cancel(funding, *paid)
    served = [id for id, state in (await states(funding)).items() if state is GrantState.RESERVED]
    assert sorted(served) == ["waiting-000", "waiting-001", "waiting-002"]


async def test_a_raised_budget_serves_the_queue_bit_by_bit_until_it_is_used_up() -> None:
    funding = transactions(a_partnership(budget="0.00"))
    await approve(funding, *(a_match(f"m{number:03}") for number in range(130)))
    raised = a_partnership(budget=str(125 * 900 + 899))
    served: list[int] = []
    while not served or served[-1] == 50:
        served.append(await funding.run(lambda uow: settle_budget(uow, raised, at_most=50)))
    assert served == [50, 50, 25]
    assert (await budget(funding)).available == Decimal(899)
    waiting = [id for id, state in (await states(funding)).items() if state is GrantState.AWAITING_BUDGET]
    assert sorted(waiting) == [f"m{number}" for number in range(125, 130)]


async def test_a_budget_cannot_be_cut_below_what_is_promised() -> None:
    funding = transactions(a_partnership(budget="1000.00"))
    await approve(funding, a_match("m1"))
    with pytest.raises(BudgetBelowReserved, match=r"EUR 900\.00 are reserved"):
        await funding.run(lambda uow: settle_budget(uow, a_partnership(budget="899.99")))
    assert (await budget(funding)).total == Decimal("1000.00")
    await funding.run(lambda uow: settle_budget(uow, a_partnership(budget="900.00")))
    assert (await budget(funding)).available == 0


async def test_a_cancelled_grant_stays_cancelled() -> None:
    funding = transactions()
    match = a_match("m1")
    await approve(funding, match)
    await cancel(funding, match)
    with pytest.raises(GrantStateForbids, match="cancelled already"):
        await cancel(funding, match)
    with pytest.raises(GrantExists, match="does not bring its grant back"):
        await approve(funding, match)
    assert (await budget(funding)).reserved == 0


async def test_an_approval_that_arrives_after_its_cancellation_reserves_nothing() -> None:
    funding = transactions()
    match = a_match("m1")
    await cancel(funding, match)
    with pytest.raises(GrantExists):
        await approve(funding, match)
    assert await states(funding) == {"m1": GrantState.CANCELLED}
    assert published(funding) == []


async def test_a_match_that_was_never_approved_had_no_grant_to_cancel() -> None:
    funding = transactions()
    ended = a_cancelled_match(a_match("m1")).model_copy(update={"was_approved": False})
    assert await funding.run(lambda uow: cancel_grant(uow, ended)) is None
    assert await states(funding) == {}


async def test_a_refused_grant_frees_nothing_when_its_match_ends() -> None:
    funding = transactions()
    match = a_match("m1", country="NO", city="Oslo")
    await approve(funding, match)
    await cancel(funding, match)
    assert published(funding)[-1][1]["freed"] == "0.00"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"visitor": a_party("v", partnership=None)}, NobodyPays),
        ({"visitor": a_party("v", partnership="unheard-of")}, UnknownPartnership),
        (
            {"stay": Window.model_validate({"first_day": "2023-02-17", "last_day": "2023-02-13"})},
            Malformed,
        ),
    ],
)
async def test_a_match_that_makes_no_sense_is_set_aside_with_a_sentence(
    changes: dict[str, Any], error: type[Exception]
) -> None:
    funding = transactions()
    with pytest.raises(error):
        await approve(funding, a_match("m1").model_copy(update=changes))
    assert await states(funding) == {}
