"""One of the four writes into the Commitment to Quality what is agreed."""

from __future__ import annotations

from collections.abc import Sequence

from services.matching.access import require_signs
from services.matching.domain.commitment import Commitment
from services.matching.domain.commitment_document import AgendaItem
from services.matching.domain.words import listed
from services.matching.repositories import MatchingUnitOfWork
from shared.security import Caller


async def edit_commitment(
    uow: MatchingUnitOfWork,
    match_id: str,
    *,
    by: Caller,
    goals: str,
    agenda: Sequence[AgendaItem],
    expected_results: str,
    seen_version: int,
) -> Commitment:
    """Take the place of goals, agenda and results; other content voids the signatures there are."""
    commitment = await uow.commitments.get_visible_to(by, match_id)
    roles = require_signs(by, commitment)
    commitment.edit(
        goals=goals,
        agenda=agenda,
        expected_results=expected_results,
        seen_version=seen_version,
        by=listed(dict.fromkeys(commitment.content.name_of(role) for role in roles)),
        today=uow.today,
    )
    return commitment
