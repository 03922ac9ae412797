"""The way of a lump sum to its payment, as staff see it."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.console.domain.road import Step, road

TODAY = date(2023, 2, 20)


def a_grant(
    state: str, agreement: str = "passed", report: str = "passed", evidence: str = "passed"
) -> dict[str, Any]:
    def gate(state: str) -> dict[str, str]:
        return {"state": state, "since": "2023-02-18T09:00:00Z"}

    return {
        "id": "grant-m1",
        "state": state,
        "gates": {"agreement": gate(agreement), "report": gate(report), "evidence": gate(evidence)},
        "stay": {"first_day": "2023-02-14", "last_day": "2023-02-16"},
        "real_stay": None,
        "payment_id": None,
        "paid_on": None,
        "due": None,
        "reason": None,
        "sentence": "EUR 450.00",
    }


def steps(grant: dict[str, Any], today: date = TODAY) -> list[Step]:
    return road(grant, today=today, say=str, day=str)


def kinds(grant: dict[str, Any], today: date = TODAY) -> list[str]:
    return [step.kind for step in steps(grant, today)]


def test_what_waits_for_the_partnership_is_now() -> None:
    grant = a_grant("committed", report="waits_for_partnership", evidence="waits_for_visitor")
    assert kinds(grant) == ["done", "done", "done", "now", "next", "next", "next", "next"]


def test_where_nothing_waits_for_the_partnership_the_first_open_step_is_now() -> None:
    grant = a_grant("reserved", *["waits_for_visitor"] * 3)
    assert kinds(grant, date(2023, 1, 1)) == ["done", "now", *["next"] * 6]


def test_a_payable_one_is_to_be_prepared() -> None:
    now = [step for step in steps(a_grant("payable")) if step.kind == "now"]
    assert [(step.title, step.href) for step in now] == [("Payment prepared", "/payments")]


def test_it_says_by_when_it_is_to_be_paid_until_it_is() -> None:
    told = [step.text for step in steps(a_grant("payable") | {"due": "2023-03-02"}) if step.text]
    assert told == ["To be paid by 2023-03-02"]
    paid = a_grant("paid") | {"due": "2023-03-02", "paid_on": "2023-03-01", "payment_id": "p1"}
    assert not any(step.text for step in steps(paid))


def test_a_prepared_one_leads_to_its_payment() -> None:
    grant = a_grant("prepared") | {"payment_id": "p1"}
    (now,) = [step for step in steps(grant) if step.kind == "now"]
    assert (now.title, now.href) == ("Released by a second officer", "/payments/p1")


def test_of_a_paid_one_all_is_done() -> None:
    assert set(kinds(a_grant("paid") | {"payment_id": "p1", "paid_on": "2023-03-01"})) == {"done"}


def test_what_needs_a_decision_leads_to_where_it_is_settled() -> None:
    first = steps(a_grant("needs_review", *["waits_for_visitor"] * 3))[0]
    assert (first.kind, first.href) == ("now", "/grants/grant-m1/settlement")


def test_of_a_cancelled_one_nothing_is_to_come() -> None:
    (only,) = steps(a_grant("cancelled") | {"reason": "The host withdrew."})
    assert (only.kind, only.text) == ("done", "The host withdrew.")
