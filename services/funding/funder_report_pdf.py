"""The funder's report as a PDF: what was reached, what it cost, and what was paid."""

from __future__ import annotations

from typing import Final

from services.funding.domain.funder_report import FunderReport
from shared.pdf import NOTE, QUIET, STRONG, Cell, Column, Paper
from shared.words import counted, country, day, days, eur, moment

MOST_PAYMENTS: Final = 300
"""Listed on paper; the workbook has all."""


def printed(report: FunderReport, *, most_payments: int = MOST_PAYMENTS) -> bytes:
    """The PDF, with so many payments at the most: up to a second or two of work."""
    period = days(report.first_day, report.last_day)
    paper = Paper(
        f"Report of {report.name}, {period}",
        at=report.at,
        foot=(f"{report.name}, {period}", f"As of {moment(report.at)}. Amounts in EUR."),
    )
    paper.title("Report to the funder", f"{report.name}, {period}")
    paper.gap(2)
    _objective(paper, report)
    _exchanges(paper, report)
    _countries(paper, report)
    _budget(paper, report)
    _payments(paper, report, most_payments)
    paper.explain_boxes()
    return paper.printed()


def _objective(paper: Paper, report: FunderReport) -> None:
    progress = report.progress
    paper.heading("Objective")
    paper.paragraph(
        f"{counted(report.reported, 'exchange')} {'was' if report.reported == 1 else 'were'} completed in "
        f"the period; {progress.done} of {progress.objective} are done until now "
        f"({progress.percent.normalize():f} %).",
        STRONG,
    )
    paper.paragraph("An exchange is complete when its report is validated.", NOTE)
    paper.gap(3)


def _exchanges(paper: Paper, report: FunderReport) -> None:
    paper.heading("Exchanges that begin in the period")
    if not report.exchanges:
        paper.paragraph("None begins in the period.", QUIET)
        paper.gap(3)
        return
    total = sum(one.amount or 0 for one in report.alive)
    paper.table(
        [Column("State now", 90), Column("Exchanges", 35, "RIGHT"), Column("EUR", 45, "RIGHT")],
        [
            *(
                (state.value.replace("_", " "), str(found.exchanges), f"{found.amount:,.2f}")
                for state, found in report.by_state
            ),
            (
                Cell("all but refused and cancelled ones", bold=True),
                Cell(str(len(report.alive)), bold=True),
                Cell(f"{total:,.2f}", bold=True),
            ),
        ],
    )
    paper.gap(4)


def _countries(paper: Paper, report: FunderReport) -> None:
    if not report.alive:
        return
    paper.heading("Countries")
    goes, comes = dict(report.by_host_country), dict(report.by_visitor_country)
    codes = sorted(goes.keys() | comes.keys(), key=country)
    paper.table(
        [
            Column("Country", 70),
            Column("Visitors from", 30, "RIGHT"),
            Column("Stays in", 30, "RIGHT"),
            Column("EUR for stays there", 40, "RIGHT"),
        ],
        [
            (
                country(code),
                str(comes[code].exchanges) if code in comes else "–",
                str(goes[code].exchanges) if code in goes else "–",
                f"{goes[code].amount:,.2f}" if code in goes else "–",
            )
            for code in codes
        ],
    )
    paper.paragraph("Exchanges that begin in the period, without refused and cancelled ones.", NOTE)
    paper.gap(4)


def _budget(paper: Paper, report: FunderReport) -> None:
    paper.need(60)
    paper.heading("Budget")
    before, after = (sum(getattr(one, at) for one in report.balances) for at in ("before", "after"))
    paper.table(
        [
            Column("Account", 50),
            Column(f"Before {day(report.first_day)}", 40, "RIGHT"),
            Column(f"After {day(report.last_day)}", 40, "RIGHT"),
            Column("Change", 40, "RIGHT"),
        ],
        [
            *(
                (
                    one.account.value,
                    f"{one.before:,.2f}",
                    f"{one.after:,.2f}",
                    f"{one.after - one.before:+,.2f}",
                )
                for one in report.balances
            ),
            (
                Cell("total", bold=True),
                Cell(f"{before:,.2f}", bold=True),
                Cell(f"{after:,.2f}", bold=True),
                Cell(f"{after - before:+,.2f}", bold=True),
            ),
        ],
    )
    paper.paragraph("From the ledger, in which every euro that moved is entered once and for good.", NOTE)
    paper.gap(4)


def _payments(paper: Paper, report: FunderReport, most: int) -> None:
    paper.heading("Payments booked in the period")
    if not report.payments:
        paper.paragraph("The bank booked none.", QUIET)
        paper.gap(2)
        return
    came_back = f", of which {eur(report.recovered)} came back" if report.recovered else ""
    paper.paragraph(
        f"{counted(len(report.payments), 'payment')}, {eur(report.paid)} together{came_back}.", STRONG
    )
    paper.gap(1)
    paper.table(
        [
            Column("Paid on", 20),
            Column("Visitor", 56),
            Column("Match and bank's reference", 70),
            Column("EUR", 24, "RIGHT"),
        ],
        [
            (
                str(one.paid_on),
                f"{one.visitor}\n{country(one.visitor_country)}",
                f"{one.match_id}\n{one.reference}",
                f"{one.amount:,.2f}" + (f"\n–{one.recovered:,.2f} back" if one.recovered else ""),
            )
            for one in report.payments[:most]
        ],
        size=8.5,
    )
    if (more := len(report.payments) - most) > 0:
        paper.paragraph(f"And {counted(more, 'payment')} more; the workbook lists all.", QUIET)
    paper.gap(2)
