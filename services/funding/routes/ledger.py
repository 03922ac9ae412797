"""The ledger of a partnership."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.funding.domain.ledger import Account, LedgerEntry, Why
from services.funding.routes.root import InPath, Root
from services.funding.use_cases.read_ledger import read_ledger
from shared.contracts.vocabulary import Day
from shared.http import After, Authenticated, Limit, next_of, problem_responses

router = APIRouter(tags=["partnerships"])


class LedgerEntryView(BaseModel):
    """One movement, EUR: out of the account `credit`, into the account `debit`."""

    number: int = Field(examples=[42])
    """Counts the partnership's entries without a gap."""
    at: datetime
    debit: Account
    credit: Account
    amount: Decimal = Field(examples=["450.00"])
    why: Why
    grant: str | None
    grant_version: int | None
    """The `sequence` of the event that tells of it."""

    @classmethod
    def of(cls, entry: LedgerEntry) -> Self:
        """The entry as it is shown."""
        return cls(**entry.model_dump(include=set(cls.model_fields)))


class LedgerPage(BaseModel):
    """A page of entries in the order of their numbers; `next` is `after` of the following page."""

    items: list[LedgerEntryView]
    before: dict[Account, Decimal]
    """What each account held before the earliest of the items: all that moved before, filtered or not."""
    next: str | None


@router.get(
    "/partnerships/{id}/ledger",
    summary="Ledger of a partnership",
    response_description="A page of entries, and the balances before them.",
    responses=problem_responses(401, 403, 404, 422),
)
async def ledger(
    caller: Authenticated,
    partnership: InPath,
    funding: Root,
    grant: Annotated[str | None, Query(max_length=200, description="Only what moved for it.")] = None,
    account: Annotated[Account | None, Query(description="Only what went in or out there.")] = None,
    first_day: Annotated[Day | None, Query(description="From the beginning of that day on, UTC.")] = None,
    last_day: Annotated[Day | None, Query(description="Until the end of that day, UTC.")] = None,
    newest_first: Annotated[bool, Query(description="The other way round.")] = False,
    limit: Limit = 50,
    after: After = None,
) -> LedgerPage:
    """Each euro that moved, from which account to which, when, why and for which grant.

    All of a partnership's money is `available`, `reserved` (a match is approved), `committed` (the
    financial agreement is signed) or `paid`; `budget` is where it comes from. An entry is never
    changed or deleted: what was wrong is corrected by another one. For the partnership's staff, the
    support office and auditors.
    """
    found, before = await funding.transactions.read(
        lambda uow: read_ledger(
            uow,
            partnership,
            by=caller,
            grant=grant,
            account=account,
            first_day=first_day,
            last_day=last_day,
            newest_first=newest_first,
            after=after,
            limit=limit,
        )
    )
    return LedgerPage(
        items=[LedgerEntryView.of(entry) for entry in found], before=before, next=next_of(found, limit)
    )
