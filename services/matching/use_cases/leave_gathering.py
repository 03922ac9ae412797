"""An organisation takes itself off the list of a group event."""

from __future__ import annotations

from services.matching.domain.gathering import Gathering
from services.matching.repositories import MatchingUnitOfWork
from shared.errors import Forbidden
from shared.security import Caller


async def leave_gathering(
    uow: MatchingUnitOfWork, gathering_id: str, registration_id: str, *, by: Caller, reason: str = ""
) -> Gathering:
    """For the organisation itself, staff of its partnership and of the event's; a visitor's match ends.

    A place it had goes to the first who waits for one.
    """
    gathering = await uow.gatherings.get_visible_to(by, gathering_id)
    attendance = gathering.get(registration_id)
    party = attendance.party
    if not (by.acts_for(party.owner) or by.is_staff_of(party.partnership, gathering.partnership)):
        raise Forbidden(
            "Only the organisation itself, and staff of its partnership or of the one that holds the group "
            "event, can take it off the list."
        )
    if attendance.match_id is None:
        candidate = await uow.candidates.get(registration_id)
        gathering.leave(registration_id, reason)
        candidate.stay_away(gathering.id)
    else:
        case = await uow.case_of(await uow.matches.get(attendance.match_id))
        case.cancel(reason or f"{party.organisation} does not come to “{gathering.title}”.")
    return gathering
