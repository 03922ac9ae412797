"""Staff look at what is on its way to be paid: whose turn it is, and how much time is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from services.funding.domain.bank_account import BankAccount, account_id
from services.funding.domain.grant import PAID_WITHIN, Grant
from services.funding.domain.readiness import (
    ON_BOARD,
    PAYING,
    Clock,
    Missing,
    WaitsFor,
    clock,
    counted_as,
    missing,
)
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.common import Window
from shared.contracts.funding import Gates
from shared.contracts.vocabulary import GateName, GrantState
from shared.security import Caller
from shared.storage.driver import Document

_FIELDS: Final = (
    "match_id",
    "partnership",
    "state",
    "stay",
    "real_stay",
    "gates",
    "due",
    "strict_due",
    "match_ended",
    "lump_sum.amount",
    "visitor.organisation",
    "visitor.registration_id",
    "visitor.place.country",
    "host.organisation",
    "host.place.country",
    "board.clock",
)
_DATE: Final = TypeAdapter(date | None)
_FIRST_OF: Final = f"{date.min}/"


class Side(NamedTuple):
    """One organisation of a case."""

    organisation: str
    country: str


@dataclass(frozen=True)
class BoardLine:
    """One case of the board; `amount` in EUR."""

    id: str
    match_id: str
    partnership: str
    visitor: Side
    host: Side
    stay: Window
    """As it was, else as planned."""
    state: GrantState
    amount: Decimal
    gates: Gates
    clock: Clock
    missing: list[Missing]
    place: str
    """Behind which the next one stands."""


class BoardTotals(NamedTuple):
    """The cases of the partnerships looked at, whatever else was filtered."""

    states: Mapping[GrantState, int]
    waits_for: Mapping[WaitsFor, int]
    """A case that waits for both is counted for both."""
    overdue: int
    amount: Decimal
    """EUR reserved and committed, which is what they come to."""


@dataclass(frozen=True)
class BoardFilter:
    """What is looked for; None asks nothing."""

    partnership: str | None = None
    gate: GateName | None = None
    state: GrantState | None = None
    overdue: bool | None = None
    waits_for: WaitsFor | None = None


async def read_readiness(
    uow: FundingUnitOfWork, wanted: BoardFilter, *, by: Caller, after: str | None, limit: int
) -> list[BoardLine]:
    """The cases under way that the filter leaves, in the order of their clocks, from behind `after`.

    Raises `Forbidden` for all but staff of the partnership, the support office and auditors.
    """
    today = uow.now.date()
    where = _of(_partnerships(uow, wanted.partnership, by)) | _conditions(wanted, after, today)
    found = await uow.rows(Grant, where, _FIELDS, sort=[(_sorted_by(wanted), 1)], limit=limit)
    payees = [account_id(row["visitor"]["registration_id"]) for row in found]
    given = {row["_id"] for row in await uow.rows(BankAccount, {"_id": {"$in": payees}}, ["_id"])}
    return [_line(row, today, payee in given) for row, payee in zip(found, payees, strict=True)]


async def count_readiness(uow: FundingUnitOfWork, partnership: str | None, *, by: Caller) -> BoardTotals:
    """How many cases are where, in one partnership or all the caller may see; raises `Forbidden`."""
    ids = _partnerships(uow, partnership, by)
    here = _of(ids)
    budgets = await uow.budgets.get_all(ids)
    # Of one index alone: no grant is read for it.
    counted = await uow.totals(Grant, here | {"board.stands": {"$gt": ""}}, of=None, by=("board.stands",))
    states, waits_for = dict.fromkeys(ON_BOARD, 0), dict.fromkeys(WaitsFor, 0)
    for (stands,), number in counted.items():
        state, waits = counted_as(stands)
        states[state] += int(number)
        for one in waits:
            waits_for[one] += int(number)
    return BoardTotals(
        states=states,
        waits_for=waits_for,
        overdue=await uow.count(Grant, here | _overdue(uow.now.date())),
        amount=sum((budget.reserved + budget.committed for budget in budgets), Decimal("0.00")),
    )


def _partnerships(uow: FundingUnitOfWork, partnership: str | None, by: Caller) -> list[str]:
    """Those to look at; several only for who sees everything."""
    if by.sees_everything:
        return [partnership] if partnership else [known.id for known in uow.partnerships]
    by.require_staff_of(partnership or by.partnership)
    assert by.partnership is not None
    return [by.partnership]


def _of(partnerships: Sequence[str]) -> Document:
    # Of several, each one's index is read in its order, and they are merged: none is sorted.
    return {"partnership": partnerships[0] if len(partnerships) == 1 else {"$in": list(partnerships)}}


def _conditions(wanted: BoardFilter, after: str | None, today: date) -> Document:
    asked: Document = {_sorted_by(wanted): {"$gt": after or _FIRST_OF}}
    if wanted.overdue:
        asked = _overdue(today, after or _FIRST_OF)
    elif wanted.overdue is False:
        asked["$or"] = [{"due": None}, {"due": {"$gte": str(today)}}]
    if wanted.state is not None:
        asked["state"] = wanted.state.value if _may_be(wanted.state, wanted.overdue) else {"$in": []}
    if wanted.gate is not None:
        asked["board.gates"] = wanted.gate
    if wanted.waits_for is not None:
        asked["board.waits_for"] = wanted.waits_for.value
    return asked


def _may_be(state: GrantState, overdue: bool | None) -> bool:
    return state in (PAYING if overdue else ON_BOARD)


def _sorted_by(wanted: BoardFilter) -> str:
    # Of what is overdue both are the same; each has an index of its own.
    return "board.due" if wanted.overdue else "board.clock"


def _overdue(today: date, after: str = _FIRST_OF) -> Document:
    return {"board.due": {"$gt": after, "$lt": str(today)}}


def _line(row: Document, today: date, has_account: bool) -> BoardLine:
    state, gates = GrantState(row["state"]), Gates.model_validate(row["gates"])
    stay = Window.model_validate(row.get("real_stay") or row["stay"])
    due = _DATE.validate_python(row.get("due"))
    strict_due = _DATE.validate_python(row.get("strict_due")) or stay.last_day + PAID_WITHIN
    return BoardLine(
        id=row["_id"],
        match_id=row["match_id"],
        partnership=row["partnership"],
        visitor=_side(row["visitor"]),
        host=_side(row["host"]),
        stay=stay,
        state=state,
        amount=Decimal(row["lump_sum"]["amount"]),
        gates=gates,
        clock=clock(state, due=due, strict_due=strict_due, today=today),
        missing=missing(
            state,
            gates,
            last_day=stay.last_day,
            today=today,
            match_ended=row.get("match_ended") is not None,
            has_account=has_account,
        ),
        place=row["board"]["clock"],
    )


def _side(party: Mapping[str, Any]) -> Side:
    return Side(party["organisation"], party["place"]["country"])
