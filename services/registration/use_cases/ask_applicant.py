"""Staff of a partnership ask for more information before they decide."""

from __future__ import annotations

from datetime import date

from services.registration.access import registration_to_decide
from services.registration.domain.decision import DecisionKind, Proposal
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.decide_registrations import decide
from shared.security import Caller


async def ask_applicant(
    uow: RegistrationUnitOfWork, id: str, *, by: Caller, question: str, answer_by: date | None = None
) -> Registration:
    """Ask; raises `NotFound`, `Forbidden`, `WrongState` and `AnswerDayPassed`."""
    registration = await registration_to_decide(uow, id, by)
    asking = Proposal(decision=DecisionKind.ASK, question=question, answer_by=answer_by)
    decide(uow, asking, [registration], by=by)
    return registration
