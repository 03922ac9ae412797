"""How far a partnership is: exchanges done, out of its objective."""

from __future__ import annotations

from services.funding.domain.progress import Progress
from services.funding.repositories import FundingUnitOfWork
from shared.partnerships import Partnership


async def read_progress(uow: FundingUnitOfWork, partnership: Partnership) -> Progress:
    """Exchanges counted for the partnership: those it brought along, and those with a validated report.

    A grant without one is a plan, and one for which nothing is due, or all came back, counts no more.
    """
    tally = await uow.tallies.find(partnership.id)
    return Progress(partnership.done + (tally.done if tally else 0), partnership.objective)
