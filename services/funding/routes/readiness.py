"""The payment-readiness board: what is under way, whose turn it is, how much time is left."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.funding.domain.readiness import WaitsFor
from services.funding.repositories import FundingUnitOfWork
from services.funding.routes.root import Root
from services.funding.use_cases.read_readiness import (
    BoardFilter,
    BoardLine,
    BoardTotals,
    count_readiness,
    read_readiness,
)
from shared.contracts.common import Window
from shared.contracts.vocabulary import GateName, GateState, GrantState, PartnershipId
from shared.http import After, Authenticated, Limit, problem_responses

router = APIRouter(tags=["readiness"])


class SideView(BaseModel):
    """One organisation of the exchange."""

    organisation: str
    country: str


class GateView(BaseModel):
    """One of the three gates, and since when it stands so."""

    gate: GateName
    state: GateState
    since: datetime


class ClockView(BaseModel):
    """The time for the payment."""

    due: Annotated[date | None, Field(description="Ten days after the last gate; null while one is open.")]
    strict_due: Annotated[date, Field(description="By the stricter reading: ten days after the stay.")]
    days_left: Annotated[
        int, Field(description="To `due`, while there is none to `strict_due`; negative when it is over.")
    ]
    overdue: Annotated[bool, Field(description="All gates are passed, and `due` is over.")]


class MissingView(BaseModel):
    """One thing to be done next, and by whom."""

    waits_for: WaitsFor
    sentence: str


class ReadinessLine(BaseModel):
    """A case under way; `amount` in EUR."""

    id: str
    match_id: str
    partnership: str
    visitor: SideView
    host: SideView
    stay: Annotated[Window, Field(description="The days as they were, else as they are planned.")]
    state: GrantState
    amount: Decimal
    gates: list[GateView]
    clock: ClockView
    missing: list[MissingView]

    @classmethod
    def of(cls, line: BoardLine) -> Self:
        """The line of this case."""
        return cls(
            id=line.id,
            match_id=line.match_id,
            partnership=line.partnership,
            visitor=SideView(**line.visitor._asdict()),
            host=SideView(**line.host._asdict()),
            stay=line.stay,
            state=line.state,
            amount=line.amount,
            gates=[
                GateView(gate=name, state=gate.state, since=gate.since)
                for name, gate in (
                    ("agreement", line.gates.agreement),
                    ("report", line.gates.report),
                    ("evidence", line.gates.evidence),
                )
            ],
            clock=ClockView(**line.clock._asdict()),
            missing=[MissingView(**one._asdict()) for one in line.missing],
        )


class ReadinessTotals(BaseModel):
    """All cases of the partnerships looked at, whatever else is filtered.

    Of tens of thousands of cases they may be some seconds old.
    """

    cases: int
    amount: Annotated[Decimal, Field(description="EUR reserved and committed.")]
    overdue: int
    states: dict[GrantState, int]
    waits_for: Annotated[
        dict[WaitsFor, int], Field(description="A case that waits for two is counted for both.")
    ]

    @classmethod
    def of(cls, totals: BoardTotals) -> Self:
        """The totals in figures."""
        return cls(
            cases=sum(totals.states.values()),
            amount=totals.amount,
            overdue=totals.overdue,
            states=dict(totals.states),
            waits_for=dict(totals.waits_for),
        )


class ReadinessPage(BaseModel):
    """A page of the board; `next` is `after` of the following page."""

    items: list[ReadinessLine]
    totals: Annotated[ReadinessTotals | None, Field(description="On the first page only.")]
    next: str | None


@router.get(
    "/readiness",
    summary="What is ready to be paid, and what is missing",
    response_description="A page in the order of the clocks, what is overdue first.",
    responses=problem_responses(401, 403, 422),
)
async def board(
    caller: Authenticated,
    funding: Root,
    partnership: Annotated[
        PartnershipId | None, Query(description="The one that pays; for staff their own, also without it.")
    ] = None,
    gate: Annotated[GateName | None, Query(description="Where this gate is open.")] = None,
    state: Annotated[
        Literal["reserved", "committed", "payable", "prepared", "released"] | None,
        Query(description="Where the money is."),
    ] = None,
    overdue: Annotated[bool | None, Query(description="Whether the payment's last day is over.")] = None,
    waits_for: Annotated[WaitsFor | None, Query(description="Whose turn it is.")] = None,
    limit: Limit = 50,
    after: After = None,
) -> ReadinessPage:
    """Every case from the money reserved to the bank's answer: gates, clock, what is missing and from whom.

    For staff of the partnership that pays, the support office and auditors.
    """
    wanted = BoardFilter(
        partnership=partnership,
        gate=gate,
        state=GrantState(state) if state else None,
        overdue=overdue,
        waits_for=waits_for,
    )

    async def read(uow: FundingUnitOfWork) -> tuple[list[BoardLine], BoardTotals | None]:
        lines = await read_readiness(uow, wanted, by=caller, after=after, limit=limit)
        if after:
            return lines, None
        asked = (caller.role, caller.partnership, partnership)
        return lines, await funding.board_totals.get(
            asked, lambda: count_readiness(uow, partnership, by=caller)
        )

    lines, totals = await funding.transactions.read(read)
    return ReadinessPage(
        items=[ReadinessLine.of(line) for line in lines],
        totals=ReadinessTotals.of(totals) if totals else None,
        next=lines[-1].place if len(lines) == limit else None,
    )
