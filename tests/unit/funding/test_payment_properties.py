"""Random histories of officers and a bank that is slow and repeats itself: nobody is paid twice."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.funding.bank_messages import read_bank_message
from services.funding.domain.payment import Payment, PaymentState, TransferState
from services.funding.use_cases.apply_bank_answers import apply_bank_answers
from services.funding.use_cases.withdraw_payment import withdraw_payment
from shared.errors import RuleBroken
from shared.storage.driver import Document
from tests.unit.funding.paying import (
    PREPARER,
    RELEASER,
    Desk,
    a_notification,
    a_status,
    a_status_report,
    an_entry,
)

GRANTS = 2


class Prepare(NamedTuple):
    grants: frozenset[int]


class Release(NamedTuple):
    payment: int


class Withdraw(NamedTuple):
    payment: int


class Carry(NamedTuple):
    """The bank carries a file out, or rejects it; or it sends money back that it had paid."""

    payment: int
    how: str


class Tell(NamedTuple):
    """One of the bank's messages, old or new, is taken in."""

    message: int


some = st.integers(0, 2)
steps = st.one_of(
    st.builds(Prepare, st.frozensets(st.integers(0, GRANTS - 1), min_size=1)),
    st.builds(Release, some),
    st.builds(Withdraw, some),
    st.builds(Carry, some, st.sampled_from(["pay", "reject", "return"])),
    st.builds(Tell, st.integers(0, 5)),
)


@dataclass
class Bank:
    """What it did with each transfer, and every message it ever sent."""

    did: dict[str, str] = field(default_factory=dict)
    messages: list[bytes] = field(default_factory=list)

    def carry(self, payment: Payment, how: str) -> None:
        for transfer in payment.transfers:
            name = transfer.end_to_end_id
            match self.did.get(name), how:
                case None, "pay":
                    self.did[name] = "paid"
                    self.messages.append(a_notification(an_entry(name)))
                case None, "reject":
                    self.did[name] = "rejected"
                    self.messages.append(a_status_report("x", a_status(name, "RJCT", "AC04")))
                case "paid", "return":
                    self.did[name] = "returned"
                    self.messages.append(a_notification(an_entry(name, side="CRDT", returned="AC04")))

    def holds(self, names: Sequence[str]) -> int:
        """How many of these transfers the payee has the money of."""
        return sum(self.did.get(name) == "paid" for name in names)


@pytest.fixture(scope="module")
async def grants() -> dict[str, dict[str, Document]]:
    """A database of grants that can be paid."""
    desk = Desk()
    for number in range(GRANTS):
        await desk.grant(f"m{number}")
    return desk.transactions.database.collections


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, min_size=25, max_size=50))
def test_no_visitor_ever_has_the_money_twice(
    grants: dict[str, dict[str, Document]], history: Sequence[object]
) -> None:
    asyncio.run(_live_through(copy.deepcopy(grants), history))


async def _live_through(stored: dict[str, dict[str, Document]], history: Sequence[object]) -> None:
    desk, bank = Desk(), Bank()
    ids: list[str] = []
    desk.transactions.database.collections = stored
    grants = sorted(stored["grants"])

    async def payment(number: int) -> Payment | None:
        return await desk.payment(ids[number % len(ids)]) if ids else None

    for step in history:
        with suppress(RuleBroken):
            match step:
                case Prepare():
                    ids.append((await desk.prepare(*(grants[number] for number in step.grants))).payment.id)
                case Release() if (found := await payment(step.payment)) is not None:
                    await desk.release(found)
                case Withdraw() if (found := await payment(step.payment)) is not None:
                    id = found.id
                    await desk.transactions.run(
                        lambda uow, id=id: withdraw_payment(uow, id, None, reason="No.", by=PREPARER)  # type: ignore[misc]
                    )
                case Carry() if (found := await payment(step.payment)) is not None:
                    # A bank has what was released, and nothing else.
                    if found.state in (PaymentState.RELEASED, PaymentState.SETTLED):
                        bank.carry(found, step.how)
                case Tell() if bank.messages:
                    await _tell(desk, bank.messages[step.message % len(bank.messages)])
        await _holds(desk, bank, [await desk.payment(id) for id in ids])
    for message in bank.messages:
        await _tell(desk, message)
    known = [transfer for id in ids for transfer in (await desk.payment(id)).transfers]
    assert {one.end_to_end_id: one.state.value for one in known if one.end_to_end_id in bank.did} == bank.did


async def _tell(desk: Desk, message: bytes) -> None:
    answers = read_bank_message(message)
    await desk.transactions.run(lambda uow: apply_bank_answers(uow, answers, by=RELEASER))


async def _holds(desk: Desk, bank: Bank, payments: Sequence[Payment]) -> None:
    transfers = [transfer for payment in payments for transfer in payment.transfers]
    paid = Decimal("0.00")
    for id, grant in (await desk.grants()).items():
        own = [transfer for transfer in transfers if transfer.grant_id == id]
        assert bank.holds([transfer.end_to_end_id for transfer in own]) <= 1
        assert sum(transfer.state is TransferState.PAID for transfer in own) == (grant.state.value == "paid")
        paid += grant.amount if grant.state.value == "paid" else 0
    assert desk.budget()["paid"] == paid
