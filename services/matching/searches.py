"""Saved searches are looked through beside the event flow: each minute with who has joined meanwhile."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

from services.matching.bootstrap import Matching
from services.matching.domain.saved_search import SearchBook, SearchRound
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.tell_searchers import tell_searchers
from shared.chores import Round, ids_of

CAUGHT_UP_AT_ONCE: Final = 50
"""Profiles between which the lanes go on."""
SETTLED: Final = timedelta(minutes=2)
"""Whoever joined longer ago is in the catalogue of this process; a transaction ends long before that."""


async def look_through_searches(round: Round[Matching]) -> None:
    """Compare every saved search with those who joined since the last round, and tell of what is found."""
    matching, until = round.root, round.now - SETTLED
    books = matching.database[SearchBook.COLLECTION]
    if await books.find_one({}, {"_id": 1}) is None:
        return
    while matching.catalogue.catch_up(CAUGHT_UP_AT_ONCE):  # noqa: ASYNC110 - this does the work
        await asyncio.sleep(0)
    last = await matching.transactions.read(lambda uow: uow.search_rounds.find(SearchRound.ID))
    newcomers = matching.catalogue.joined(last.until if last is not None else until, until)

    async def find(_: Matching, at: datetime) -> list[str]:
        return await ids_of(books, {} if newcomers else {"waiting": True})

    await round.for_all(
        find,
        lambda uow, ids: tell_searchers(
            uow, ids, catalogue=matching.catalogue, newcomers=newcomers, until=until
        ),
    )
    if (newcomers or last is None) and await round.goes_on():
        await matching.transactions.run(lambda uow: _go_on(uow, until))


async def _go_on(uow: MatchingUnitOfWork, until: datetime) -> None:
    last = await uow.search_rounds.find(SearchRound.ID)
    if last is None:
        last = SearchRound(id=SearchRound.ID, until=until)
        uow.search_rounds.add(last)
    last.go_on(until)
