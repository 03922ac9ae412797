"""A grant's way to the bank and back: gates, recalculation, payment, what a cancelled match leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args

import orjson
import pytest

from services.funding.domain.budget import Budget, BudgetExceeded
from services.funding.domain.grant import (
    GatesOpen,
    Grant,
    GrantStateForbids,
    LumpSumUncertain,
    MatchEnded,
    RecoveryNoted,
    RecoveryTooLarge,
    grant_id,
)
from services.funding.domain.lump_sum import LumpSum
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.erase_grants import erase_grants
from services.funding.use_cases.recalculate_grant import recalculate_grant
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from shared.contracts.common import ERASED, Window
from shared.contracts.types import EventType
from shared.contracts.vocabulary import GateName, GateState, GrantState
from shared.errors import RuleBroken
from shared.messaging.outbox import unpack
from shared.storage.store import OUTBOX
from tests.builders import a_cancelled_match
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import a_lump_sum, a_match, a_partnership, hosted_in, transactions

Funding = MemoryTransactions[FundingUnitOfWork]
Step = Callable[[Grant], None]

PASSED = datetime(2023, 2, 20, 15, 30, tzinfo=UTC)
REAL = Window(first_day=date(2023, 2, 14), last_day=date(2023, 2, 16))
WAITS = GateState.WAITS_FOR_VISITOR


def gate(name: GateName, state: GateState = GateState.PASSED) -> Step:
    return lambda grant: grant.turn_gate(name, state, at=PASSED)


def agree(grant: Grant) -> None:
    gate("agreement")(grant)


def pass_all(grant: Grant) -> None:
    for name in get_args(GateName):
        gate(name)(grant)


def prepare(grant: Grant) -> None:
    pass_all(grant)
    grant.prepare("p-1")


def release(grant: Grant) -> None:
    prepare(grant)
    grant.release()


def pay(grant: Grant) -> None:
    release(grant)
    grant.mark_paid(date(2023, 2, 23), "CXC-1")


def recover(grant: Grant) -> None:
    pay(grant)
    grant.recover(Decimal("900.00"), "No visit.")


STATES: dict[GrantState, Step] = {
    GrantState.RESERVED: lambda grant: None,
    GrantState.COMMITTED: agree,
    GrantState.PAYABLE: pass_all,
    GrantState.PREPARED: prepare,
    GrantState.RELEASED: release,
    GrantState.PAID: pay,
    GrantState.RECOVERED: recover,
    GrantState.CANCELLED: lambda grant: grant.cancel("No visit."),
}


async def approve(funding: Funding, *ids: str) -> None:
    for id in ids:
        await funding.run(lambda uow, id=id: reserve_lump_sum(uow, a_match(id)))  # type: ignore[misc]


async def with_grant(funding: Funding, step: Step, id: str = "m1") -> Grant:
    async def work(uow: FundingUnitOfWork) -> Grant:
        grant = await uow.grants.get(grant_id(id))
        step(grant)
        return grant

    return await funding.run(work)


async def in_state(state: GrantState, budget: str = "64000.00") -> Funding:
    """A funding service with one grant of EUR 900.00, m1, in that state."""
    funding = transactions(a_partnership(budget=budget))
    await approve(funding, "m1")
    grant = await with_grant(funding, STATES[state])
    assert grant.state is state
    return funding


async def recalculate(funding: Funding, lump_sum: LumpSum, real: Window | None = None) -> Grant:
    async def work(uow: FundingUnitOfWork) -> Grant:
        grant = await uow.grants.get(grant_id("m1"))
        return await recalculate_grant(
            uow, grant, lump_sum, real_stay=real, reason="These are the real days."
        )

    return await funding.run(work)


async def cancel(funding: Funding, id: str = "m1") -> Grant | None:
    return await funding.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_match(id))))


async def the_grant(funding: Funding, id: str = "m1") -> Grant:
    return await funding.read(lambda uow: uow.grants.get(grant_id(id)))


async def money(funding: Funding) -> dict[str, str]:
    """What is not nothing of HempClub's budget, beside what is available."""
    budget: Budget = await funding.read(lambda uow: uow.budgets.get("hempclub"))
    figures = {"reserved": budget.reserved, "committed": budget.committed, "paid": budget.paid}
    assert budget.available == budget.total - sum(figures.values())
    return {account: str(amount) for account, amount in figures.items() if amount}


def told(funding: Funding) -> list[tuple[str, dict[str, Any]]]:
    rows = sorted(funding.database[OUTBOX].values(), key=lambda row: row["position"])
    events = [orjson.loads(message.value) for row in rows for message in unpack(row)]
    return [(event["type"], event["data"]) for event in events]


def types(funding: Funding) -> list[str]:
    return [wire_type for wire_type, _ in told(funding)]


# ── gates ────────────────────────────────────────────────────────────────────────────────────


async def test_the_signed_agreement_commits_the_amount() -> None:
    funding = await in_state(GrantState.COMMITTED)
    assert await money(funding) == {"committed": "900.00"}
    assert types(funding) == [EventType.GRANT_RESERVED, EventType.GRANT_COMMITTED]


async def test_the_last_gate_makes_it_payable_within_ten_days_of_it() -> None:
    funding = await in_state(GrantState.PAYABLE)
    grant = await the_grant(funding)
    assert (grant.due, grant.strict_due) == (date(2023, 3, 2), date(2023, 2, 27))
    assert grant.gates.passed_at == PASSED
    wire_type, data = told(funding)[-1]
    assert (wire_type, data["due"], data["strict_due"]) == (
        EventType.GRANT_PAYABLE,
        "2023-03-02",
        "2023-02-27",
    )
    assert await money(funding) == {"committed": "900.00"}


async def test_gates_are_passed_in_any_order() -> None:
    funding = transactions()
    await approve(funding, "m1")
    for name in ("evidence", "report"):
        assert (await with_grant(funding, gate(name))).state is GrantState.RESERVED
    assert (await with_grant(funding, gate("agreement"))).state is GrantState.PAYABLE
    assert types(funding)[-2:] == [EventType.GRANT_COMMITTED, EventType.GRANT_PAYABLE]


async def test_a_gate_that_stands_so_already_changes_nothing() -> None:
    funding = await in_state(GrantState.COMMITTED)
    before = await the_grant(funding)
    await with_grant(funding, gate("agreement"))
    assert (await the_grant(funding)).version == before.version


@pytest.mark.parametrize(
    ("name", "state", "account"),
    [("agreement", GrantState.RESERVED, "reserved"), ("evidence", GrantState.COMMITTED, "committed")],
)
async def test_a_gate_that_is_open_again_takes_back_what_it_had_allowed(
    name: GateName, state: GrantState, account: str
) -> None:
    funding = await in_state(GrantState.PAYABLE)
    grant = await with_grant(
        funding, lambda grant: grant.turn_gate(name, WAITS, at=PASSED, reason="Unsigned.")
    )
    assert (grant.state, grant.due, grant.gates.passed_at) == (state, None, None)
    assert await money(funding) == {account: "900.00"}
    wire_type, data = told(funding)[-1]
    assert (wire_type, data["gate"], data["waits_for"], data["reason"]) == (
        EventType.GRANT_REOPENED,
        name,
        "visitor",
        "Unsigned.",
    )
    assert (await with_grant(funding, pass_all)).state is GrantState.PAYABLE


async def test_who_waits_for_budget_may_report_but_signs_nothing() -> None:
    funding = transactions(a_partnership(budget="0.00"))
    await approve(funding, "m1")
    await with_grant(funding, gate("report"))
    with pytest.raises(GrantStateForbids, match="awaiting budget"):
        await with_grant(funding, agree)


async def test_a_payment_is_refused_naming_each_gate_that_is_open() -> None:
    funding = await in_state(GrantState.COMMITTED)
    await with_grant(funding, gate("report", GateState.WAITS_FOR_PARTNERSHIP))
    with pytest.raises(GatesOpen) as refused:
        await with_grant(funding, lambda grant: grant.prepare("p-1"))
    assert refused.value.detail == (
        "Grant grant-m1 cannot be paid yet: the report waits for the partnership, the evidence waits for the "
        "visitor."
    )


# ── the amount ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("state", "account"),
    [
        (GrantState.RESERVED, "reserved"),
        (GrantState.COMMITTED, "committed"),
        (GrantState.PAYABLE, "committed"),
    ],
)
async def test_a_smaller_amount_frees_the_difference_and_says_what_makes_it(
    state: GrantState, account: str
) -> None:
    funding = await in_state(state)
    grant = await recalculate(funding, a_lump_sum(last_day="2023-02-15"), REAL)
    assert (grant.state, grant.amount, grant.real_stay, grant.days) == (state, Decimal("450.00"), REAL, REAL)
    assert await money(funding) == {account: "450.00"}
    wire_type, data = told(funding)[-1]
    assert (wire_type, data["change"], data["amount_before"], data["amount"]) == (
        EventType.GRANT_RECALCULATED,
        "less",
        "900.00",
        "450.00",
    )
    assert data["difference"] == (
        "EUR 450.00 instead of EUR 900.00, EUR 450.00 less: 3 working days instead of 5; too few working "
        "days for the full rate."
    )
    if state is GrantState.PAYABLE:
        assert (grant.due, grant.strict_due) == (date(2023, 3, 2), date(2023, 2, 26))


async def test_freed_by_a_smaller_amount_money_goes_to_who_waits() -> None:
    funding = await in_state(GrantState.RESERVED, budget="1350.00")
    await approve(funding, "m2")
    assert (await the_grant(funding, "m2")).state is GrantState.AWAITING_BUDGET
    await recalculate(funding, a_lump_sum(last_day="2023-02-15"))
    assert (await the_grant(funding, "m2")).state is GrantState.RESERVED
    assert await money(funding) == {"reserved": "1350.00"}


async def test_more_than_the_budget_has_is_refused_and_changes_nothing() -> None:
    funding = await in_state(GrantState.COMMITTED, budget="1000.00")
    await recalculate(funding, a_lump_sum(last_day="2023-02-15"))
    await funding.run(lambda uow: reserve_lump_sum(uow, a_match("m2", full=False)))
    before, events = await the_grant(funding), len(told(funding))
    with pytest.raises(BudgetExceeded, match=r"EUR 450\.00 more, and EUR 100\.00 are left.*Raise the budget"):
        await recalculate(funding, a_lump_sum())
    assert await the_grant(funding) == before
    assert len(told(funding)) == events


async def test_a_promise_made_is_corrected_from_what_is_free_before_others_are_served() -> None:
    funding = await in_state(GrantState.RESERVED, budget="1349.00")
    await recalculate(funding, a_lump_sum(last_day="2023-02-15"))
    await approve(funding, "m2")
    await recalculate(funding, a_lump_sum(agreed_amount="899.00"))
    assert await money(funding) == {"reserved": "899.00"}
    assert (await the_grant(funding, "m2")).state is GrantState.AWAITING_BUDGET


async def test_days_that_are_not_eligible_free_all_of_it() -> None:
    funding = await in_state(GrantState.PAYABLE)
    grant = await recalculate(funding, a_lump_sum(last_day="2023-02-14"), REAL)
    assert (grant.state, grant.amount, grant.due) == (GrantState.REFUSED, Decimal("0.00"), None)
    assert await money(funding) == {}
    assert types(funding)[-2:] == [EventType.GRANT_RECALCULATED, EventType.GRANT_REFUSED]


async def test_an_amount_in_doubt_takes_no_other_ones_place() -> None:
    funding = await in_state(GrantState.COMMITTED)
    with pytest.raises(LumpSumUncertain, match="Complete the facts"):
        await recalculate(funding, hosted_in("DE", "Neustadt"))
    assert await money(funding) == {"committed": "900.00"}


@pytest.mark.parametrize("budget", ["64000.00", "899.99"])
async def test_a_settled_doubt_gets_its_amount_or_a_place_in_the_queue(budget: str) -> None:
    funding = transactions(a_partnership(budget=budget))
    match = a_match("m1", country="DE", city="Neustadt")
    await funding.run(lambda uow: reserve_lump_sum(uow, match))
    grant = await recalculate(funding, a_lump_sum())
    rich = budget == "64000.00"
    assert grant.state is (GrantState.RESERVED if rich else GrantState.AWAITING_BUDGET)
    assert grant.position == (None if rich else 1)
    assert await money(funding) == ({"reserved": "900.00"} if rich else {})
    assert told(funding)[-2][1]["change"] == "settled"


async def test_a_smaller_amount_lets_a_grant_that_waits_in() -> None:
    funding = transactions(a_partnership(budget="500.00"))
    await approve(funding, "m1")
    await recalculate(funding, a_lump_sum(last_day="2023-02-15"))
    assert (await the_grant(funding)).state is GrantState.RESERVED
    assert await money(funding) == {"reserved": "450.00"}


async def test_an_approval_that_comes_again_after_the_real_days_is_the_same() -> None:
    funding = await in_state(GrantState.PAYABLE)
    await recalculate(funding, a_lump_sum(last_day="2023-02-15"), REAL)
    before = await the_grant(funding)
    await approve(funding, "m1")
    assert await the_grant(funding) == before


# ── the payment ──────────────────────────────────────────────────────────────────────────────


async def test_only_the_banks_word_makes_it_paid() -> None:
    funding = await in_state(GrantState.RELEASED)
    assert await money(funding) == {"committed": "900.00"}
    await with_grant(funding, lambda grant: grant.mark_paid(date(2023, 2, 23), "CXC-1"))
    assert await money(funding) == {"paid": "900.00"}
    assert types(funding)[-4:] == [
        EventType.GRANT_PAYABLE,
        EventType.GRANT_PREPARED,
        EventType.GRANT_RELEASED,
        EventType.GRANT_PAID,
    ]


@pytest.mark.parametrize("state", [GrantState.RELEASED, GrantState.PAID])
async def test_what_the_bank_sends_back_is_payable_once_more(state: GrantState) -> None:
    funding = await in_state(state)
    grant = await with_grant(funding, lambda grant: grant.mark_failed("The account is closed."))
    assert (grant.state, grant.payment_id, grant.paid_on) == (GrantState.PAYABLE, None, None)
    assert await money(funding) == {"committed": "900.00"}
    await with_grant(funding, lambda grant: grant.prepare("p-2"))


IN_A_PAYMENT = {
    GrantState.PREPARED: "take it out of the payment first",
    GrantState.RELEASED: "only the bank's answer changes that",
    GrantState.PAID: "can only be claimed back",
}


@pytest.mark.parametrize("state", IN_A_PAYMENT)
@pytest.mark.parametrize(
    "step",
    [
        lambda grant: grant.prepare("p-2"),
        lambda grant: grant.turn_gate("report", WAITS, at=PASSED),
        lambda grant: grant.recalculate(a_lump_sum(), at=PASSED, reason="So."),
        lambda grant: grant.cancel("No visit."),
    ],
    ids=["prepare", "turn a gate", "recalculate", "cancel"],
)
async def test_money_in_a_payment_stays_as_it_is_and_the_answer_says_what_to_do(
    state: GrantState, step: Step
) -> None:
    funding = await in_state(state)
    before = await money(funding), await the_grant(funding)
    with pytest.raises(GrantStateForbids, match=IN_A_PAYMENT[state]):
        await with_grant(funding, step)
    assert (await money(funding), await the_grant(funding)) == before


@pytest.mark.parametrize("state", STATES)
async def test_each_step_of_a_payment_has_one_place(state: GrantState) -> None:
    allowed = {
        GrantState.PAYABLE: {"prepare"},
        GrantState.PREPARED: {"unprepare", "release"},
        GrantState.RELEASED: {"paid", "failed"},
        GrantState.PAID: {"failed", "recover", "claim"},
    }
    steps: dict[str, Step] = {
        "prepare": lambda grant: grant.prepare("p-2"),
        "unprepare": lambda grant: grant.unprepare("Wrong account."),
        "release": lambda grant: grant.release(),
        "paid": lambda grant: grant.mark_paid(date(2023, 2, 23), "CXC-1"),
        "failed": lambda grant: grant.mark_failed("Closed."),
        "recover": lambda grant: grant.recover(Decimal(1), "No visit."),
        "claim": lambda grant: grant.claim_back(Decimal(1), "No visit.", return_by=date(2023, 4, 1)),
    }
    done = set()
    for name, step in steps.items():
        funding = await in_state(state)
        try:
            await with_grant(funding, step)
        except RuleBroken:
            continue
        done.add(name)
    assert done == allowed.get(state, set())


# ── money that comes back ────────────────────────────────────────────────────────────────────


async def test_what_comes_back_in_parts_is_free_again_and_recovered_when_all_is_back() -> None:
    funding = await in_state(GrantState.PAID, budget="900.00")
    await approve(funding, "m2")
    grant = await with_grant(
        funding, lambda grant: grant.claim_back(Decimal("900.00"), "No visit.", return_by=date(2023, 4, 5))
    )
    assert (grant.claimed, await money(funding)) == (Decimal("900.00"), {"paid": "900.00"})
    grant = await with_grant(
        funding, lambda grant: grant.recover(Decimal("300.00"), "No visit.", reference="NTRF-1")
    )
    assert (grant.state, grant.claimed) == (GrantState.PAID, Decimal("600.00"))
    assert await money(funding) == {"paid": "600.00"}
    grant = await with_grant(
        funding, lambda grant: grant.recover(Decimal("600.00"), "No visit.", reference="NTRF-2")
    )
    assert grant.state is GrantState.RECOVERED
    assert await money(funding) == {"reserved": "900.00"}
    assert (await the_grant(funding, "m2")).state is GrantState.RESERVED
    assert [data["left"] for kind, data in told(funding) if kind == EventType.GRANT_RECOVERED] == [
        "600.00",
        "0.00",
    ]


async def test_a_return_is_noted_once_and_never_more_than_was_paid() -> None:
    funding = await in_state(GrantState.PAID)
    back = lambda grant: grant.recover(Decimal("300.00"), "No visit.", reference="NTRF-1")  # noqa: E731
    await with_grant(funding, back)
    with pytest.raises(RecoveryNoted, match="NTRF-1"):
        await with_grant(funding, back)
    for amount in ("600.01", "0.00", "-1.00"):
        with pytest.raises(RecoveryTooLarge, match=r"EUR 600\.00"):
            await with_grant(funding, lambda grant, more=amount: grant.recover(Decimal(more), "So."))  # type: ignore[misc]
    with pytest.raises(GrantStateForbids, match="as recovered"):
        await with_grant(funding, lambda grant: grant.mark_failed("Sent back."))
    assert await money(funding) == {"paid": "600.00"}


# ── a match that ends ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", [GrantState.RESERVED, GrantState.COMMITTED, GrantState.PAYABLE])
async def test_a_match_that_ends_before_the_payment_frees_its_money_for_the_next(state: GrantState) -> None:
    funding = await in_state(state, budget="900.00")
    await approve(funding, "m2")
    await cancel(funding)
    assert (await the_grant(funding)).state is GrantState.CANCELLED
    assert (await the_grant(funding, "m2")).state is GrantState.RESERVED
    assert await money(funding) == {"reserved": "900.00"}
    freed = next(data for kind, data in told(funding) if kind == EventType.GRANT_CANCELLED)
    assert freed["freed"] == "900.00"


@pytest.mark.parametrize("state", IN_A_PAYMENT)
async def test_a_match_that_ends_during_the_payment_moves_no_money_and_is_told(state: GrantState) -> None:
    funding = await in_state(state)
    before = await money(funding)
    grant = await cancel(funding)
    assert grant is not None
    assert (grant.state, grant.reason) == (state, "The visitor cannot travel.")
    assert await money(funding) == before
    wire_type, data = told(funding)[-1]
    assert (wire_type, data["state"], data["amount"]) == (EventType.GRANT_MATCH_ENDED, state, "900.00")
    with pytest.raises(GrantStateForbids, match="noted already"):
        await cancel(funding)


async def test_a_match_that_ends_after_all_came_back_changes_nothing() -> None:
    funding = await in_state(GrantState.RECOVERED)
    before = await the_grant(funding)
    await cancel(funding)
    assert await the_grant(funding) == before


async def test_a_prepared_grant_whose_match_ended_is_not_released_and_cancelled_when_taken_out() -> None:
    funding = await in_state(GrantState.PREPARED)
    await cancel(funding)
    with pytest.raises(MatchEnded, match="take the grant out of the payment"):
        await with_grant(funding, lambda grant: grant.release())
    grant = await with_grant(funding, lambda grant: grant.unprepare("No visit."))
    assert grant.state is GrantState.CANCELLED
    assert await money(funding) == {}
    assert types(funding)[-2:] == [EventType.GRANT_UNPREPARED, EventType.GRANT_CANCELLED]


@pytest.mark.parametrize("state", [GrantState.RELEASED, GrantState.PAID])
async def test_money_the_bank_sends_back_for_a_match_that_ended_is_free(state: GrantState) -> None:
    funding = await in_state(state, budget="900.00")
    await approve(funding, "m2")
    await cancel(funding)
    grant = await with_grant(funding, lambda grant: grant.mark_failed("Stopped."))
    assert grant.state is GrantState.CANCELLED
    assert (await the_grant(funding, "m2")).state is GrantState.RESERVED
    assert await money(funding) == {"reserved": "900.00"}


# ── what is stored ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", STATES)
async def test_a_visitor_keeps_its_name_where_money_is_or_was_its(state: GrantState) -> None:
    funding = await in_state(state)
    before = await the_grant(funding)
    await funding.run(lambda uow: erase_grants(uow, "visitor-m1"))
    grant = await the_grant(funding)
    named = state is not GrantState.CANCELLED
    assert grant.visitor.organisation == (before.visitor.organisation if named else ERASED)
    assert (grant.visitor.email, grant.amount, grant.holding) == ("", before.amount, before.holding)


async def test_grants_of_two_in_one_transaction_are_booked_each_for_itself() -> None:
    funding = transactions(a_partnership(budget="2700.00"))
    await approve(funding, "m1", "m2", "m3")

    async def all_at_once(uow: FundingUnitOfWork) -> None:
        grants = await uow.grants.get_all(grant_id(f"m{number}") for number in (1, 2, 3))
        for grant, step in zip(grants, (pay, agree, pass_all), strict=True):
            step(grant)

    await funding.run(all_at_once)
    assert await money(funding) == {"committed": "1800.00", "paid": "900.00"}
    await cancel(funding, "m2")
    await cancel(funding, "m3")
    assert await money(funding) == {"paid": "900.00"}


async def test_a_grant_from_before_there_were_gates_is_read_and_goes_on() -> None:
    funding = transactions()
    await approve(funding, "m1")
    document = funding.database[Grant.COLLECTION][grant_id("m1")]
    new = {"gates", "due", "strict_due", "real_stay", "payment_id", "paid_on", "reference", "claimed"}
    for field in new | {"recovered", "returns", "match_ended", "counted", "board"}:
        document.pop(field, None)
    grant = await the_grant(funding)
    assert (grant.gates.report.state, grant.gates.report.since) == (WAITS, datetime(2023, 2, 13, tzinfo=UTC))
    await with_grant(funding, pay)
    assert await money(funding) == {"paid": "900.00"}
