"""Every euro of a partnership that moved: what its staff and those who audit it read."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

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
    newest_first: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> tuple[list[LedgerEntry], dict[Account, Decimal]]:
    """A page of its entries, and what each account held before the earliest of them (EUR).

    All that moved before counts for that, whatever the filters leave. Raises `Forbidden` for all but the
    partnership's staff, the support office and auditors.
    """
    if not by.sees_everything:
        by.require_staff_of(partnership.id)
    page = await uow.ledger.page(
        partnership.id,
        grant=grant,
        account=account,
        first_day=first_day,
        last_day=last_day,
        newest_first=newest_first,
        after=after,
        limit=limit,
    )
    earliest = min((entry.number for entry in page), default=1)
    return page, await uow.ledger.balances_before(partnership.id, earliest)
