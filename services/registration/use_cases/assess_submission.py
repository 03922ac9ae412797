"""Find out what must be known of a submission: its identifiers, its partnership, and the rules' verdict."""

from __future__ import annotations

from services.registration.assessment import assess
from services.registration.domain.identifiers import identify
from services.registration.domain.registration import Assessment
from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import Role


async def assess_submission(
    uow: RegistrationUnitOfWork, submission: Submission, *, registration_id: str, current: str | None = None
) -> Assessment:
    """Recognise, assign and screen; `current` is the partnership that has the case already.

    Raises `UnknownPartnership`.
    """
    identifiers = identify(submission.organisation)
    visits = await uow.visits.get_all(identifiers.keys) if Role.VISITOR in submission.roles else []
    return assess(
        submission,
        identifiers,
        rules=uow.rules,
        partnerships=uow.partnerships,
        today=uow.now.date(),
        visit_used=any(visit.is_used_by_other_than(registration_id) for visit in visits),
        current=current,
    )
