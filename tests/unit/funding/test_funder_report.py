"""The funder's report: what it counts, what its files hold, who gets it and in which format."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from services.funding.domain.funder_report import STATES, Balance, FunderReport, PaidOut, Sum
from services.funding.domain.grant import grant_id
from services.funding.domain.ledger import Account
from services.funding.funder_report_pdf import printed
from services.funding.funder_report_xlsx import workbook
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.read_funder_report import read_funder_report
from shared.contracts.vocabulary import GrantState
from shared.spreadsheets import XLSX
from tests.unit.funding.staged import (
    AUDITOR,
    EXTERNAL,
    HOST,
    OTHER_STAFF,
    PARTNERSHIPS,
    STAFF,
    SUPPORT,
    VISITOR,
    Api,
    Service,
)

HEMPCLUB = PARTNERSHIPS[0]
FIRST, LAST = date(2023, 2, 1), date(2023, 2, 28)
PERIOD = f"from={FIRST}&to={LAST}"


async def report_on(funding: Service, first: date = FIRST, last: date = LAST) -> FunderReport:
    return await funding.read(lambda uow: read_funder_report(uow, HEMPCLUB, first, last, by=STAFF))


def cells(content: bytes, sheet: str) -> list[list[Any]]:
    return [list(row) for row in load_workbook(io.BytesIO(content))[sheet].iter_rows(values_only=True)]


def text_of(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


# ── what it counts ───────────────────────────────────────────────────────────────────────────


async def test_stays_count_by_their_first_day_and_payments_by_the_day_they_were_booked(
    funding: Service,
) -> None:
    report = await report_on(funding)
    assert [state for state, _ in report.by_state][:2] == [
        GrantState.AWAITING_BUDGET,
        GrantState.RESERVED,
    ]
    assert dict(report.by_state) == {
        GrantState.RESERVED: Sum(1, Decimal("900.00")),
        GrantState.AWAITING_BUDGET: Sum(1, Decimal("900.00")),
        GrantState.COMMITTED: Sum(2, Decimal("1800.00")),
        GrantState.PAYABLE: Sum(1, Decimal("900.00")),
        GrantState.PREPARED: Sum(1, Decimal("900.00")),
        GrantState.RELEASED: Sum(1, Decimal("900.00")),
        GrantState.PAID: Sum(1, Decimal("900.00")),
    }
    assert report.by_host_country == [("IT", Sum(8, Decimal("7200.00")))]
    assert report.by_visitor_country == [("PT", Sum(8, Decimal("7200.00")))]
    assert [(one.paid_on, one.match_id, one.amount) for one in report.payments] == [
        (date(2023, 2, 24), "paid", Decimal("900.00"))
    ]
    assert report.reported == 4


@pytest.mark.parametrize(
    ("first", "last", "exchanges", "payments"),
    [
        (date(2023, 2, 13), date(2023, 2, 13), 8, 0),
        (date(2023, 2, 14), date(2023, 2, 23), 0, 0),
        (date(2023, 2, 24), date(2023, 2, 24), 0, 1),
        (date(2022, 1, 1), date(2022, 12, 31), 0, 0),
    ],
)
async def test_both_days_of_the_period_belong_to_it(
    funding: Service, first: date, last: date, exchanges: int, payments: int
) -> None:
    report = await report_on(funding, first, last)
    assert (len(report.exchanges), len(report.payments)) == (exchanges, payments)


async def test_balances_are_those_of_the_ledger_before_and_after(funding: Service) -> None:
    report = await report_on(funding)
    assert report.balances == [
        Balance(Account.AVAILABLE, Decimal(0), Decimal(0)),
        Balance(Account.RESERVED, Decimal(6300), Decimal(900)),
        Balance(Account.COMMITTED, Decimal(0), Decimal(4500)),
        Balance(Account.PAID, Decimal(0), Decimal(900)),
    ]
    before = await report_on(funding, date(2023, 1, 1), date(2023, 1, 19))
    assert {(one.before, one.after) for one in before.balances} == {(Decimal(0), Decimal(0))}


async def test_what_was_cancelled_is_told_and_not_counted_among_what_takes_place(funding: Service) -> None:
    async def cancel(uow: FundingUnitOfWork) -> None:
        (await uow.grants.get(grant_id("signing"))).cancel("The visitor cannot travel.")

    await funding.run(cancel)
    report = await report_on(funding)
    assert dict(report.by_state)[GrantState.CANCELLED].exchanges == 1
    assert len(report.alive) == 7
    assert report.by_host_country == [("IT", Sum(7, Decimal("6300.00")))]


def test_every_state_has_its_place_in_the_report() -> None:
    assert sorted(STATES) == sorted(GrantState)


# ── its files ────────────────────────────────────────────────────────────────────────────────


async def test_the_workbook_has_numbers_and_days_to_go_on_with(funding: Service) -> None:
    content = workbook(await report_on(funding))
    summary = cells(content, "Summary")
    assert summary[0][0] == "Hempclub"
    assert ["Reports validated in the period", 4, None, None] in summary
    assert ["Reached, %", 33.75, None, None] in summary
    assert ["paid", 0, 900, 900] in summary
    exchanges, payments = cells(content, "Exchanges"), cells(content, "Payments")
    assert len(exchanges) == 9
    assert [str(cell) for cell in exchanges[1][5:10]] == [
        "2023-02-13 00:00:00",
        "2023-02-17 00:00:00",
        "5",
        "paid",
        "900",
    ]
    assert [str(payments[1][0]), *payments[1][1:5]] == [
        "2023-02-24 00:00:00",
        "paid",
        "Tagus Fibre Works (sample)",
        "Portugal",
        900,
    ]


HOSTILE = ['=HYPERLINK("http://evil.example")', "+1+1", "@SUM(A1)", "-2", "\t=1", "#N/A", "a\x00b_x0041_"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_no_name_becomes_a_formula(funding: Service, name: str) -> None:
    report = await report_on(funding)
    exchanges = [one._replace(visitor=name, host=name) for one in report.exchanges]
    payments = [one._replace(visitor=name, reference=name) for one in report.payments]
    book = load_workbook(io.BytesIO(workbook(changed(report, exchanges=exchanges, payments=payments))))
    written = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in written} <= {"s", "n", "d"}
    texts = {cell.value for cell in written if cell.data_type == "s"}
    assert any(name.strip("\t")[-3:] in str(text) for text in texts)
    assert not any(str(text).lstrip().startswith(("=", "+", "-", "@")) for text in texts)


def changed(report: FunderReport, **fields: Any) -> FunderReport:
    return FunderReport(**{**report.__dict__, **fields})


async def test_the_paper_says_the_same(funding: Service) -> None:
    content = printed(await report_on(funding))
    text = text_of(content)
    for said in (
        "Report to the funder",
        "1 to 28 February 2023",
        "4 exchanges were completed in the period; 27 of 80 are done until now (33.75 %).",
        "Tagus Fibre Works (sample)",
        "CXC-1",
        "1 payment, EUR 900.00 together",
        "Italy",
    ):
        assert said in text
    assert content == printed(await report_on(funding))


async def test_an_empty_period_has_a_report_too(funding: Service) -> None:
    report = await report_on(funding, date(2020, 1, 1), date(2020, 1, 31))
    text = text_of(printed(report))
    assert "None begins in the period." in text
    assert "The bank booked none." in text
    assert len(cells(workbook(report), "Exchanges")) == 1


async def test_a_long_list_of_payments_is_whole_in_the_workbook_alone(funding: Service) -> None:
    report = await report_on(funding)
    [one] = report.payments
    many: list[PaidOut] = [one] * 5
    report = changed(report, payments=many)
    assert "And 3 payments more; the workbook lists all." in text_of(printed(report, most_payments=2))
    assert "more" not in text_of(printed(report, most_payments=5))
    assert len(cells(workbook(report), "Payments")) == 1 + len(many)


# ── who gets it, and how ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["report", "report.pdf", "report.xlsx"])
async def test_the_report_is_for_who_may_see_the_money(api: Api, path: str) -> None:
    where = f"/partnerships/hempclub/{path}?{PERIOD}"
    statuses = [
        (await api.get(where, caller)).status_code
        for caller in (STAFF, SUPPORT, AUDITOR, OTHER_STAFF, VISITOR, HOST, EXTERNAL, None)
    ]
    assert statuses == [200, 200, 200, 403, 403, 403, 403, 401]


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        (None, "application/pdf"),
        ("*/*", "application/pdf"),
        ("application/*", "application/pdf"),
        (XLSX, XLSX),
        (f"application/pdf;q=0.4, {XLSX}", XLSX),
        (f"*/*, application/pdf;q=0, {XLSX};q=0.1", XLSX),
        ("text/html, application/pdf;q=0.9, */*;q=0.8", "application/pdf"),
        ("application/json", "application/problem+json"),
        ("application/pdf;q=x", "application/problem+json"),
    ],
)
async def test_the_format_is_the_one_the_caller_likes_best(api: Api, accept: str | None, given: str) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = await api.get(f"/partnerships/hempclub/report?{PERIOD}", STAFF, **headers)
    assert answer.headers["content-type"] == given
    assert answer.status_code == (406 if given.endswith("problem+json") else 200)


async def test_the_path_says_the_format_whatever_is_accepted(api: Api) -> None:
    answer = await api.get(f"/partnerships/hempclub/report.xlsx?{PERIOD}", STAFF, Accept="application/pdf")
    assert answer.headers["content-type"] == XLSX
    assert 'filename="hempclub-2023-02-01-2023-02-28.xlsx"' in answer.headers["content-disposition"]
    assert answer.content.startswith(b"PK")


@pytest.mark.parametrize(
    "period",
    ["from=2023-02-02&to=2023-02-01", "from=2023-02-01", "from=1900-01-01&to=2023-01-01", "from=x&to=y"],
)
async def test_a_period_that_is_none_is_refused(api: Api, period: str) -> None:
    answer = await api.get(f"/partnerships/hempclub/report.pdf?{period}", STAFF)
    assert answer.status_code == 422
    assert answer.json()["errors"]
