"""What a forecast of a partnership follows from, as it stands now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from services.funding.domain.forecast import OpenCase, Past, Position, Stage, Trace
from services.funding.domain.grant import Grant
from services.funding.domain.ledger import Account, LedgerEntry, Why
from services.funding.domain.readiness import ON_BOARD, PAYING
from services.funding.forecasts import Facts
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.read_progress import read_progress
from shared.contracts.vocabulary import GateState, GrantState
from shared.partnerships import Partnership
from shared.security import Caller
from shared.storage.driver import Document

LOOKED_BACK: Final = 2_000
"""Grants of the past, the newest, that durations and shares are learned from."""

_FIELDS: Final = (
    "state",
    "gates",
    "position",
    "paid_on",
    "stay.last_day",
    "real_stay.last_day",
    "lump_sum.amount",
)
_UNDER_WAY: Final = (GrantState.AWAITING_BUDGET, *ON_BOARD)
_MOVES: Final = (Why.RESERVED, Why.CANCELLED, Why.REFUSED)


async def read_forecast_facts(
    uow: FundingUnitOfWork, partnership: Partnership, *, by: Caller | None
) -> Facts:
    """Budget, progress, open cases and past; raises `Forbidden` for all but its staff, support and auditors.

    `by`: None is the platform itself.
    """
    if by is not None and not by.sees_everything:
        by.require_staff_of(partnership.id)
    budget = await uow.budgets.of(partnership)
    today = uow.now.date()
    here = {"partnership": partnership.id}
    under_way = {"state": {"$in": [state.value for state in _UNDER_WAY]}}
    open_rows = await uow.rows(Grant, here | under_way, _FIELDS)
    newest = await uow.rows(Grant, here, _FIELDS, sort=[("_id", -1)], limit=LOOKED_BACK)
    ids = [row["_id"] for row in newest]
    moved = await uow.rows(
        LedgerEntry,
        {"grant": {"$in": ids}, "why": {"$in": [why.value for why in _MOVES]}},
        ("grant", "why", "credit", "at"),
        sort=[("_id", 1)],
    )
    reserved_on = {entry["grant"]: _day(entry["at"]) for entry in moved if entry["why"] == Why.RESERVED}
    fell_out = {
        entry["grant"]
        for entry in moved
        if entry["why"] != Why.RESERVED and entry["credit"] in (Account.RESERVED, Account.COMMITTED)
    }
    progress = await read_progress(uow, partnership)
    return Facts(
        partnership=partnership.id,
        name=partnership.name,
        today=today,
        position=Position(
            done=progress.done,
            objective=progress.objective,
            budget=budget.total,
            available=budget.available,
            spent=budget.paid,
            ends_on=partnership.ends_on,
        ),
        cases=_cases(open_rows, reserved_on),
        past=Past.of([_trace(row, reserved_on.get(row["_id"]), row["_id"] in fell_out) for row in newest]),
        rates=sorted(uow.policies.rates.in_force_on(today).full_rates.values()),
    )


def _cases(rows: Iterable[Document], reserved_on: Mapping[str, date]) -> list[OpenCase]:
    in_order = sorted(rows, key=lambda row: (row.get("position") or 0, row["_id"]))
    return [_case(row, reserved_on.get(row["_id"])) for row in in_order]


def _case(row: Document, reserved_on: date | None) -> OpenCase:
    state, gates = GrantState(row["state"]), row["gates"]
    amount, last_day = Decimal(row["lump_sum"]["amount"]), _last_day(row)
    asked_on = _day(gates["agreement"]["since"])
    if state in PAYING:
        return OpenCase(Stage.PAYABLE, _day(gates["passed_at"]), last_day, amount)
    if state is GrantState.COMMITTED and (reported := _passed(gates, "report")):
        return OpenCase(Stage.REPORTED, max(reported, asked_on), last_day, amount)
    if state is GrantState.COMMITTED:
        return OpenCase(Stage.COMMITTED, asked_on, last_day, amount)
    counts = _passed(gates, "report") is not None
    return OpenCase(Stage(state.value), reserved_on or asked_on, last_day, amount, counts)


def _trace(row: Document, reserved_on: date | None, fell_out: bool) -> Trace:
    gates = row.get("gates") or {}
    passed_at = gates.get("passed_at")
    return Trace(
        reserved_on=reserved_on,
        agreement_on=_passed(gates, "agreement"),
        report_on=_passed(gates, "report"),
        passed_on=_day(passed_at) if passed_at else None,
        paid_on=date.fromisoformat(row["paid_on"]) if row.get("paid_on") else None,
        last_day=_last_day(row),
        amount=Decimal((row.get("lump_sum") or {}).get("amount") or 0),
        fell_out=fell_out and row["state"] in (GrantState.CANCELLED, GrantState.REFUSED),
    )


def _passed(gates: Mapping[str, Any], name: str) -> date | None:
    gate = gates.get(name)
    return _day(gate["since"]) if gate and gate["state"] == GateState.PASSED else None


def _last_day(row: Document) -> date:
    return date.fromisoformat((row.get("real_stay") or row["stay"])["last_day"])


def _day(moment: str) -> date:
    return datetime.fromisoformat(moment).date()
