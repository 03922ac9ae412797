"""Saved searches: what somebody waits for in the catalogue, and who has come that it has not heard of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict

from services.matching.domain.catalogue_filter import CatalogueFilter, CatalogueSide
from services.matching.domain.errors import TooManySearches
from services.matching.domain.fit import Prospect
from shared.aggregate import Aggregate
from shared.contracts.common import Party
from shared.contracts.matching import PublicProfile, SearchMatched
from shared.errors import NotFound

MOST_SEARCHES: Final = 20
"""Of one registration or partnership."""

PAUSE: Final = timedelta(hours=1)
"""Between two notifications of one search: what comes meanwhile is collected."""

TOLD: Final = 20
"""Profiles in one notification; of more their number is told."""


class SavedSearch(BaseModel):
    """One search; `found` are registrations not told of yet."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    side: CatalogueSide
    asked: CatalogueFilter
    made_at: datetime
    seen_until: datetime
    """Whoever joined the pool until then has been compared."""
    found: list[str] = []
    told_at: datetime | None = None


class SearchBook(Aggregate):
    """The saved searches of a registration, or of the staff of a partnership."""

    COLLECTION: ClassVar[str] = "searches"

    registration_id: str | None = None
    partnership: str | None = None
    searches: list[SavedSearch] = []
    waiting: bool = False
    """Some search has found what nobody was told of yet."""

    @classmethod
    def of(cls, *, registration_id: str | None, partnership: str | None) -> Self:
        """An empty book of one of the two."""
        id = book_id(registration_id=registration_id, partnership=partnership)
        return cls(id=id, registration_id=registration_id, partnership=partnership)

    def save(
        self, id: str, name: str, side: CatalogueSide, asked: CatalogueFilter, at: datetime
    ) -> SavedSearch:
        """Wait for profiles that join the pool from now on; raises `TooManySearches`."""
        if len(self.searches) >= MOST_SEARCHES:
            raise TooManySearches(
                f"There are {MOST_SEARCHES} saved searches, which are the most; delete one first."
            )
        search = SavedSearch(id=id, name=name, side=side, asked=asked, made_at=at, seen_until=at)
        self.searches = [*self.searches, search]
        self._touch()
        return search

    def delete(self, id: str) -> None:
        """Wait for it no more; raises `NotFound`."""
        left = [search for search in self.searches if search.id != id]
        if len(left) == len(self.searches):
            raise NotFound(f"There is no saved search {id}, or none of yours.")
        self._replace(left)

    def find(self, search: SavedSearch, ids: Iterable[str], until: datetime) -> None:
        """These meet the search, among all that joined until then."""
        self._replace(
            [
                one.model_copy(update={"found": [*one.found, *ids], "seen_until": until})
                if one.id == search.id
                else one
                for one in self.searches
            ]
        )

    def tell(self, party: Party | None, members: dict[str, Prospect], at: datetime) -> None:
        """Tell of what was found by searches whose last notification is long enough ago.

        `members` are those of the found that are still in the pool.
        """
        told: list[SavedSearch] = []
        for search in self.searches:
            if search.found and (search.told_at is None or at - search.told_at >= PAUSE):
                found = [PublicProfile.of(members[id].party) for id in search.found if id in members]
                if found:
                    self._record(
                        SearchMatched(
                            search_id=search.id,
                            name=search.name,
                            party=party,
                            partnership=self.partnership,
                            side=search.side,
                            found=found[:TOLD],
                            more=max(len(found) - TOLD, 0),
                        )
                    )
                    search = search.model_copy(update={"told_at": at})
                search = search.model_copy(update={"found": []})
            told.append(search)
        if told != self.searches:
            self._replace(told)

    def _replace(self, searches: list[SavedSearch]) -> None:
        self.searches = searches
        self.waiting = any(search.found for search in searches)
        self._touch()


def book_id(*, registration_id: str | None, partnership: str | None) -> str:
    """The id of the book of a registration, or else of a partnership's staff."""
    return f"registration:{registration_id}" if registration_id else f"partnership:{partnership}"


class SearchRound(Aggregate):
    """How far all saved searches have looked; there is one."""

    COLLECTION: ClassVar[str] = "search_rounds"
    ID: ClassVar[str] = "searches"

    until: datetime

    def go_on(self, until: datetime) -> None:
        """Whoever joined the pool until then has been compared with every search."""
        self.until = until
        self._touch()
