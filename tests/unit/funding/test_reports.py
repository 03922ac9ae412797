"""The visitor's report: written, submitted, returned, validated, counted, and asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.funding.chores import without_report
from services.funding.domain.report import ReminderPolicy
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.draw_up_agreement import draw_up_agreement
from services.funding.use_cases.erase_grants import erase_grants
from services.funding.use_cases.remind_of_reports import remind_of_reports
from services.funding.use_cases.sign_agreement import sign_agreement
from shared.contracts.common import Place, Window
from shared.contracts.vocabulary import GateState, GrantState
from shared.security import Caller
from tests.builders import a_cancelled_match, a_host_party
from tests.unit.funding.builders import a_partnership
from tests.unit.funding.reporting import (
    AUDITOR,
    EXTERNAL,
    GRANT,
    HOST,
    HOST_STAFF,
    OTHER_STAFF,
    STAFF,
    STRANGER,
    SUPPORT_OFFICE,
    VISITOR,
    Service,
    a_form,
    a_service,
    a_visit,
    problem,
)

REPORT = f"/grants/{GRANT}/report"
WAITS_FOR_VISITOR, WAITS_FOR_PARTNERSHIP, PASSED = GateState


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with a_service() as running:
        await running.approve(a_visit())
        yield running


# ── writing ──────────────────────────────────────────────────────────────────────────────────


async def test_before_anything_is_written_there_is_an_empty_draft_that_says_what_it_lacks(
    service: Service,
) -> None:
    report = (await service.get(REPORT)).json()
    assert (report["state"], report["edition"]) == ("draft", 0)
    assert [one["pointer"] for one in report["lacks"]] == [
        "/first_day",
        "/last_day",
        "/goals",
        "/activities",
        "/results",
        "/satisfaction",
    ]


async def test_a_draft_is_saved_as_often_as_one_likes_also_before_the_stay(service: Service) -> None:
    service.at = datetime(2023, 2, 10, tzinfo=UTC)
    sent = {"results": "Nothing yet.", "first_day": "", "satisfaction": None, "goals": None}
    for text in ("First words.", "Second words.", "Second words."):
        saved = await service.call("PUT", REPORT, VISITOR, json={**sent, "results": text})
        assert saved.status_code == 200, saved.text
    report = (await service.get(REPORT)).json()
    assert (report["state"], report["edition"]) == ("draft", 2), "the same again is no other edition"
    assert report["form"]["results"] == "Second words."
    assert await service.gate("report") is WAITS_FOR_VISITOR
    assert service.events("cxc.report") == []


async def test_of_two_who_write_at_once_the_second_is_told(service: Service) -> None:
    assert (await service.save(edition=0)).json()["edition"] == 1
    refused = await service.save(edition=0, results="Other words.")
    assert "at edition 1" in problem(refused, 409, "report-changed")["detail"]
    assert (await service.save(edition=1, results="Other words.")).json()["edition"] == 2


@pytest.mark.parametrize(
    ("changes", "pointer", "said"),
    [
        ({"first_day": "2023-02-16", "last_day": "2023-02-14"}, "", "before first_day"),
        ({"first_day": "14 February"}, "/first_day", "write it as 2027-02-08"),
        ({"first_day": 20230214}, "/first_day", "is not a valid date"),
        ({"results": "x" * 2001}, "/results", "2000 characters at the most"),
        ({"satisfaction": 6}, "/satisfaction", "5 at the most"),
        ({"satisfaction": 0}, "/satisfaction", "1 at least"),
        ({"satisfaction": True}, "/satisfaction", "true or false"),
        ({"satisfaction": 4.5}, "/satisfaction", "whole number"),
        ({"goals": [{"goal": "rest", "reached": "fully"}]}, "/goals/0/goal", "must be"),
        ({"goals": [{"goal": "explore_market", "reached": "not"}] * 2}, "", "twice"),
        ({"activities": [{"day": "2023-02-14", "what": " "}]}, "/activities/0/what", "is empty"),
        ({"activities": [{"day": "2023-02-14", "what": "x" * 1001}]}, "/activities/0/what", "1000"),
        ({"activities": [{"day": "2023-02-14", "what": "x"}] * 63}, "/activities", "62 items"),
        ({"weekend_days": [{"day": "2023-02-18"}]}, "/weekend_days/0/programme", "is missing"),
        ({"price": "4"}, "/price", "is not a field"),
        ({"results": "a\u0000b"}, "/results", "unprintable"),
        ({"edition": -1}, "/edition", "0 at least"),
    ],
)
async def test_what_is_malformed_is_said_field_by_field(
    service: Service, changes: dict[str, Any], pointer: str, said: str
) -> None:
    body = problem(await service.save(**changes), 422, "malformed")
    [error] = body["errors"]
    assert error["pointer"] == pointer
    assert said in error["detail"]
    assert (await service.get(REPORT)).json()["edition"] == 0


# ── submitting ───────────────────────────────────────────────────────────────────────────────


async def test_a_submitted_report_waits_for_the_partnership(service: Service) -> None:
    await service.hand_in()
    report = (await service.get(REPORT, STAFF)).json()
    assert (report["state"], report["lacks"]) == ("submitted", [])
    assert await service.gate("report") is WAITS_FOR_PARTNERSHIP
    [event] = service.events("cxc.report")
    assert event.type == "cxc.report.submitted.v1"
    assert event.data["real_stay"] == {"first_day": "2023-02-14", "last_day": "2023-02-16"}
    refused = await service.save(results="Other words.")
    assert "the partnership has it" in problem(refused, 409, "report-state-forbids")["detail"]
    problem(await service.post(f"{REPORT}/submission", VISITOR), 409, "report-state-forbids")


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"first_day": None}, ["/first_day"]),
        ({"goals": [], "results": " ", "satisfaction": None}, ["/goals", "/results", "/satisfaction"]),
        ({"activities": [{"day": "2023-02-13", "what": "Flight."}]}, ["/activities/0/day"]),
        ({"weekend_days": [{"day": "2023-02-18", "programme": "Fair"}]}, ["/weekend_days/0/day"]),
    ],
)
async def test_a_report_that_lacks_something_cannot_be_submitted(
    service: Service, changes: dict[str, Any], pointers: list[str]
) -> None:
    assert (await service.save(**changes)).status_code == 200
    refused = problem(await service.post(f"{REPORT}/submission", VISITOR), 409, "report-incomplete")
    assert [one["pointer"] for one in refused["errors"]] == pointers
    assert await service.gate("report") is WAITS_FOR_VISITOR


@pytest.mark.parametrize(("day", "status"), [(15, 409), (16, 200)])
async def test_a_report_is_not_submitted_before_the_last_day_of_the_stay(
    service: Service, day: int, status: int
) -> None:
    service.at = datetime(2023, 2, day, 23, 59, tzinfo=UTC)
    await service.save()
    answer = await service.post(f"{REPORT}/submission", VISITOR)
    assert answer.status_code == status
    if status == 409:
        assert "lasts until 2023-02-16" in problem(answer, 409, "stay-not-over")["detail"]


# ── returning ────────────────────────────────────────────────────────────────────────────────


async def test_a_returned_report_says_why_and_is_corrected(service: Service) -> None:
    await service.hand_in()
    returned = await service.post(f"{REPORT}/return", STAFF, {"reason": "What did you do on the 15th?"})
    assert (returned.json()["state"], await service.gate("report")) == ("returned", WAITS_FOR_VISITOR)
    shown = (await service.get(REPORT)).json()
    assert shown["returned_because"] == "What did you do on the 15th?"
    edition = await service.hand_in(improve="More time.")
    shown = (await service.get(REPORT, STAFF)).json()
    assert (shown["state"], shown["returned_because"], shown["edition"]) == ("submitted", None, edition)
    kinds = [event.type.split(".")[2] for event in service.events("cxc.report")]
    assert kinds == ["submitted", "returned", "submitted"]


async def test_a_return_needs_a_reason_and_a_report_to_return(service: Service) -> None:
    problem(await service.post(f"{REPORT}/return", STAFF, {"reason": "?"}), 409, "report-state-forbids")
    await service.hand_in()
    problem(await service.post(f"{REPORT}/return", STAFF, {"reason": "  "}), 422, "malformed")


# ── validating ───────────────────────────────────────────────────────────────────────────────


async def test_a_validated_report_counts_for_the_visitors_partnership_alone(service: Service) -> None:
    edition = await service.hand_in()
    assert (
        (await service.http.get("/partnerships/hempclub/progress")).json()["sentence"].startswith("23 / 80")
    )
    validated = await service.validate(edition)
    assert validated.json()["state"] == "validated"
    progress = (await service.http.get("/partnerships/hempclub/progress")).json()
    assert (progress["done"], progress["sentence"]) == (24, "24 / 80, 30 %")
    assert (await service.http.get("/partnerships/woolclub/progress")).json()["done"] == 23
    grant = await service.grant()
    assert (grant.gates.report.state, grant.amount, grant.real_stay) == (PASSED, grant.amount, None)
    event = service.events("cxc.report")[-1].data
    assert (event["amount"], event["counts"]) == ("450.00", True)
    assert service.events("cxc.grant.recalculated") == [], "no day changed"
    problem(await service.validate(edition), 409, "report-state-forbids")
    assert await service.done() == 24


async def test_a_report_sent_back_after_its_validation_counts_no_more_and_can_count_again(
    service: Service,
) -> None:
    await service.validate(await service.hand_in())
    returned = await service.post(f"{REPORT}/return", STAFF, {"reason": "The days are wrong."})
    assert (returned.json()["state"], await service.done()) == ("returned", 23)
    assert service.events("cxc.report")[-1].data["was_validated"] is True
    await service.validate(await service.hand_in())
    assert await service.done() == 24


async def test_other_days_than_planned_are_shown_with_the_difference_before_they_are_validated(
    service: Service,
) -> None:
    service.at = datetime(2023, 2, 21, tzinfo=UTC)
    edition = await service.hand_in(first_day="2023-02-13", last_day="2023-02-17")
    preview = (await service.post(f"{REPORT}/validation/preview", STAFF, {"edition": edition})).json()
    assert (preview["amount_before"], preview["amount"], preview["covered"]) == ("450.00", "900.00", True)
    assert preview["difference"].startswith(
        "EUR 900.00 instead of EUR 450.00, EUR 450.00 more: 5 working days"
    )
    assert preview["changes"] is True
    assert (await service.grant()).amount == 450, "a preview changes nothing"

    assert (await service.validate(edition)).status_code == 200
    grant = await service.grant()
    assert (grant.amount, grant.days) == (
        Decimal(900),
        Window(first_day=date(2023, 2, 13), last_day=date(2023, 2, 17)),
    )
    [event] = service.events("cxc.grant.recalculated")
    assert (event.data["change"], event.data["amount"]) == ("more", "900.00")
    budget = (await service.get("/partnerships/hempclub/budget", STAFF)).json()
    assert (budget["reserved"], budget["available"]) == ("900.00", "63100.00")


async def test_a_saturday_counts_when_the_partnership_accepts_it_with_a_reason(service: Service) -> None:
    service.at = datetime(2023, 2, 20, tzinfo=UTC)
    fair = {"day": "2023-02-18", "programme": "Fair of the host's cluster"}
    edition = await service.hand_in(last_day="2023-02-18", weekend_days=[fair])
    without = (await service.post(f"{REPORT}/validation/preview", STAFF, {"edition": edition})).json()
    assert (without["amount"], without["not_counted"]) == ("450.00", ["2023-02-18"])
    accepted = {"edition": edition, "accepted_days": [{"day": "2023-02-18", "reason": "A full day."}]}
    with_it = (await service.post(f"{REPORT}/validation/preview", STAFF, accepted)).json()
    assert (with_it["amount"], with_it["not_counted"]) == ("900.00", [])
    saturday = with_it["lump_sum"]["days"][-1]
    assert (saturday["counted"], "hempclub: staff-1: A full day." in saturday["why"]) == (True, True)
    await service.post(f"{REPORT}/validation", STAFF, accepted)
    assert (await service.grant()).amount == 900
    assert (await service.get(REPORT)).json()["accepted_days"][0]["accepted_by"] == "hempclub: staff-1"


@pytest.mark.parametrize(
    ("days", "status", "code"),
    [
        ([{"day": "2023-02-18", "reason": "x"}], 422, "malformed"),
        ([{"day": "2023-02-14", "reason": "x"}] * 2, 422, "malformed"),
        ([{"day": "2023-02-14", "reason": " "}], 422, "malformed"),
    ],
    ids=["outside the stay", "twice", "without a reason"],
)
async def test_days_that_cannot_be_accepted_are_refused(
    service: Service, days: list[dict[str, str]], status: int, code: str
) -> None:
    edition = await service.hand_in()
    problem(await service.validate(edition, accepted_days=days), status, code)
    assert await service.gate("report") is WAITS_FOR_PARTNERSHIP


async def test_a_stay_too_short_for_the_scheme_is_validated_at_nothing_and_counts_nothing(
    service: Service,
) -> None:
    edition = await service.hand_in(last_day="2023-02-15")
    preview = (await service.post(f"{REPORT}/validation/preview", STAFF, {"edition": edition})).json()
    assert preview["amount"] == "0.00"
    assert "at least 3 working days" in preview["difference"]
    assert (await service.validate(edition)).status_code == 200
    assert (await service.grant()).state is GrantState.REFUSED
    assert await service.done() == 23
    assert service.events("cxc.report")[-1].data["counts"] is False
    assert (await service.get("/partnerships/hempclub/budget", STAFF)).json()["reserved"] == "0.00"


async def test_days_that_were_wrong_by_mistake_are_put_right_after_all(service: Service) -> None:
    await service.validate(await service.hand_in(last_day="2023-02-14"))
    returned = await service.post(f"{REPORT}/return", STAFF, {"reason": "You were there until the 16th."})
    assert returned.status_code == 200, returned.text
    assert (await service.validate(await service.hand_in())).status_code == 200
    grant = await service.grant()
    assert (grant.state, grant.amount, await service.done()) == (GrantState.RESERVED, Decimal(450), 24)


async def test_nothing_is_payable_by_an_agreement_on_other_days(service: Service) -> None:
    async def sign_and_prove(uow: Any) -> None:
        agreement = await draw_up_agreement(uow, GRANT, by=STAFF)
        for signer in (VISITOR, STAFF):
            await sign_agreement(uow, GRANT, by=signer, seen_sha256=agreement.content.sha256)
        (await uow.grants.get(GRANT)).turn_gate("evidence", PASSED, at=uow.now)

    await service.transactions.run(sign_and_prove)
    assert (await service.grant()).state is GrantState.COMMITTED
    service.at = datetime(2023, 2, 21, tzinfo=UTC)
    await service.validate(await service.hand_in(first_day="2023-02-13", last_day="2023-02-17"))
    grant = await service.grant()
    assert (grant.state, grant.amount) == (GrantState.RESERVED, Decimal(900))
    assert [name for name in ("agreement", "report", "evidence") if await service.gate(name) is PASSED] == [
        "report",
        "evidence",
    ]
    assert service.events("cxc.grant.payable") == []


async def test_more_than_the_budget_has_is_refused_and_nothing_changes() -> None:
    async with a_service(a_partnership(budget="500.00"), a_partnership("woolclub")) as service:
        await service.approve(a_visit())
        service.at = datetime(2023, 2, 21, tzinfo=UTC)
        edition = await service.hand_in(first_day="2023-02-13", last_day="2023-02-17")
        preview = await service.post(f"{REPORT}/validation/preview", STAFF, {"edition": edition})
        assert (preview.json()["amount"], preview.json()["covered"]) == ("900.00", False)
        refused = problem(await service.validate(edition), 409, "budget-exceeded")
        assert "EUR 450.00 more" in refused["detail"]
        assert ((await service.grant()).amount, await service.done()) == (Decimal(450), 23)
        assert (await service.get(REPORT)).json()["state"] == "submitted"


async def test_a_report_is_not_validated_before_somebody_settled_the_lump_sum() -> None:
    nowhere = a_host_party(
        "host", owner="host", partnership="woolclub", place=Place(country="IT", city="Nowhere")
    )
    async with a_service() as service:
        await service.approve(a_visit(host=nowhere))
        edition = await service.hand_in()
        refused = problem(await service.validate(edition), 409, "lump-sum-open")
        assert "Nowhere" in refused["detail"]
        assert (await service.get(REPORT)).json()["state"] == "submitted"


async def test_what_was_not_read_is_not_validated(service: Service) -> None:
    edition = await service.hand_in()
    problem(await service.validate(edition - 1), 409, "report-changed")
    problem(await service.validate(edition + 1), 409, "report-changed")


async def test_the_last_of_three_gates_makes_the_lump_sum_payable(service: Service) -> None:
    async def sign_and_prove(uow: Any) -> None:
        grant = await uow.grants.get(GRANT)
        for gate in ("agreement", "evidence"):
            grant.turn_gate(gate, PASSED, at=uow.now)

    await service.transactions.run(sign_and_prove)
    service.at = datetime(2023, 2, 20, 9, tzinfo=UTC)
    await service.validate(await service.hand_in())
    grant = await service.grant()
    assert (grant.state, grant.due, grant.strict_due) == (
        GrantState.PAYABLE,
        date(2023, 3, 2),
        date(2023, 2, 26),
    )


async def test_once_the_payment_is_prepared_the_report_stays_validated(service: Service) -> None:
    async def pass_and_prepare(uow: Any) -> None:
        grant = await uow.grants.get(GRANT)
        for gate in ("agreement", "evidence"):
            grant.turn_gate(gate, PASSED, at=uow.now)
        grant.prepare("p-1")

    await service.validate(await service.hand_in())
    await service.transactions.run(pass_and_prepare)
    refused = await service.post(f"{REPORT}/return", STAFF, {"reason": "Too late?"})
    assert "take it out of the payment first" in problem(refused, 409, "grant-state-forbids")["detail"]
    assert await service.done() == 24


# ── what does not count ──────────────────────────────────────────────────────────────────────


async def test_a_cancelled_exchange_counts_no_more(service: Service) -> None:
    await service.validate(await service.hand_in())
    await service.transactions.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_visit())))
    assert await service.done() == 23


@pytest.mark.parametrize("place", [Place(country="PT", city="Porto"), Place(country="NO", city="Oslo")])
async def test_a_stay_for_which_nothing_is_paid_can_be_reported_on_and_does_not_count(place: Place) -> None:
    async with a_service() as service:
        await service.approve(a_visit(host=a_host_party("host", partnership="woolclub", place=place)))
        assert (await service.grant()).state is GrantState.REFUSED
        assert (await service.validate(await service.hand_in())).status_code == 200
        assert ((await service.grant()).state, await service.done()) == (GrantState.REFUSED, 23)
        assert service.events("cxc.report")[-1].data["counts"] is False


async def test_nobody_reports_on_a_cancelled_match(service: Service) -> None:
    await service.transactions.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_visit())))
    problem(await service.save(), 409, "grant-state-forbids")


# ── who may ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("caller", "reads", "writes", "judges"),
    [
        (VISITOR, 200, 200, 403),
        (STAFF, 200, 403, 200),
        (HOST_STAFF, 200, 403, 403),
        (SUPPORT_OFFICE, 200, 403, 403),
        (AUDITOR, 200, 403, 403),
        (HOST, 404, 404, 404),
        (OTHER_STAFF, 404, 404, 404),
        (STRANGER, 404, 404, 404),
        (EXTERNAL, 404, 404, 404),
    ],
    ids=lambda value: getattr(value, "subject", str(value)),
)
async def test_each_does_with_a_report_what_is_theirs_to_do(
    service: Service, caller: Caller, reads: int, writes: int, judges: int
) -> None:
    assert (await service.save(caller)).status_code == writes
    edition = await service.hand_in()
    assert (await service.get(REPORT, caller)).status_code == reads
    if writes != 200:
        assert (await service.post(f"{REPORT}/submission", caller)).status_code == writes
    preview = await service.post(f"{REPORT}/validation/preview", caller, {"edition": edition})
    assert preview.status_code == judges
    returned = await service.post(f"{REPORT}/return", caller, {"reason": "Please say more."})
    assert returned.status_code == judges
    if judges == 200:
        edition = await service.hand_in()
    assert (await service.validate(edition, caller)).status_code == judges
    assert await service.done() == (24 if judges == 200 else 23)


async def test_a_draft_is_its_writers_alone_until_it_is_submitted(service: Service) -> None:
    await service.save(improve="They were late every day.")
    for caller in (STAFF, HOST_STAFF, AUDITOR):
        shown = await service.get(REPORT, caller)
        assert (shown.json()["form"], "late" in shown.text) == (None, False)
    await service.hand_in(improve="They were late every day.")
    assert (await service.get(REPORT, HOST_STAFF)).json()["form"]["improve"]


# ── reminding ────────────────────────────────────────────────────────────────────────────────

POLICY = ReminderPolicy(after_days=7, every_days=7, most=3)


async def remind(service: Service, on: date) -> None:
    """A round of the chore on that day."""
    service.at = datetime(on.year, on.month, on.day, 6, tzinfo=UTC)

    async def round(uow: Any) -> None:
        due = await uow.store.query("grants", without_report(POLICY, on))
        await remind_of_reports(uow, [grant["_id"] for grant in due], policy=POLICY)

    await service.transactions.run(round)


async def days_of_reminders(service: Service, until: date = date(2023, 6, 1)) -> list[str]:
    """On which days a reminder is sent, when the chore runs every day."""
    day, days = date(2023, 2, 14), []
    while day <= until:
        before = len(service.events("cxc.report.reminded"))
        await remind(service, day)
        if len(service.events("cxc.report.reminded")) > before:
            days.append(day.isoformat())
        day += timedelta(days=1)
    return days


async def test_a_report_that_does_not_come_is_asked_for_three_times_and_then_no_more(
    service: Service,
) -> None:
    assert await days_of_reminders(service) == ["2023-02-23", "2023-03-02", "2023-03-09"]
    said = [event.data for event in service.events("cxc.report.reminded")]
    assert [(one["number"], one["last"], one["begun"]) for one in said] == [
        (1, False, False),
        (2, False, False),
        (3, True, False),
    ]


async def test_a_submitted_report_is_not_asked_for_and_a_returned_one_is(service: Service) -> None:
    await service.hand_in()
    await remind(service, date(2023, 2, 24))
    assert service.events("cxc.report.reminded") == []
    await service.post(f"{REPORT}/return", STAFF, {"reason": "Please say more."})
    await remind(service, date(2023, 2, 25))
    [event] = service.events("cxc.report.reminded")
    assert event.data["begun"] is True


async def test_a_stay_that_lasted_longer_is_asked_about_later(service: Service) -> None:
    await service.save(last_day="2023-02-21")
    await remind(service, date(2023, 2, 24))
    assert service.events("cxc.report.reminded") == []
    await remind(service, date(2023, 2, 28))
    assert service.events("cxc.report.reminded")[0].data["ended"] == "2023-02-21"


async def test_whoever_is_erased_or_has_nothing_to_report_on_is_left_alone(service: Service) -> None:
    await service.transactions.run(lambda uow: erase_grants(uow, "visitor"))
    assert await days_of_reminders(service, date(2023, 3, 1)) == []
    async with a_service() as other:
        await other.approve(a_visit())
        await other.transactions.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_visit())))
        assert await days_of_reminders(other, date(2023, 3, 1)) == []


# ── erasing ──────────────────────────────────────────────────────────────────────────────────


async def test_what_was_written_stays_where_money_is_due_and_goes_where_none_is(service: Service) -> None:
    await service.validate(await service.hand_in())
    await service.transactions.run(lambda uow: erase_grants(uow, "visitor"))
    assert (await service.get(REPORT, STAFF)).json()["form"]["results"] == a_form()["results"]
    await service.transactions.run(lambda uow: cancel_grant(uow, a_cancelled_match(a_visit())))
    shown = (await service.get(REPORT, STAFF)).json()
    assert (shown["state"], shown["form"]) == ("draft", None)
    assert a_form()["results"] not in str(service.transactions.database["reports"])
