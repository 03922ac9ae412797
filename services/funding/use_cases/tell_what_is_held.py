"""Someone asks what funding holds about a registration."""

from __future__ import annotations

from typing import Any

from services.funding.domain.grant import Grant
from services.funding.repositories import FundingUnitOfWork
from shared.contracts.common import ERASED
from shared.erasure import without_words
from shared.held import Kind, require_may_know, without_other_side
from shared.security import Caller


async def tell_what_is_held(uow: FundingUnitOfWork, registration_id: str, *, by: Caller) -> list[Kind]:
    """The grants of its matches; raises `NotFound`."""
    grants = await uow.grants.naming(registration_id)
    sides = [
        grant.visitor if grant.visitor.registration_id == registration_id else grant.host for grant in grants
    ]
    require_may_know(by, sides, "funding", registration_id)
    return [
        Kind(
            name="grants",
            what="The lump sum of each of its approved matches, with the calculation and its receipt, and "
            "its hold on the budget of the partnership that pays. Of a visit it hosts, the money is the "
            "visitor's.",
            kept="Amounts, days, countries and receipts for as long as public accounts must be kept, also "
            "after an erasure. The name goes with the erasure, that of a visitor once no money is, or may "
            "yet be, set aside for it.",
            documents=[_as_seen_by(registration_id, grant) for grant in grants],
        )
    ]


def _as_seen_by(registration_id: str, grant: Grant) -> dict[str, Any]:
    hosts = grant.host.registration_id == registration_id
    other = grant.visitor if hosts else grant.host
    names = [name for name in (other.organisation, other.email) if name and name != ERASED]
    document = grant.model_dump(mode="json", exclude={"lump_sum", "position"} if hosts else None)
    return document | {
        "visitor" if hosts else "host": without_other_side(other),
        "reason": grant.reason and without_words(grant.reason, names),
    }
