"""The visitor signs the financial agreement, then its partnership: with both, the grant is committed."""

from __future__ import annotations

from services.funding.domain.agreement import Agreement
from services.funding.domain.grant import Grant
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.draw_up_agreement import agreement_of
from shared.contracts.matching import SigningRole
from shared.errors import Forbidden
from shared.security import Caller


async def sign_agreement(uow: FundingUnitOfWork, grant_id: str, *, by: Caller, seen_sha256: str) -> Agreement:
    """Sign what the caller saw; raises `Forbidden` for whoever is neither, or no longer, one of the two."""
    grant = await uow.grants.get_visible_to(by, grant_id)
    role = _signs_as(by, grant)
    agreement = await agreement_of(uow, grant)
    agreement.sign(role, by=by.subject, seen_sha256=seen_sha256, at=uow.now)
    grant.turn_gate("agreement", agreement.gate, at=uow.now)
    return agreement


def _signs_as(caller: Caller, grant: Grant) -> SigningRole:
    if caller.acts_for(grant.visitor.owner):
        return "VO"
    if caller.is_staff_of(grant.partnership):
        return "VOP"
    raise Forbidden(
        f"The agreement is signed by a participant of {grant.visitor.organisation} and by staff of "
        f"{grant.partnership}, which pays; you can read it."
    )
