"""Staff of a partnership turn a registration down."""

from __future__ import annotations

from services.registration.access import registration_to_decide
from services.registration.domain.decision import DecisionKind, Proposal
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.decide_registrations import decide
from shared.security import Caller


async def reject_registration(
    uow: RegistrationUnitOfWork, id: str, *, by: Caller, reason: str
) -> Registration:
    """Reject; raises `NotFound`, `Forbidden`, `WrongState` and `ReasonNeeded`."""
    registration = await registration_to_decide(uow, id, by)
    decide(uow, Proposal(decision=DecisionKind.REJECT, reason=reason), [registration], by=by)
    return registration
