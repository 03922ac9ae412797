"""A payment that is late: whoever has to act is told of it, once for each last day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.funding.domain.grant import Grant, GrantStateForbids
from shared.contracts.funding import GrantPaymentOverdue
from shared.contracts.vocabulary import GateState, GrantState
from tests.unit.funding.builders import a_lump_sum, a_match

AT = datetime(2023, 1, 25, 9, 30, tzinfo=UTC)
LAST_DAY = date(2023, 2, 4)
"""Ten days after all gates were passed."""


def a_payable_grant() -> Grant:
    grant = Grant.reserved(a_match("m1"), "hempclub", a_lump_sum(), at=AT)
    for gate in ("agreement", "report", "evidence"):
        grant.turn_gate(gate, GateState.PASSED, at=AT)
    return grant


def told(grant: Grant) -> list[GrantPaymentOverdue]:
    return [
        recorded.event for recorded in grant.recorded() if isinstance(recorded.event, GrantPaymentOverdue)
    ]


def test_it_is_due_on_the_last_day_and_overdue_on_the_next() -> None:
    grant = a_payable_grant()
    assert grant.due == LAST_DAY
    assert not grant.is_newly_overdue(LAST_DAY)
    assert grant.is_newly_overdue(date(2023, 2, 5))


def test_it_is_told_once_with_both_days_and_how_far_it_has_come() -> None:
    grant = a_payable_grant()
    grant.prepare("payment-1")
    grant.tell_overdue()
    [event] = told(grant)
    assert (event.state, event.payment_id) == (GrantState.PREPARED, "payment-1")
    assert (event.due, event.strict_due) == (LAST_DAY, date(2023, 2, 27))
    assert not grant.is_newly_overdue(date(2023, 3, 1))


def test_a_gate_opened_and_passed_again_gives_another_last_day_of_which_it_is_told_again() -> None:
    grant = a_payable_grant()
    grant.tell_overdue()
    later = AT.replace(month=3, day=1)
    grant.turn_gate("evidence", GateState.WAITS_FOR_VISITOR, at=later)
    assert not grant.is_newly_overdue(date(2023, 4, 1))
    grant.turn_gate("evidence", GateState.PASSED, at=later)
    assert grant.due == date(2023, 3, 11)
    assert grant.is_newly_overdue(date(2023, 3, 12))


@pytest.mark.parametrize("state", ["waits", "paid"])
def test_one_that_is_paid_or_waits_for_a_gate_is_not_overdue(state: str) -> None:
    grant = a_payable_grant()
    if state == "paid":
        grant.prepare("payment-1")
        grant.release()
        grant.mark_paid(LAST_DAY, "reference-1")
    else:
        grant.turn_gate("report", GateState.WAITS_FOR_PARTNERSHIP, at=AT)
    assert not grant.is_newly_overdue(date(2023, 6, 1))
    with pytest.raises(GrantStateForbids):
        grant.tell_overdue()
