"""The way to the money as the visiting organisation sees it."""

from __future__ import annotations

from typing import Any

from services.console.domain.own_grant import Step, commitment_step, own_steps


def a_grant(state: str = "reserved", **more: Any) -> dict[str, Any]:
    gates = {
        name: {"state": "waits_for_visitor", "since": None} for name in ("agreement", "report", "evidence")
    }
    nothing = {"due": None, "paid_on": None, "sentence": "EUR 450.00"}
    return {"id": "grant-1", "state": state, "gates": gates, **nothing, **more}


def steps(grant: dict[str, Any], *, has_account: bool = False) -> list[Step]:
    return own_steps(grant, has_account=has_account, say=str, day=lambda day: f"day {day}")


def test_at_first_everything_but_the_payment_is_the_visitors_turn() -> None:
    found = steps(a_grant())
    assert [step.kind for step in found] == ["done", "now", "now", "now", "now", "next"]
    assert [step.yours for step in found] == [False, True, True, True, True, False]


def test_what_is_handed_in_is_the_partnerships_turn() -> None:
    grant = a_grant()
    grant["gates"]["report"]["state"] = "waits_for_partnership"
    report = steps(grant)[3]
    assert (report.kind, report.yours, report.who) == ("now", False, "Your partnership")


def test_without_a_certain_amount_there_is_nothing_to_sign_yet() -> None:
    amount, agreement, account, *_ = steps(a_grant("awaiting_budget"))
    assert (amount.kind, agreement.kind, account.kind) == ("now", "next", "next")
    assert steps(a_grant("needs_review"))[0].text == "EUR 450.00"


def test_the_payment_says_when_it_is_due_and_when_it_was_made() -> None:
    assert steps(a_grant("payable", due="2027-03-02"))[-1].text == "Due by day 2027-03-02."
    assert steps(a_grant("released", due="2027-03-02"))[-1].text == "The bank has the order."
    assert steps(a_grant("paid", paid_on="2027-03-01"))[-1].kind == "done"


def test_an_exchange_that_ended_has_no_way_to_the_money() -> None:
    assert steps(a_grant("cancelled")) == []


def test_a_commitment_is_whose_turn_it_is_by_the_signatures() -> None:
    commitment = {"match_id": "m", "state": "open", "missing": ["HO", "VOP"]}
    assert commitment_step(commitment, "host", say=str).yours
    assert not commitment_step(commitment, "visitor", say=str).yours
    done = commitment_step({**commitment, "state": "complete", "missing": []}, "host", say=str)
    assert done.kind == "done"
