"""The Commitment to Quality as a document: what the four sign."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Literal, get_args

from shared.contracts.common import Window
from shared.contracts.matching import SigningRole
from shared.signing import Signable, Signed, Written


class Signatory(Written):
    """One side of the exchange, as the document names it."""

    organisation: str
    city: str
    country: str
    """ISO 3166-1 code."""
    partnership: str
    """The name of the partnership that has its case."""


class AgendaItem(Written):
    """What happens when, and who sees to it. Times are local, `09:30`; absent where they are open."""

    day: date
    begins: str | None = None
    ends: str | None = None
    title: str
    responsible: str


class Content(Signable):
    """What the four sign: fields of the form, whose own words are the same for everybody."""

    KIND: ClassVar[str] = "commitment"
    ROLES: ClassVar[tuple[SigningRole, ...]] = get_args(SigningRole)
    ALL: ClassVar[str] = "All four"

    form: Literal["cxc-commitment/1"] = "cxc-commitment/1"
    match_id: str
    drawn_up_at: datetime
    visitor: Signatory
    host: Signatory
    first_day: date
    last_day: date
    goals: str
    agenda: list[AgendaItem]
    expected_results: str

    @property
    def stay(self) -> Window:
        """The days at the host."""
        return Window(first_day=self.first_day, last_day=self.last_day)

    def name_of(self, role: SigningRole) -> str:
        """For whom that role signs."""
        side = self.host if role in ("HO", "HOP") else self.visitor
        return side.organisation if role in ("HO", "VO") else side.partnership


class SignedDocument(Signed[Content]):
    """A commitment with the signatures on it."""
