"""Someone asks what funding holds about a registration."""

from __future__ import annotations

from typing import Any

from services.funding.domain.agreement import Agreement, agreement_id
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
    agreements = await uow.agreements.get_all(agreement_id(grant.match_id) for grant in grants)
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
        ),
        Kind(
            name="agreements",
            what="The financial agreement of each grant that somebody has asked for: what it promises, on "
            "which conditions, and who signed. The document itself: GET /grants/{id}/agreement.pdf. Of a "
            "visit it hosts, it is the visitor's.",
            kept="Signed by both for a grant that was neither cancelled nor refused, it is a contract and "
            "stays as it was signed. Of any other the name is gone after an erasure.",
            documents=[_agreement_as_seen_by(registration_id, agreement) for agreement in agreements],
        ),
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


def _agreement_as_seen_by(registration_id: str, agreement: Agreement) -> dict[str, Any]:
    document = agreement.model_dump(mode="json")
    content = document["content"]
    if agreement.host.registration_id == registration_id:
        kept = {name: content[name] for name in ("host", "first_day", "last_day")}
        visitor = without_other_side(agreement.visitor)
        return document | {"visitor": visitor, "content": kept, "signatures": [], "void_because": None}
    content["host"] = {"country": content["host"]["country"]}
    return document | {"host": without_other_side(agreement.host)}
