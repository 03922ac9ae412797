"""Somebody waits for certain profiles to join the pool, looks at what it waits for, or waits no more."""

from __future__ import annotations

from services.matching.domain.catalogue_filter import CatalogueFilter, CatalogueSide
from services.matching.domain.saved_search import SavedSearch, SearchBook, book_id
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.envelope import new_id
from shared.errors import Forbidden, NotFound
from shared.security import Caller, CallerRole


async def save_search(
    uow: MatchingUnitOfWork,
    name: str,
    side: CatalogueSide,
    asked: CatalogueFilter,
    *,
    registration_id: str | None,
    by: Caller,
) -> SavedSearch:
    """Wait for such profiles, for a registration of the caller's or its partnership's staff.

    Raises `NotFound`, `Forbidden` and `TooManySearches`.
    """
    book = await _book(uow, registration_id, by)
    return book.save(new_id(), name, side, asked, uow.now)


async def saved_searches(
    uow: MatchingUnitOfWork, *, registration_id: str | None, by: Caller
) -> list[SavedSearch]:
    """The searches of a registration of the caller's, or of its partnership's staff."""
    return (await _book(uow, registration_id, by)).searches


async def delete_search(uow: MatchingUnitOfWork, id: str, *, registration_id: str | None, by: Caller) -> None:
    """Wait for it no more; raises `NotFound`."""
    (await _book(uow, registration_id, by)).delete(id)


async def _book(uow: MatchingUnitOfWork, registration_id: str | None, by: Caller) -> SearchBook:
    if registration_id is not None:
        candidate = await uow.candidates.find(registration_id)
        party = candidate.party if candidate is not None and candidate.in_pool else None
        if party is None or not by.acts_for(party.owner):
            raise NotFound(f"There is no registration {registration_id} in the pool, or none of yours.")
        partnership = None
    elif by.role is CallerRole.STAFF and by.partnership is not None:
        partnership = by.partnership
    else:
        raise Forbidden(
            "Name your registration by `for`; without it, searches are for staff of a partnership."
        )
    book = await uow.search_books.find(book_id(registration_id=registration_id, partnership=partnership))
    if book is None:
        book = SearchBook.of(registration_id=registration_id, partnership=partnership)
        uow.search_books.add(book)
    return book
