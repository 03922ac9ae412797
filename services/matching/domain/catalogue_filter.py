"""What the profiles of a catalogue can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.matching.domain.fit import ECOSYSTEM_BITS, GOAL_BITS, Prospect
from services.matching.domain.stay import SHORTEST_STAY, free_stretches
from shared.contracts.vocabulary import Country, Ecosystem, Goal, Language, OrganisationKind, PartnershipId

CatalogueSide = Literal["hosts", "visitors"]

Check = Callable[[Prospect], bool]

Facet = tuple[str, str]
"""What is asked for, and its value: `("country", "IT")`."""

_Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"),
]


class CatalogueFilter(BaseModel):
    """Which profiles are meant; all that is given must hold.

    A name that is none of these is refused: a misspelt filter would show more than was meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: Annotated[Country | None, Field(description="Two-letter ISO 3166 code.")] = None
    ecosystem: Annotated[Ecosystem | None, Field(description="One of the ecosystems it works in.")] = None
    kind: Annotated[OrganisationKind | None, Field(description="The kind of organisation.")] = None
    goal: Annotated[Goal | None, Field(description="One of its goals.")] = None
    language: Annotated[Language | None, Field(description="A language it can work in, ISO 639-1.")] = None
    partnership: Annotated[PartnershipId | None, Field(description="The partnership that has it.")] = None
    topic: Annotated[
        _Words | None,
        Field(description="A topic it offers (hosts) or looks for (visitors), as it wrote it."),
    ] = None
    available_from: Annotated[
        date | None, Field(description="Has time for a stay on this day or later, hosts also a free place.")
    ] = None
    available_to: Annotated[date | None, Field(description="Has that time on this day or before.")] = None
    free_places: Annotated[
        int | None,
        Field(ge=1, le=100, description="Hosts: so many places are free at the same time, in that time."),
    ] = None
    text: Annotated[
        _Words | None,
        Field(
            description="Words of its name, topics or motivation, or their beginnings; accents and case "
            "make no difference."
        ),
    ] = None

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.available_from and self.available_to and self.available_to < self.available_from:
            raise ValueError(
                f"available_to {self.available_to} is before available_from {self.available_from}"
            )
        return self

    def facets(self, side: CatalogueSide) -> list[Facet]:
        """What a profile of that side has to have, besides the time and the text."""
        asked: dict[str, str | None] = {
            "country": self.country,
            "ecosystem": self.ecosystem,
            "kind": self.kind,
            "goal": self.goal,
            "language": self.language,
            "partnership": self.partnership,
            "offers" if side == "hosts" else "needs": self.topic and self.topic.casefold(),
        }
        return [("side", side), *((name, value) for name, value in asked.items() if value is not None)]

    def has_time(self, side: CatalogueSide, today: date) -> Check | None:
        """Whether a profile has the time, and a host the places, asked for; None when neither is."""
        if not (self.available_from or self.available_to or self.free_places):
            return None
        first = max(self.available_from or today, today).toordinal()
        last = (self.available_to or date.max).toordinal()
        places = (self.free_places or 1) if side == "hosts" else None
        return lambda prospect: _has_time(prospect, first, last, places)


def facets_of(prospect: Prospect) -> Iterator[Facet]:
    """All that a profile can be asked for by name."""
    if prospect.hosts:
        yield "side", "hosts"
    if prospect.visits:
        yield "side", "visitors"
    yield "country", prospect.party.place.country
    yield "kind", prospect.party.kind
    if prospect.party.partnership is not None:
        yield "partnership", prospect.party.partnership
    yield from (("ecosystem", name) for name, bit in ECOSYSTEM_BITS.items() if prospect.ecosystems & bit)
    yield from (("goal", name) for name, bit in GOAL_BITS.items() if prospect.goals & bit)
    yield from (("language", language) for language in prospect.languages)
    yield from (("offers", topic.casefold()) for topic in prospect.offers)
    yield from (("needs", topic.casefold()) for topic in prospect.needs)


def _has_time(prospect: Prospect, first: int, last: int, places: int | None) -> bool:
    """Whether a stay fits in: three days, for a host working days in which so many places are free."""
    for begins, ends in prospect.spans:
        within = max(begins, first), min(ends, last)
        if places is None:
            if within[1] - within[0] + 1 >= SHORTEST_STAY:
                return True
        elif prospect.places >= places and within[0] <= within[1]:
            free = free_stretches(within, prospect.stays, prospect.places - places + 1)
            if any(prospect.working.count(*stretch) >= SHORTEST_STAY for stretch in free):
                return True
    return False
