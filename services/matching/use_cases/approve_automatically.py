"""A pre-agreed match both organisations said yes to: partnerships with that procedure approve it at once."""

from __future__ import annotations

from collections.abc import Sequence

from services.matching.domain.case import Case
from services.matching.repositories import MatchingUnitOfWork
from services.matching.use_cases.draw_up_commitment import draw_up_commitment
from shared.contracts.vocabulary import MatchState


def approve_automatically(uow: MatchingUnitOfWork, case: Case, rivals: Sequence[Case]) -> None:
    """Let each partnership that approves pre-agreed matches do so; what a rule forbids is refused instead.

    `rivals` are the visitor's other open matches, which an approval ends.
    """
    match = case.match
    for id in match.partnerships:
        partnership = uow.partnerships.get(id)
        if match.state is MatchState.AGREED and partnership and partnership.auto_approve_pre_agreed:
            case.approve_or_refuse(id, rivals)
    if match.state is MatchState.APPROVED:
        draw_up_commitment(uow, case)
