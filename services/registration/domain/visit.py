"""The once-only register: which organisation has used its one visit of the scheme, and for which match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from shared.aggregate import Aggregate


class VisitUse(BaseModel):
    """An approved match that uses the visit up."""

    model_config = ConfigDict(frozen=True)

    match_id: str
    registration_id: str
    partnership: str | None


def visit_keys(registration_id: str, identifiers: Sequence[str]) -> list[str]:
    """The keys a visit is registered under: each identifier once, or the registration where there is none."""
    return list(dict.fromkeys(identifiers)) or [f"registration:{registration_id}"]


class Visit(Aggregate):
    """The one visit of the organisation with this key, its id: an identifier (`vat:…`, `euid:…`, `pic:…`),
    a merge of registrations (`merge:…`), or the registration itself where it has neither.

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

    def leave(self, registration_id: str) -> None:
        """The registration was found not to be of this organisation: what it used is not this visit."""
        kept = [use for use in self.uses if use.registration_id != registration_id]
        if len(kept) != len(self.uses):
            self.uses = kept
            self._touch()

    def is_used_by_other_than(self, registration_id: str) -> bool:
        """Whether a match of another registration used the visit.

        Its own match does not count: an approved visitor may still amend its registration.
        """
        return any(use.registration_id != registration_id for use in self.uses)

    def is_used_by(self, registration_id: str) -> bool:
        """Whether a match of this registration uses the visit."""
        return any(use.registration_id == registration_id for use in self.uses)
