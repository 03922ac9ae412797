"""A registration is sent again, whole."""

from __future__ import annotations

from services.registration.access import Sender, name_of, registration_to_change
from services.registration.domain.registration import Origin, Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.assess_submission import assess_submission
from shared.contracts.registration import Submission


async def amend_registration(
    uow: RegistrationUnitOfWork, id: str, submission: Submission, *, by: Sender
) -> Registration:
    """Replace the registration's content and screen it anew.

    Raises `NotFound`, `Forbidden`, `WrongState`, `UnknownPartnership` and `UnresolvableReference`.
    """
    registration = await registration_to_change(uow, id, by)
    assessment = await assess_submission(
        uow, submission, registration_id=id, current=registration.party.partnership
    )
    registration.amend(
        submission,
        by=name_of(by),
        assessment=assessment,
        at=uow.now,
        event_id=by.event_id if isinstance(by, Origin) else None,
    )
    return registration
