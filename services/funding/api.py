"""The funding API: grants, previews of lump sums, progress and budget of partnerships."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Self, cast

from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request
from pydantic import BaseModel, Field

from services.funding.bootstrap import Funding, bootstrap
from services.funding.domain.budget import Budget
from services.funding.domain.grant import Grant
from services.funding.domain.lump_sum import LumpSum
from services.funding.domain.stay import Stay
from services.funding.settings import FundingSettings
from services.funding.use_cases.preview_lump_sum import preview_lump_sum
from services.funding.use_cases.read_budget import read_budget
from services.funding.use_cases.read_progress import read_progress
from services.funding.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts.common import Party, Place, Window
from shared.contracts.vocabulary import GrantState, PartnershipId
from shared.errors import NotFound
from shared.held import Kind, held_router
from shared.http import After, Authenticated, Limit, create_api, next_of, problem_responses
from shared.partnerships import Partnership
from shared.security import Caller

grants = APIRouter(tags=["grants"])
lump_sums = APIRouter(tags=["lump sums"])
partnerships = APIRouter(tags=["partnerships"])


def root(request: Request) -> Funding:
    """The composition root this API was started with."""
    return cast(Funding, request.app.state.root)


Root = Annotated[Funding, Depends(root)]


def partnership(id: str, funding: Root) -> Partnership:
    """The partnership of the path."""
    found = funding.partnerships.get(id)
    if found is None:
        raise NotFound(f"There is no partnership '{id}'.")
    return found


InPath = Annotated[Partnership, Depends(partnership)]


class PartyView(BaseModel):
    """One side of an exchange, without its addresses."""

    registration_id: str
    organisation: str
    place: Place
    partnership: str | None


class GrantLine(BaseModel):
    """A grant in a list; `amount` in EUR, null where none is certain."""

    id: str
    match_id: str
    partnership: str
    state: GrantState
    amount: Decimal | None
    visitor: PartyView
    host: PartyView
    stay: Window
    sentence: str
    """Why the amount is what it is."""

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """The line for this grant."""
        return cls(**_line(grant))


class GrantView(GrantLine):
    """A grant in full, with the calculation and its receipt."""

    version: int
    """Counts the changes; the `sequence` of the last event about it."""
    lump_sum: LumpSum | None
    position: int | None
    """Its place in the queue, while or after it waited for budget."""
    reason: str | None
    """Why it was cancelled."""

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """The grant as those who may see it see it."""
        return cls(
            **_line(grant),
            version=grant.version,
            lump_sum=grant.lump_sum,
            position=grant.position,
            reason=grant.reason,
        )


class GrantPage(BaseModel):
    """A page of grants in the order of their ids; `next` is `after` of the following page."""

    items: list[GrantLine]
    next: str | None


class ProgressView(BaseModel):
    """Exchanges with a validated report, out of the objective."""

    partnership: str
    name: str
    done: int
    objective: int
    percent: float
    sentence: str = Field(examples=["23 / 80, 28.75 %"])


class BudgetView(BaseModel):
    """A partnership's money, EUR: total = reserved + available; `awaiting` is wanted beyond that."""

    partnership: str
    total: Decimal
    reserved: Decimal
    available: Decimal
    awaiting: Decimal
    awaiting_grants: int

    @classmethod
    def of(cls, budget: Budget) -> Self:
        """The budget in figures."""
        return cls(
            partnership=budget.id,
            total=budget.total,
            reserved=budget.reserved,
            available=budget.available,
            awaiting=budget.awaiting_amount,
            awaiting_grants=budget.awaiting,
        )


_MILAN: Final = {
    "host_country": "IT",
    "host_region": "MI",
    "host_place": {"city": "Milan", "country": "IT"},
    "visitor_place": {"city": "Lisbon", "country": "PT"},
    "visitor_country": "PT",
    "first_day": "2023-02-14",
    "last_day": "2023-02-16",
    "accepted_days": [],
}
_SATURDAY: Final = {
    "host_country": "AT",
    "host_place": {"lat": 48.2085, "lon": 16.3721},
    "visitor_place": {"lat": 44.4323, "lon": 26.1063},
    "visitor_country": "RO",
    "first_day": "2023-03-14",
    "last_day": "2023-03-18",
    "accepted_days": [{"day": "2023-03-18", "reason": "Open day of the host's cluster"}],
    "agreed_amount": "850.00",
}
Sent = Annotated[
    Stay,
    Body(
        openapi_examples={
            "three days in Milan": {"summary": "Half of the rate: three working days", "value": _MILAN},
            "with a Saturday": {
                "summary": "An accepted Saturday, less than the rate",
                "value": _SATURDAY,
            },
        }
    ),
]


@grants.get(
    "/grants",
    summary="List grants",
    response_description="A page in the order of the ids.",
    responses=problem_responses(401, 422),
)
async def page(
    caller: Authenticated,
    funding: Root,
    state: GrantState | None = None,
    partnership: Annotated[PartnershipId | None, Query(description="The one that pays.")] = None,
    limit: Limit = 50,
    after: After = None,
) -> GrantPage:
    """The grants the caller may see, filtered.

    A visiting organisation sees its own, staff those of matches their partnership has a side in, the
    support office and auditors all.
    """
    found = await funding.transactions.read(
        lambda uow: uow.grants.page(caller, state=state, partnership=partnership, after=after, limit=limit)
    )
    return GrantPage(items=[GrantLine.of(grant) for grant in found], next=next_of(found, limit))


@grants.get(
    "/grants/{id}",
    summary="Read a grant",
    response_description="The grant in full.",
    responses=problem_responses(401, 404),
)
async def read(id: str, caller: Authenticated, funding: Root) -> GrantView:
    """State, amount, the calculation day by day, and the receipt."""
    return GrantView.of(await funding.transactions.read(lambda uow: uow.grants.get_visible_to(caller, id)))


@lump_sums.post(
    "/lump-sums/preview",
    summary="Preview a lump sum",
    response_description="What would be paid, and why; nothing is stored.",
    responses=problem_responses(401, 409, 413, 422),
)
async def preview(stay: Sent, caller: Authenticated, funding: Root) -> LumpSum:
    """The rules applied to any stay, by the rates in force on its first day.

    `outcome` is `payable`, `not_eligible` (amount 0.00) or `needs_review` (amount null: a place that is
    not certain, a rate that is not on file, a country the sources disagree on; the receipt says what
    is missing). Each day of the stay is listed with whether it counts as a working day, and why.

    An `agreed_amount` over the rate is a 409, as a partnership may pay less than the rate, never more.
    """
    return preview_lump_sum(stay, funding.policies)


@partnerships.get(
    "/partnerships/{id}/progress",
    summary="Progress of a partnership",
    response_description="Exchanges done, out of the objective.",
    responses=problem_responses(404),
)
async def progress(partnership: InPath) -> ProgressView:
    """Public: how many exchanges the partnership has brought to their end."""
    progress = read_progress(partnership)
    return ProgressView(
        partnership=partnership.id,
        name=partnership.name,
        done=progress.done,
        objective=progress.objective,
        percent=float(progress.percent),
        sentence=progress.sentence,
    )


@partnerships.get(
    "/partnerships/{id}/budget",
    summary="Budget of a partnership",
    response_description="The budget in figures.",
    responses=problem_responses(401, 403, 404),
)
async def budget(caller: Authenticated, partnership: InPath, funding: Root) -> BudgetView:
    """Total, reserved, available and awaited; for its staff, the support office and auditors."""
    return BudgetView.of(
        await funding.transactions.read(lambda uow: read_budget(uow, partnership, by=caller))
    )


def _line(grant: Grant) -> dict[str, object]:
    return {
        "id": grant.id,
        "match_id": grant.match_id,
        "partnership": grant.partnership,
        "state": grant.state,
        "amount": grant.lump_sum.amount if grant.lump_sum else None,
        "visitor": _party(grant.visitor),
        "host": _party(grant.host),
        "stay": grant.stay,
        "sentence": grant.lump_sum.receipt.sentence if grant.lump_sum else "",
    }


def _party(party: Party) -> PartyView:
    return PartyView(
        registration_id=party.registration_id,
        organisation=party.organisation,
        place=party.place,
        partnership=party.partnership,
    )


async def _tell(root: Funding, id: str, caller: Caller) -> list[Kind]:
    return await root.transactions.read(lambda uow: tell_what_is_held(uow, id, by=caller))


held = held_router("funding", _tell)


def create_app(settings: FundingSettings | None = None) -> FastAPI:
    """The API: `uvicorn services.funding.api:create_app --factory`."""
    settings = settings or FundingSettings.load()
    return create_api(
        settings,
        title="ClusterXchange funding",
        description="Lump sums of approved matches, with their receipts, and the budgets they are paid from.",
        routers=[grants, lump_sums, partnerships, held],
        bootstrap=lambda: bootstrap(settings),
    )
