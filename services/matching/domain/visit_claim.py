"""The once-only register: who used the one visit of the scheme, by identifier of the organisation."""

from __future__ import annotations

from typing import ClassVar

from services.matching.domain.errors import VisitAlreadyClaimed
from shared.aggregate import Aggregate


class VisitClaim(Aggregate):
    """The visit right of one identifier; its id is `vat:…`, `euid:…`, `pic:…`, `merge:…` or `registration:…`.

    Inserted with the last approval in one transaction, so that of two at the same moment one wins
    whatever registrations and partnerships they come from.
    """

    COLLECTION: ClassVar[str] = "visit_claims"

    match_id: str | None = None
    """The match that uses the visit; None when it was given back."""

    def is_taken_by_other(self, match_id: str) -> bool:
        """Whether another match uses the visit."""
        return self.match_id not in (None, match_id)

    def require_free_for(self, match_id: str) -> None:
        """Raises `VisitAlreadyClaimed` when another match uses the visit."""
        if self.is_taken_by_other(match_id):
            raise VisitAlreadyClaimed("The visitor's one visit of the scheme is claimed by another match.")

    def take(self, match_id: str) -> None:
        """This match uses the visit."""
        self.require_free_for(match_id)
        self.match_id = match_id
        self._touch()

    def give_back(self, match_id: str) -> None:
        """The match that used the visit was cancelled."""
        if self.match_id == match_id:
            self.match_id = None
            self._touch()
