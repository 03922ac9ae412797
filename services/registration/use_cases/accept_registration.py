"""Staff of a partnership take a registration into their pool."""

from __future__ import annotations

from services.registration.access import registration_to_decide
from services.registration.domain.decision import DecisionKind, Proposal
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.decide_registrations import decide
from shared.security import Caller


async def accept_registration(
    uow: RegistrationUnitOfWork, id: str, *, by: Caller, reason: str = ""
) -> Registration:
    """Accept; raises `NotFound`, `Forbidden`, `WrongState`, `NoPartnershipYet` and `ReasonNeeded`."""
    registration = await registration_to_decide(uow, id, by)
    decide(uow, Proposal(decision=DecisionKind.ACCEPT, reason=reason), [registration], by=by)
    return registration
