"""A match was approved: its Commitment to Quality is drawn up in the same transaction."""

from __future__ import annotations

from services.matching.domain.case import Case
from services.matching.domain.commitment import Commitment
from services.matching.repositories import MatchingUnitOfWork


def draw_up_commitment(uow: MatchingUnitOfWork, case: Case) -> None:
    """Write the draft, from what both registrations and the stay say; does not wait for anything."""
    _, visiting = case.visitor.require_in_pool()
    _, hosting = case.host.require_in_pool()
    case.commitment = Commitment.draw_up(
        case.match,
        visiting,
        hosting,
        partnership_names=uow.partnership_name,
        at=uow.now,
        agenda=case.gathering.programme.agenda if case.gathering else (),
    )
    uow.commitments.add(case.commitment)
