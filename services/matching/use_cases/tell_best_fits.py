"""Newcomers to the pool are told of their best fits, beside the event flow and each of them once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from services.matching.domain.fit import Prospect
from services.matching.domain.pool import PoolView
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.matching import FitsFound, Side
from shared.storage.unit_of_work import because_of

BEST_FITS: Final = 3
"""Partners one is told of, for each of its roles."""
REASONS_TOLD: Final = 3
"""Reasons a fit has in the event, which all services read; the suggestions of the API have them all."""
LISTS_AT_ONCE: Final = 10


@dataclass
class FoundFits:
    """What was found for all on some lists of newcomers."""

    lists: list[str] = field(default_factory=list)
    by_registration: dict[str, list[FitsFound]] = field(default_factory=dict)


async def find_best_fits(uow: MatchingUnitOfWork) -> FoundFits:
    """Search the pool for those who have waited longest, of those it has heard of."""
    found = FoundFits()
    for newcomers in await uow.newcomers.oldest(LISTS_AT_ONCE):
        if not newcomers.all_are_in(uow.pool):
            continue
        found.lists.append(newcomers.id)
        for one in newcomers.waiting:
            # Who has left by now is on the list no longer when it is read again.
            if (prospect := uow.pool.member(one.registration_id)) is not None:
                found.by_registration[prospect.id] = list(_best_fits(uow.pool, prospect))
            await asyncio.sleep(0)
    return found


def _best_fits(pool: PoolView, prospect: Prospect) -> Iterator[FitsFound]:
    sides: dict[Side, bool] = {"visitor": prospect.visits, "host": prospect.hosts}
    for side in (side for side, looks in sides.items() if looks):
        fits, considered = pool.best(prospect, side, limit=BEST_FITS, told=REASONS_TOLD)
        yield FitsFound(party=prospect.party, side=side, fits=fits, considered=considered)


async def tell_best_fits(uow: MatchingUnitOfWork, found: FoundFits) -> None:
    """Tell those who are still on the lists of what was found for them; end the lists."""
    for newcomers in await uow.newcomers.get_all(found.lists):
        for one in newcomers.waiting:
            with because_of(one.cause):
                for number, fits in enumerate(found.by_registration[one.registration_id]):
                    uow.publish(fits, subject=one.registration_id, sequence=one.sequence + number)
        uow.newcomers.remove(newcomers)
