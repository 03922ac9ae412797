"""A forecast was made: the partnership is told when something comes out of its reach, or into it again."""

from __future__ import annotations

from services.funding.domain.forecast import Forecast
from services.funding.domain.outlook import Outlook
from services.funding.repositories import FundingUnitOfWork


async def warn_early(uow: FundingUnitOfWork, partnership: str, forecast: Forecast) -> bool:
    """Whether there was something to tell: other warnings than the last time."""
    outlook = await uow.outlooks.find(partnership)
    if outlook is None:
        if not forecast.warnings:
            return False
        outlook = Outlook(id=partnership)
        uow.outlooks.add(outlook)
    return outlook.take(forecast.warnings, on=forecast.on)
