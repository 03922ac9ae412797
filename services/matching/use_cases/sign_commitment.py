"""One of the four signs the Commitment to Quality."""

from __future__ import annotations

from services.matching.access import require_signs
from services.matching.domain.commitment import Commitment
from services.matching.repositories import MatchingUnitOfWork
from shared.security import Caller, CallerRole


async def sign_commitment(
    uow: MatchingUnitOfWork, match_id: str, *, by: Caller, seen_sha256: str
) -> Commitment:
    """Sign what the caller saw, in each role it has: a partnership that manages both sides signs for both."""
    commitment = await uow.commitments.get_visible_to(by, match_id)
    commitment.sign(
        require_signs(by, commitment),
        by=by.subject,
        acting_as="staff" if by.role is CallerRole.STAFF else "participant",
        seen_sha256=seen_sha256,
        at=uow.now,
    )
    return commitment
