"""Every euro of a partnership that moved: what its staff and those who audit it read."""

from __future__ import annotations

from datetime import date

from services.funding.domain.ledger import Account, LedgerEntry
from services.funding.repositories import FundingUnitOfWork
from shared.partnerships import Partnership
from shared.security import Caller


async def read_ledger(
    uow: FundingUnitOfWork,
    partnership: Partnership,
    *,
    by: Caller,
    grant: str | None = None,
    account: Account | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[LedgerEntry]:
    """A page of its entries, oldest first.

    Raises `Forbidden` for all but the partnership's staff, the support office and auditors.
    """
    if not by.sees_everything:
        by.require_staff_of(partnership.id)
    return await uow.ledger.page(
        partnership.id,
        grant=grant,
        account=account,
        first_day=first_day,
        last_day=last_day,
        after=after,
        limit=limit,
    )
