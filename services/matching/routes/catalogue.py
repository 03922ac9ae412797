"""The catalogue: accepted profiles, by filters and words, sorted by fit, age or name."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.matching.catalogue import CatalogueOrder, shown
from services.matching.domain.catalogue_filter import CatalogueFilter, CatalogueSide
from services.matching.domain.fit import ECOSYSTEM_BITS, GOAL_BITS
from services.matching.routes.root import Root
from services.matching.use_cases.browse_catalogue import Found, browse_catalogue, read_profile
from shared.contracts.common import Window
from shared.contracts.matching import Drawback, Reason
from shared.contracts.vocabulary import Ecosystem, Goal, OrganisationKind, Role
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["catalogue"])


class FitView(BaseModel):
    """How well a profile fits the registration somebody looks for, and why."""

    score: float
    """Of 100."""
    reasons: list[Reason]
    """Strongest first; their points add up to the score."""
    against: list[Drawback]
    """What counts against it, the heaviest first."""
    window: Window
    """The longest time both are free."""


class ProfileView(BaseModel):
    """An accepted profile: the organisation and what it says of itself, no person and no address."""

    registration_id: str
    organisation: str
    kind: OrganisationKind
    country: str
    city: str
    region: str | None
    """ISO 3166-2 subdivision without the country, where it is given: decides regional holidays."""
    partnership: str | None
    roles: list[Role]
    ecosystems: list[Ecosystem]
    goals: list[Goal]
    offers: list[str]
    needs: list[str]
    languages: list[str]
    preferred_countries: list[str]
    preferred_working_days: int | None
    motivation: str
    """Addresses and telephone numbers in it are left out."""
    availability: list[Window]
    host_places: int
    """Visitors it takes at the same time."""
    fit: FitView | None
    """With `for`: how well it fits; absent where a stay is not possible."""
    obstacles: list[str]
    """With `for`: what keeps the two apart, a sentence each."""

    @classmethod
    def of(cls, found: Found) -> Self:
        """The profile as everybody in the programme sees it."""
        prospect, party = found.prospect, found.prospect.party
        return cls(
            registration_id=prospect.id,
            organisation=party.organisation,
            kind=party.kind,
            country=party.place.country,
            city=party.place.city,
            region=party.place.region,
            partnership=party.partnership,
            roles=party.roles,
            ecosystems=[name for name, bit in ECOSYSTEM_BITS.items() if prospect.ecosystems & bit],
            goals=[name for name, bit in GOAL_BITS.items() if prospect.goals & bit],
            offers=sorted(prospect.offers),
            needs=sorted(prospect.needs),
            languages=sorted(prospect.languages),
            preferred_countries=sorted(prospect.wished_countries),
            preferred_working_days=prospect.wished_days or None,
            motivation=shown(prospect.motivation),
            availability=[
                Window(first_day=date.fromordinal(first), last_day=date.fromordinal(last))
                for first, last in prospect.spans
            ],
            host_places=prospect.places,
            fit=found.fit and FitView.model_validate(found.fit, from_attributes=True),
            obstacles=found.obstacles,
        )


class Profiles(BaseModel):
    """A page of the catalogue; `next` is the `after` of the page that follows, absent on the last one."""

    items: list[ProfileView]
    next: str | None


Seeker = Annotated[
    str | None,
    Query(
        alias="for",
        max_length=200,
        description="The registration you look for partners for: shows how well it fits, and why.",
    ),
]


class CatalogueQuery(CatalogueFilter):
    """Which profiles, for whom, and in which order."""

    side: Annotated[CatalogueSide, Field(description="Whom you look for.")]
    seeker: Annotated[
        str | None,
        Field(
            alias="for",
            max_length=200,
            description="The registration you look for partners for: shows how well each fits, and why.",
        ),
    ] = None
    sort: Annotated[CatalogueOrder, Field(description="`fit` needs `for`, and leaves out who cannot.")] = (
        CatalogueOrder.NEWEST
    )
    limit: Annotated[int, Field(ge=1, le=50, description="How many at the most.")] = 20
    after: Annotated[str | None, Field(max_length=400, description="`next` of the page before.")] = None


@router.get(
    "/catalogue",
    summary="Browse the catalogue",
    response_description="A page of profiles.",
    responses=problem_responses(401, 403, 404, 422),
)
async def browse(
    asked: Annotated[CatalogueQuery, Query()], caller: Authenticated, matching: Root
) -> Profiles:
    """Accepted hosts, or visitors whose visit is still to come; all filters that are given hold.

    For organisations with an accepted registration, staff, the support office and auditors. Who is
    behind a profile is told when both organisations have agreed to a match; until then contact goes
    through the platform.
    """
    page = await matching.transactions.read(
        lambda uow: browse_catalogue(
            uow,
            matching.catalogue,
            asked.side,
            asked,
            seeker_id=asked.seeker,
            order=asked.sort,
            after=asked.after,
            limit=asked.limit,
            by=caller,
        )
    )
    return Profiles(items=[ProfileView.of(found) for found in page.found], next=page.next and str(page.next))


@router.get(
    "/catalogue/{registration_id}",
    summary="Read a profile",
    response_description="The profile.",
    responses=problem_responses(401, 403, 404, 422),
)
async def read(
    registration_id: str,
    side: Annotated[CatalogueSide, Query(description="Whom you look for.")],
    caller: Authenticated,
    matching: Root,
    seeker_id: Seeker = None,
) -> ProfileView:
    """One profile of the catalogue, for the same as may browse it."""
    return ProfileView.of(
        await matching.transactions.read(
            lambda uow: read_profile(
                uow, matching.catalogue, side, registration_id, seeker_id=seeker_id, by=caller
            )
        )
    )
