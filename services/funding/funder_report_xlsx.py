"""The funder's report as a workbook: a summary, the exchanges and the payments, in numbers to go on with."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from services.funding.domain.funder_report import FunderReport
from shared.spreadsheets import workbook_text
from shared.words import country, days, moment

_MONEY: Final = "#,##0.00"
_DAY: Final = "yyyy-mm-dd"
_TITLE: Final = Font(bold=True, size=14, color="154C79")
_HEAD: Final = Font(bold=True, color="FFFFFF")
_GROUND: Final = PatternFill("solid", fgColor="154C79")
_BOLD: Final = Font(bold=True)

Value = str | int | Decimal | date | None


def workbook(report: FunderReport) -> bytes:
    """The workbook; texts of others are no formulas in it (see `shared.spreadsheets.harmless`)."""
    book = Workbook(write_only=True)
    book.properties.title = f"{report.name}: {days(report.first_day, report.last_day)}"
    book.properties.creator = "ClusterXchange"
    book.properties.created = book.properties.modified = report.at.replace(tzinfo=None)
    _summary(book, report)
    _list(
        book,
        "Exchanges",
        {
            "Match": 38,
            "Visitor": 34,
            "From": 18,
            "Host": 34,
            "To": 18,
            "First day": 12,
            "Last day": 12,
            "Working days": 10,
            "State": 16,
            "EUR": 12,
            "Report validated": 12,
        },
        (
            (
                one.match_id,
                one.visitor,
                country(one.visitor_country),
                one.host,
                country(one.host_country),
                one.first_day,
                one.last_day,
                one.working_days,
                _words(one.state),
                one.amount,
                one.report_on,
            )
            for one in report.exchanges
        ),
    )
    _list(
        book,
        "Payments",
        {
            "Paid on": 12,
            "Match": 38,
            "Visitor": 34,
            "From": 18,
            "EUR": 12,
            "Came back, EUR": 12,
            "Payment": 38,
            "Bank's reference": 34,
        },
        (
            (
                one.paid_on,
                one.match_id,
                one.visitor,
                country(one.visitor_country),
                one.amount,
                one.recovered,
                one.payment_id,
                one.reference,
            )
            for one in report.payments
        ),
    )
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _summary(book: Workbook, report: FunderReport) -> None:
    sheet: Any = book.create_sheet("Summary")
    _widths(sheet, (44, 18, 18, 18))
    sheet.append([_cell(sheet, report.name, _TITLE)])
    sheet.append([_cell(sheet, f"Report on {days(report.first_day, report.last_day)}")])
    sheet.append([_cell(sheet, f"As of {moment(report.at)}; amounts in EUR.")])
    progress = report.progress
    _block(
        sheet,
        ("Objective", "Exchanges"),
        (
            ("Reports validated in the period", report.reported),
            ("Done until now", progress.done),
            ("Objective", progress.objective),
            ("Reached, %", progress.percent),
        ),
    )
    _block(
        sheet,
        ("Exchanges that begin in the period", "Exchanges", "EUR"),
        [
            *((_words(state), total.exchanges, total.amount) for state, total in report.by_state),
            (
                "all but refused and cancelled ones",
                len(report.alive),
                sum((one.amount or Decimal(0) for one in report.alive), Decimal("0.00")),
            ),
        ],
    )
    for heading, countries in (
        ("By the host's country", report.by_host_country),
        ("By the visitor's country", report.by_visitor_country),
    ):
        _block(
            sheet,
            (heading, "Exchanges", "EUR"),
            ((country(code), total.exchanges, total.amount) for code, total in countries),
        )
    _block(
        sheet,
        ("Budget", f"Before {report.first_day}", f"After {report.last_day}", "Change"),
        [
            *((one.account.value, one.before, one.after, one.after - one.before) for one in report.balances),
            (
                "total",
                sum((one.before for one in report.balances), Decimal("0.00")),
                sum((one.after for one in report.balances), Decimal("0.00")),
                sum((one.after - one.before for one in report.balances), Decimal("0.00")),
            ),
        ],
    )
    _block(
        sheet,
        ("Payments booked in the period", "Number", "EUR", "Came back, EUR"),
        (("all", len(report.payments), report.paid, report.recovered),),
    )


def _block(sheet: Any, heading: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
    sheet.append([])
    sheet.append(_heading(sheet, heading))
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])


def _list(book: Workbook, name: str, columns: dict[str, int], rows: Iterable[Sequence[Value]]) -> None:
    sheet: Any = book.create_sheet(name)
    _widths(sheet, columns.values())
    sheet.freeze_panes = "A2"
    sheet.append(_heading(sheet, list(columns)))
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])


def _widths(sheet: Any, widths: Iterable[int]) -> None:
    for number, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(number)].width = width


def _heading(sheet: Any, names: Sequence[str]) -> list[Any]:
    cells = [_cell(sheet, name, _HEAD) for name in names]
    for cell in cells:
        cell.fill = _GROUND
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cells


def _cell(sheet: Any, value: Value, font: Font | None = None) -> Any:
    if isinstance(value, str):
        cell = workbook_text(sheet, value)
    elif value is None:
        return None
    else:
        cell = WriteOnlyCell(sheet)
        cell.value = value
        if isinstance(value, Decimal):
            cell.number_format = _MONEY
        elif isinstance(value, date) and not isinstance(value, datetime):
            cell.number_format = _DAY
    if font is not None and cell is not None:
        cell.font = font
    return cell


def _words(state: str) -> str:
    return state.replace("_", " ")
