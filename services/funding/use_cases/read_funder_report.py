"""Staff draw up what their funder wants to know about a period."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from services.funding.domain.funder_report import Exchange, FunderReport, PaidOut, balances
from services.funding.domain.grant import Grant
from services.funding.domain.ledger import LedgerEntry
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.read_progress import read_progress
from shared.contracts.vocabulary import GateState, GrantState
from shared.partnerships import Partnership
from shared.security import Caller
from shared.storage.driver import Document

_FIELDS: Final = (
    "match_id",
    "state",
    "stay",
    "real_stay",
    "gates.report",
    "paid_on",
    "payment_id",
    "reference",
    "recovered",
    "counted",
    "lump_sum.amount",
    "lump_sum.working_days",
    "visitor.organisation",
    "visitor.place.country",
    "host.organisation",
    "host.place.country",
)
_DAY: Final = timedelta(days=1)


async def read_funder_report(
    uow: FundingUnitOfWork, partnership: Partnership, first_day: date, last_day: date, *, by: Caller
) -> FunderReport:
    """The report on a period, both days included, of stays that begin and payments that are booked in it.

    Raises `Forbidden` for all but the partnership's staff, the support office and auditors.
    """
    if not by.sees_everything:
        by.require_staff_of(partnership.id)
    within = {"$gte": str(first_day), "$lt": str(last_day + _DAY)}
    here = {"partnership": partnership.id}
    # Each by an index of its own; as one question only the partnership's would be used.
    begun, moved, paid, reported = [
        await uow.rows(Grant, here | {field: within}, _FIELDS)
        for field in ("stay.first_day", "real_stay.first_day", "paid_on", "gates.report.since")
    ]
    exchanges = {
        row["_id"]: one
        for row in (*begun, *moved)
        if first_day <= (one := _exchange(row)).first_day <= last_day
    }
    moves = [
        await uow.totals(LedgerEntry, here | {"at": {"$lt": str(day)}}, of="amount", by=("debit", "credit"))
        for day in (first_day, last_day + _DAY)
    ]
    return FunderReport(
        partnership=partnership.id,
        name=partnership.name,
        first_day=first_day,
        last_day=last_day,
        at=uow.now,
        exchanges=sorted(exchanges.values(), key=lambda one: (one.first_day, one.match_id)),
        payments=sorted(_paid_out(row) for row in paid),
        reported=sum(1 for row in reported if row.get("counted")),
        progress=await read_progress(uow, partnership),
        balances=balances(*moves),
    )


def _exchange(row: Document) -> Exchange:
    lump_sum, stay = row.get("lump_sum") or {}, row.get("real_stay") or row["stay"]
    amount = lump_sum.get("amount")
    report = (row.get("gates") or {}).get("report")
    validated_at = report["since"] if report and report["state"] == GateState.PASSED else None
    return Exchange(
        match_id=row["match_id"],
        **_sides(row),
        first_day=date.fromisoformat(stay["first_day"]),
        last_day=date.fromisoformat(stay["last_day"]),
        working_days=lump_sum.get("working_days"),
        state=GrantState(row["state"]),
        amount=None if amount is None else Decimal(amount),
        report_on=datetime.fromisoformat(validated_at).date() if validated_at else None,
    )


def _paid_out(row: Document) -> PaidOut:
    sides = _sides(row)
    return PaidOut(
        paid_on=date.fromisoformat(row["paid_on"]),
        match_id=row["match_id"],
        visitor=sides["visitor"],
        visitor_country=sides["visitor_country"],
        amount=Decimal(row["lump_sum"]["amount"]),
        recovered=Decimal(row.get("recovered") or 0),
        payment_id=row.get("payment_id") or "",
        reference=row.get("reference") or "",
    )


def _sides(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "visitor": row["visitor"]["organisation"],
        "visitor_country": row["visitor"]["place"]["country"],
        "host": row["host"]["organisation"],
        "host_country": row["host"]["place"]["country"],
    }
