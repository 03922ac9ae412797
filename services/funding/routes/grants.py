"""Grants: list and read."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.funding.domain.grant import Grant
from services.funding.domain.lump_sum import LumpSum
from services.funding.routes.root import Root
from shared.contracts.common import Party, Place, Window
from shared.contracts.funding import Gates
from shared.contracts.vocabulary import GrantState, PartnershipId
from shared.http import After, Authenticated, Limit, next_of, problem_responses

router = APIRouter(tags=["grants"])


class PartyView(BaseModel):
    """One side of an exchange, without its addresses."""

    registration_id: str
    organisation: str
    place: Place
    partnership: str | None


class GrantLine(BaseModel):
    """A grant in a list; `amount` in EUR, null where none is certain.

    `stay` are the days the match was approved for, `real_stay` those it took; `due` is ten days after the
    last gate, `strict_due` ten days after the stay, null before the grant is payable.
    """

    id: str
    match_id: str
    partnership: str
    state: GrantState
    amount: Decimal | None
    visitor: PartyView
    host: PartyView
    stay: Window
    real_stay: Window | None
    gates: Gates
    due: date | None
    strict_due: date | None
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
    payment_id: str | None
    """The payment it is in, or was paid by."""
    paid_on: date | None
    reference: str | None
    """What the bank calls the payment."""
    claimed: Decimal
    """What is claimed back and has not come yet, EUR."""
    recovered: Decimal
    """What came back of the amount paid, EUR."""
    match_ended: datetime | None
    """When the match was cancelled though the money was in a payment: staff must settle it."""
    reason: str | None
    """Why it was cancelled, or its match ended."""

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """The grant as those who may see it see it."""
        return cls(
            **_line(grant),
            version=grant.version,
            lump_sum=grant.lump_sum,
            position=grant.position,
            payment_id=grant.payment_id,
            paid_on=grant.paid_on,
            reference=grant.reference,
            claimed=grant.claimed,
            recovered=grant.recovered,
            match_ended=grant.match_ended,
            reason=grant.reason,
        )


class GrantPage(BaseModel):
    """A page of grants in the order of their ids; `next` is `after` of the following page."""

    items: list[GrantLine]
    next: str | None


@router.get(
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


@router.get(
    "/grants/{id}",
    summary="Read a grant",
    response_description="The grant in full.",
    responses=problem_responses(401, 404),
)
async def read(id: str, caller: Authenticated, funding: Root) -> GrantView:
    """State, amount, the calculation day by day, and the receipt."""
    return GrantView.of(await funding.transactions.read(lambda uow: uow.grants.get_visible_to(caller, id)))


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
        "real_stay": grant.real_stay,
        "gates": grant.gates,
        "due": grant.due,
        "strict_due": grant.strict_due,
        "sentence": grant.lump_sum.receipt.sentence if grant.lump_sum else "",
    }


def _party(party: Party) -> PartyView:
    return PartyView(
        registration_id=party.registration_id,
        organisation=party.organisation,
        place=party.place,
        partnership=party.partnership,
    )
