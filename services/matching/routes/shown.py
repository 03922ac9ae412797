"""What routes of several resources show."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel

from shared.contracts.common import Party, Place
from shared.contracts.vocabulary import OrganisationKind


class PartnerView(BaseModel):
    """An organisation as others may see it."""

    registration_id: str
    organisation: str
    kind: OrganisationKind
    place: Place
    partnership: str | None
    email: str | None = None
    """Shown in a match once both organisations have agreed."""

    @classmethod
    def of(cls, party: Party, *, with_contact: bool = False) -> Self:
        """The party without what is nobody else's concern."""
        return cls(
            registration_id=party.registration_id,
            organisation=party.organisation,
            kind=party.kind,
            place=party.place,
            partnership=party.partnership,
            email=party.email if with_contact else None,
        )
