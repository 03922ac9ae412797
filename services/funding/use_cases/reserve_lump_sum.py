"""A match was approved: compute its lump sum and set it aside in the visitor's partnership's budget."""

from __future__ import annotations

import asyncio

from pydantic import ValidationError

from services.funding.domain.grant import Grant, grant_id
from services.funding.domain.lump_sum import Outcome, lump_sum
from services.funding.domain.stay import GivenPlace, Stay
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.common import Place
from shared.contracts.matching import MatchApproved
from shared.errors import Malformed, RuleBroken


class NobodyPays(RuleBroken):
    """No partnership manages the visitor, so there is no budget to take the money from."""

    code = "nobody-pays"


async def reserve_lump_sum(uow: FundingUnitOfWork, match: MatchApproved) -> Grant:
    """The match's grant, on the planned dates: reserved, awaiting budget, for review, or refused.

    An approval that arrives again finds the grant it made; one with other facts raises `GrantExists`.
    """
    if match.visitor.partnership is None:
        raise NobodyPays(f"No partnership manages the visitor of match {match.match_id}: nobody pays.")
    partnership = uow.partnerships.require(match.visitor.partnership)
    stay = _stay_of(match)
    sides = (match.visitor.registration_id, match.host.registration_id)
    grant, _ = await asyncio.gather(uow.grants.find(grant_id(match.match_id)), uow.erasures.among(sides))
    if grant is not None:
        grant.require_same(match)
        return grant
    budget = await uow.budgets.of(partnership)

    erased = await uow.erasures.among(sides)
    answer = lump_sum(stay, uow.policies)
    match answer.outcome:
        case Outcome.NOT_ELIGIBLE:
            grant = Grant.refused(match, partnership.id, answer, erased, at=uow.now)
        case Outcome.NEEDS_REVIEW:
            grant = Grant.needs_review(match, partnership.id, answer, erased, at=uow.now)
        case Outcome.PAYABLE:
            assert answer.amount is not None
            if budget.has_room(answer.amount):
                grant = Grant.reserved(match, partnership.id, answer, erased, at=uow.now)
            else:
                position = budget.next_position()
                grant = Grant.awaiting_budget(
                    match, partnership.id, answer, erased, position=position, at=uow.now
                )
    uow.grants.add(grant)
    budget.book(grant, at=uow.now)
    return grant


def _stay_of(match: MatchApproved) -> Stay:
    host, visitor = match.host.place, match.visitor.place
    try:
        return Stay(
            host_country=host.country,
            host_region=host.region,
            host_place=_given(host),
            visitor_place=_given(visitor),
            visitor_country=visitor.country,
            first_day=match.stay.first_day,
            last_day=match.stay.last_day,
        )
    except ValidationError as error:
        wrong = "; ".join(problem["msg"] for problem in error.errors(include_input=False))
        raise Malformed(f"The stay of match {match.match_id} makes no sense: {wrong}.") from error


def _given(place: Place) -> GivenPlace:
    return GivenPlace(city=place.city, country=place.country, lat=place.lat, lon=place.lon)
