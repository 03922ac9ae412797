"""Payments: two officers, three gates, one payment a grant, one file for good."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.funding.domain.grant import GatesOpen, GrantStateForbids, MatchEnded
from services.funding.domain.payment import (
    DayNotPossible,
    NotInPayment,
    PaymentState,
    PaymentStateForbids,
    SameOfficer,
    end_to_end_id,
)
from services.funding.domain.readiness import PREPARE_WITHOUT_ACCOUNT
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.prepare_payment import NoBankAccount, NothingPayable, NotPayable
from services.funding.use_cases.read_readiness import BoardFilter, read_readiness
from services.funding.use_cases.release_payment import NotReleased, release_payment
from services.funding.use_cases.withdraw_payment import withdraw_payment
from shared.errors import Forbidden, NotFound
from shared.messaging.outbox import unpack
from shared.security import Caller, CallerRole
from tests.builders import a_cancelled_match
from tests.unit.funding.builders import a_match
from tests.unit.funding.paying import AUDITOR, OTHER_STAFF, PREPARER, RELEASER, Desk, a_visitor


@pytest.fixture
def desk() -> Desk:
    return Desk()


def published(desk: Desk) -> list[dict[str, Any]]:
    """All events so far, oldest first."""
    rows = desk.transactions.database["outbox"].values()
    return [json.loads(message.value) for row in rows for message in unpack(row)]


async def test_one_officer_prepares_and_another_releases(desk: Desk) -> None:
    grant = await desk.grant("m1")
    payment = (await desk.prepare(grant)).payment
    assert (await desk.states())[grant] == "prepared"
    with pytest.raises(NotReleased):
        await desk.file(payment)
    with pytest.raises(SameOfficer, match="another officer"):
        await desk.release(payment, by=PREPARER)
    released = await desk.release(payment)
    assert (released.state, released.released_by) == (PaymentState.RELEASED, "officer-b")
    assert (await desk.states())[grant] == "released"
    assert desk.budget() == {"reserved": 0, "committed": 450, "paid": 0}
    types = [event["type"] for event in published(desk)]
    assert sorted(types[-4:-2]) == ["cxc.grant.prepared.v1", "cxc.payment.prepared.v1"]
    assert sorted(types[-2:]) == ["cxc.grant.released.v1", "cxc.payment.released.v1"]


async def test_before_the_three_gates_a_payment_is_refused_naming_those_that_are_open(desk: Desk) -> None:
    grant = await desk.grant("m1", passed=["agreement", "report"])
    with pytest.raises(GatesOpen, match="the evidence") as refusal:
        await desk.prepare(grant)
    assert "the report" not in refusal.value.detail
    assert (await desk.states())[grant] == "committed"
    with pytest.raises(NothingPayable):
        await desk.prepare()


async def test_one_that_cannot_be_paid_keeps_all_named_from_being_prepared_and_each_is_told(
    desk: Desk,
) -> None:
    good = await desk.grant("m1")
    without_account = await desk.grant("m2", account=False)
    open_gate = await desk.grant("m3", passed=["agreement"])
    with pytest.raises(NotPayable) as refusal:
        await desk.prepare(good, without_account, open_gate)
    assert [error["pointer"] for error in refusal.value.errors] == ["/grants/1", "/grants/2"]
    assert set((await desk.states()).values()) == {"payable", "committed"}
    with pytest.raises(NoBankAccount):
        await desk.prepare(without_account)


async def test_all_that_is_payable_leaves_out_those_without_an_account_and_says_so(desk: Desk) -> None:
    await desk.grant("m1")
    await desk.grant("m2", account=False)
    await desk.grant("m3", payer="other")
    prepared = await desk.prepare()
    assert [transfer.grant_id for transfer in prepared.payment.transfers] == ["grant-m1"]
    assert [grant.id for grant in prepared.left_out] == ["grant-m2"]


async def test_the_board_says_that_the_account_is_missing_until_it_is_given(desk: Desk) -> None:
    await desk.grant("m1")
    await desk.grant("m2", account=False)
    lines = await desk.transactions.read(
        lambda uow: read_readiness(uow, BoardFilter(), by=PREPARER, after=None, limit=10)
    )
    said = {line.id: [one.sentence for one in line.missing] for line in lines}
    assert said == {
        "grant-m1": ["The partnership has to prepare the payment."],
        "grant-m2": [PREPARE_WITHOUT_ACCOUNT],
    }


async def test_a_grant_is_in_one_payment_at_a_time(desk: Desk) -> None:
    grant = await desk.grant("m1")
    first = (await desk.prepare(grant)).payment
    with pytest.raises(GrantStateForbids, match=first.id):
        await desk.prepare(grant)
    await desk.release(first)
    with pytest.raises(GrantStateForbids, match=first.id):
        await desk.prepare(grant)


async def test_a_payment_is_released_once(desk: Desk) -> None:
    payment = await desk.released(await desk.grant("m1"))
    file = await desk.file(payment)
    desk.at += timedelta(days=1)
    with pytest.raises(PaymentStateForbids, match="released on 20 February 2023"):
        await desk.release(payment)
    third = Caller("officer-d", CallerRole.STAFF, partnership="hempclub")
    with pytest.raises(PaymentStateForbids):
        await desk.release(payment, by=third)
    assert await desk.file(payment) == file
    assert [event["type"] for event in published(desk)].count("cxc.payment.released.v1") == 1


async def test_the_day_of_execution_is_neither_past_nor_mistyped(desk: Desk) -> None:
    payment = (await desk.prepare(await desk.grant("m1"))).payment
    with pytest.raises(DayNotPossible, match="19 February 2023"):
        await desk.release(payment, on=date(2023, 2, 19))
    with pytest.raises(DayNotPossible, match="to 22 March 2023"):
        await desk.release(payment, on=date(2032, 2, 24))
    released = await desk.release(payment, on=date(2023, 2, 24))
    assert released.execute_on == date(2023, 2, 24)


async def test_a_withdrawn_payment_frees_its_grants_for_another_under_other_names(desk: Desk) -> None:
    grant = await desk.grant("m1")
    first = (await desk.prepare(grant)).payment
    withdrawn = await desk.transactions.run(
        lambda uow: withdraw_payment(uow, first.id, None, reason="Wrong day.", by=RELEASER)
    )
    assert (withdrawn.state, withdrawn.instruction) == (PaymentState.WITHDRAWN, None)
    with pytest.raises(PaymentStateForbids, match="withdrawn"):
        await desk.release(first)
    second = (await desk.prepare(grant)).payment
    assert first.transfers[0].end_to_end_id != second.transfers[0].end_to_end_id


async def test_the_grant_of_a_cancelled_match_is_taken_out_and_the_others_are_released(desk: Desk) -> None:
    ids = [await desk.grant("m1"), await desk.grant("m2")]
    payment = (await desk.prepare(*ids)).payment
    await desk.transactions.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_match("m1", full=False))))
    with pytest.raises(MatchEnded):
        await desk.release(payment)
    with pytest.raises(NotInPayment):
        await desk.transactions.run(
            lambda uow: withdraw_payment(uow, payment.id, ["grant-m9"], reason="No.", by=PREPARER)
        )
    left = await desk.transactions.run(
        lambda uow: withdraw_payment(uow, payment.id, ids[:1], reason="No visit.", by=PREPARER)
    )
    assert (left.state, left.total) == (PaymentState.PREPARED, Decimal("450.00"))
    released = await desk.release(payment)
    assert await desk.states() == {ids[0]: "cancelled", ids[1]: "released"}
    assert released.transfers[0].end_to_end_id in (await desk.file(payment)).decode()


async def test_nobody_but_the_partnerships_own_officers_pays(desk: Desk) -> None:
    grant = await desk.grant("m1")
    for caller in (AUDITOR, a_visitor("m1"), Caller("crm", CallerRole.EXTERNAL, partnership="hempclub")):
        with pytest.raises(Forbidden):
            await desk.prepare(grant, by=caller)
    with pytest.raises(NotFound):
        await desk.prepare(grant, by=OTHER_STAFF)
    payment = (await desk.prepare(grant)).payment
    with pytest.raises(NotFound):
        await desk.release(payment, by=OTHER_STAFF)
    with pytest.raises(Forbidden):
        await desk.release(payment, by=AUDITOR)
    await desk.release(payment)
    with pytest.raises(Forbidden, match="account numbers"):
        await desk.file(payment, by=AUDITOR)
    with pytest.raises(NotFound):
        await desk.file(payment, by=OTHER_STAFF)

    async def seen_by(caller: Caller) -> int:
        return len(await desk.transactions.read(lambda uow: uow.payments.page(caller)))

    intruder = Caller("v", CallerRole.PARTICIPANT, partnership="hempclub", organisation="visitor-m1")
    callers = (PREPARER, AUDITOR, OTHER_STAFF, intruder)
    assert [await seen_by(caller) for caller in callers] == [1, 1, 0, 0]


async def test_a_release_that_is_not_committed_leaves_neither_file_nor_event(desk: Desk) -> None:
    payment = (await desk.prepare(await desk.grant("m1"))).payment
    before = published(desk)

    async def dies(uow: FundingUnitOfWork) -> None:
        await release_payment(uow, payment.id, by=RELEASER, on=None, vault=desk.vault)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await desk.transactions.run(dies)
    assert published(desk) == before
    assert (await desk.payment(payment.id)).file is None
    await desk.release(payment)


def test_an_end_to_end_id_is_the_same_again_and_another_for_another_payment() -> None:
    one = end_to_end_id("p1", "grant-m1")
    assert one == end_to_end_id("p1", "grant-m1")
    assert len({one, end_to_end_id("p2", "grant-m1"), end_to_end_id("p1", "grant-m2")}) == 3
    assert len(one) == 35
