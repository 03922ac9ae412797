"""What staff settle by hand about a stay, and how it becomes part of the facts."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from services.funding.domain.rates import written
from services.funding.domain.stay import (
    AcceptedDay,
    AgreedAmount,
    DayOfStay,
    GivenPlace,
    Settled,
    Stay,
)
from shared.contracts.envelope import StrictContract
from shared.contracts.vocabulary import COUNTRIES, BlankIsNone, Country, Line, OnceEach
from shared.errors import RuleBroken


class DayNotAccepted(RuleBroken):
    """A day that was never accepted cannot be taken back."""

    code = "day-not-accepted"


class CountedDay(StrictContract):
    """A Saturday, Sunday or holiday that counts as a working day, and why."""

    day: DayOfStay
    reason: Line = Field(examples=["Open day of the host's cluster"])


class Settlement(StrictContract):
    """Facts that the rules could not be certain of, or that staff decide on; the rest stays as it is.

    With a reason alone the lump sum is computed again by the rules and rates on file today. No amount can
    be set, only agreed below what the rules allow: a rate that is missing needs a dated table.
    """

    reason: Line = Field(examples=["The host wrote that its workshop is in Halle (Saale)."])
    """What the decision rests on; it stays with the accounts, so name no person."""
    host_place: GivenPlace | None = None
    visitor_place: GivenPlace | None = None
    host_region: Annotated[Annotated[str, Field(min_length=1, max_length=40)] | None, BlankIsNone] = None
    """ISO 3166-2 subdivision whose holidays count, such as BY."""
    accepted_days: Annotated[list[CountedDay], Field(max_length=31)] = []
    no_longer_accepted: Annotated[list[DayOfStay], Field(max_length=31), OnceEach] = []
    """Days accepted before, here or with the report, by mistake."""
    agreed_amount: Annotated[AgreedAmount | None, BlankIsNone] = None
    """EUR: no more than this is paid."""
    confirmed_countries: Annotated[list[Country], Field(max_length=2), OnceEach] = []
    """Countries that take part in this case, although sources disagree on it."""


def settled(stay: Stay, settlement: Settlement, *, by: str, on: date) -> Stay:
    """The stay with what was settled, and who settled it, when and why.

    A day, place, region or amount settled again takes the place of the one before. Raises `ValidationError`
    where an accepted day is none of the stay, `DayNotAccepted` where one that is taken back never was.
    """
    accepted = {day.day: day for day in stay.accepted_days}
    for gone in settlement.no_longer_accepted:
        if gone not in accepted:
            raise DayNotAccepted(
                f"{written(gone)} is no day that was accepted: there is nothing to take back."
            )
        del accepted[gone]
    for day in settlement.accepted_days:
        accepted[day.day] = AcceptedDay(day=day.day, reason=day.reason, accepted_by=by)
    changes = {
        "host_place": _confirmed(settlement.host_place, by),
        "visitor_place": _confirmed(settlement.visitor_place, by),
        "host_region": settlement.host_region,
        "agreed_amount": settlement.agreed_amount,
    }
    facts = {
        **dict(stay),
        **{name: value for name, value in changes.items() if value is not None},
        "accepted_days": [accepted[day] for day in sorted(accepted)],
        "confirmed_countries": [*stay.confirmed_countries, *settlement.confirmed_countries],
        "settled": [
            *stay.settled,
            Settled(by=by, on=on, reason=settlement.reason, what=in_words(settlement)),
        ],
    }
    return Stay.model_validate(facts)


def in_words(settlement: Settlement) -> list[str]:
    """What is settled, a few words each; empty where the lump sum is only computed again."""
    said = [
        f"{side}'s place is {_place(place)}"
        for side, place in (("the host", settlement.host_place), ("the visitor", settlement.visitor_place))
        if place is not None
    ]
    if settlement.host_region is not None:
        said.append(f"the host's region is {settlement.host_region}")
    said += [f"{written(day.day)} counts: {day.reason}" for day in settlement.accepted_days]
    said += [f"{written(day)} is no longer accepted" for day in settlement.no_longer_accepted]
    if settlement.agreed_amount is not None:
        said.append(f"no more than EUR {settlement.agreed_amount:.2f} is paid")
    said += [f"{COUNTRIES[country]} takes part" for country in settlement.confirmed_countries]
    return said


def _confirmed(place: GivenPlace | None, by: str) -> GivenPlace | None:
    return place and place.model_copy(update={"confirmed_by": by})


def _place(place: GivenPlace) -> str:
    at = f"({place.lat:.4f}, {place.lon:.4f})" if place.lat is not None else ""
    country = COUNTRIES[place.country] if place.country else ""
    return " ".join(filter(None, [", ".join(filter(None, [place.city, country])), at]))
