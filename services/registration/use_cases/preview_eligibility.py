"""What the rules would say of an organisation that has not registered: nothing is stored."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from services.registration.domain.eligibility import Facts, Membership, longest_period, screen
from services.registration.domain.identifiers import Identifiers
from services.registration.domain.rule_sets import RuleSets
from shared.contracts.common import Receipt
from shared.contracts.registration import Availability
from shared.contracts.vocabulary import (
    BlankIsNone,
    Country,
    Ecosystem,
    NotTruth,
    OnceEach,
    OrganisationKind,
    PartnershipId,
    Role,
    Verdict,
)
from shared.partnerships import Partnerships

_IDENTIFIED: Final = Identifiers(("given",))
"""Stands for whichever number the organisation would give."""
_LONG_ENOUGH: Final = timedelta(days=27)


class Circumstances(BaseModel):
    """What the rules look at, and nothing that says who asks."""

    model_config = ConfigDict(extra="forbid")

    roles: Annotated[list[Role], Field(min_length=1, max_length=2), OnceEach]
    """Visitor, host or both."""
    kind: OrganisationKind
    country: Country
    """Where it is registered, ISO 3166-1; of several, the first."""
    also_registered_in: Annotated[list[Country], Field(max_length=10), OnceEach] = []
    """Further countries it is registered in."""
    based_in: Annotated[Country | None, BlankIsNone] = None
    """Where the participant works from; decides when the organisation is registered in several."""
    membership: Membership = "none"
    """The strongest: of a business network, of a cluster, of one profiled on the ECCP."""
    third_country_national: bool = False
    """The participant is a national of no participating country."""
    residence_days: Annotated[Annotated[int, Field(ge=0, le=36500), NotTruth] | None, BlankIsNone] = None
    residence_permit: bool | None = None
    business_in_scheme: bool | None = None
    identifiable: bool = True
    """It has a VAT number, an EUID or a PIC."""
    visit_used: bool = False
    """It has had its one visit of the scheme."""
    availability: Annotated[list[Availability], Field(max_length=12)] = []
    """When a stay could take place; left out, long enough."""
    ecosystems: Annotated[list[Ecosystem], Field(max_length=14), OnceEach] = []
    """By these and the country a partnership is found, if none is chosen."""
    partnership: Annotated[PartnershipId | None, BlankIsNone] = None


class EligibilityAnswer(BaseModel):
    """The rules' verdict with its receipt; the worst over the roles, and that of each."""

    verdict: Verdict
    verdict_by_role: dict[Role, Verdict]
    partnership: str | None
    """The one that would decide; none where no partnership works in these ecosystems and this country."""
    receipt: Receipt


def preview_eligibility(
    asked: Circumstances, *, rules: RuleSets, partnerships: Partnerships, today: date
) -> EligibilityAnswer:
    """Screen these circumstances as a registration would be screened today.

    Raises `UnknownPartnership`, and `NoRulesInForce` where no rule set is in force.
    """
    country = asked.based_in if asked.based_in in asked.also_registered_in else asked.country
    partnership = (
        partnerships.require(asked.partnership)
        if asked.partnership
        else next((one for one in partnerships if one.fits(asked.ecosystems, country)), None)
    )
    id = partnership.id if partnership else None
    availability = asked.availability or [Availability(first_day=today, last_day=today + _LONG_ENOUGH)]
    facts = Facts(
        roles=tuple(asked.roles),
        kind=asked.kind,
        registered_in=tuple(dict.fromkeys((asked.country, *asked.also_registered_in))),
        longest_period=longest_period(availability),
        available_until=max(span.last_day for span in availability),
        based_in=asked.based_in,
        third_country_national=asked.third_country_national,
        residence_days=asked.residence_days,
        residence_permit=asked.residence_permit,
        business_in_scheme=asked.business_in_scheme,
        membership=asked.membership,
        identifiers=_IDENTIFIED if asked.identifiable else Identifiers(),
        visit_used=asked.visit_used,
        partnership=id,
    )
    screening = screen(facts, rules.on(today, id), today)
    return EligibilityAnswer(
        verdict=screening.verdict,
        verdict_by_role=dict(screening.by_role),
        partnership=id,
        # What staff could do about it is not for whoever asks.
        receipt=screening.receipt.model_copy(update={"for_staff": None}),
    )
