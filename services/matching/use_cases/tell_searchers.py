"""New profiles have joined the pool: whoever waits for such ones is told, at most once an hour a search."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.matching.catalogue import Catalogue
from services.matching.domain.fit import Prospect
from services.matching.domain.saved_search import SearchBook
from services.matching.repositories import MatchingUnitOfWork


async def tell_searchers(
    uow: MatchingUnitOfWork,
    ids: Sequence[str],
    *,
    catalogue: Catalogue,
    newcomers: Sequence[Prospect],
    until: datetime,
) -> None:
    """Compare these search books with the newcomers, all who joined until then; tell of what is found."""
    books = await uow.search_books.get_all(ids)
    owners = await uow.candidates.get_all([book.registration_id for book in books if book.registration_id])
    searchers = {owner.id: owner for owner in owners if owner.in_pool}
    for book in books:
        searcher = searchers.get(book.registration_id or "")
        if book.registration_id is not None and searcher is None:
            continue
        party = searcher.party if searcher is not None else None
        own = party.owner if party is not None else None
        _find(book, catalogue, [one for one in newcomers if one.party.owner != own], until)
        found = {id for search in book.searches for id in search.found}
        members = {id: member for id in found if (member := catalogue.member(id)) is not None}
        book.tell(party, members, uow.now)


def _find(book: SearchBook, catalogue: Catalogue, newcomers: Sequence[Prospect], until: datetime) -> None:
    for search in book.searches:
        seen_ms = int(search.seen_until.timestamp() * 1000)
        unseen = [one for one in newcomers if one.since_ms > seen_ms]
        if not unseen:
            continue
        meets = catalogue.filter(search.side, search.asked, until.date())
        if ids := [one.id for one in unseen if meets(one)]:
            book.find(search, ids, until)
