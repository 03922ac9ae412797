"""The last day for a payment is over: its staff and the support office are told, once for each such day."""

from __future__ import annotations

from collections.abc import Sequence

from services.funding.repositories import FundingUnitOfWork


async def tell_overdue(uow: FundingUnitOfWork, ids: Sequence[str]) -> None:
    """Tell it of those of these grants for which it is still true, and news."""
    for grant in await uow.grants.get_all(ids):
        if grant.is_newly_overdue(uow.now.date()):
            grant.tell_overdue()
