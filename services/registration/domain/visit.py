"""The once-only register: which organisation has used its one visit of the scheme, and for which match."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from shared.aggregate import Aggregate


class VisitUse(BaseModel):
    """An approved match that uses the visit up."""

    model_config = ConfigDict(frozen=True)

    match_id: str
    registration_id: str
    partnership: str | None


class Visit(Aggregate):
    """The one visit of the organisation with this identifier (`vat:…`, `euid:…`, `pic:…`), its id.

    Matching decides which match may claim the visit; this register only remembers what was approved,
    so that later registrations are screened with it.
    """

    COLLECTION: ClassVar[str] = "visits"

    uses: list[VisitUse] = []

    def use(self, use: VisitUse) -> None:
        """The match was approved."""
        self.uses.append(use)
        self._touch()

    def give_back(self, match_id: str) -> None:
        """The match was cancelled; a match that was never recorded here changes nothing."""
        kept = [use for use in self.uses if use.match_id != match_id]
        if len(kept) != len(self.uses):
            self.uses = kept
            self._touch()

    def is_used_by_other_than(self, registration_id: str) -> bool:
        """Whether a match of another registration used the visit.

        Its own match does not count: an approved visitor may still amend its registration.
        """
        return any(use.registration_id != registration_id for use in self.uses)
