"""A registration is sent again, whole."""

from __future__ import annotations

from services.registration.access import Sender, is_staff, name_of, registration_to_change
from services.registration.domain.audit import Action
from services.registration.domain.registration import Origin, Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.assess_submission import assess_submission
from services.registration.use_cases.regroup_registrations import regroup_registrations
from shared.contracts.registration import Submission


async def amend_registration(
    uow: RegistrationUnitOfWork, id: str, submission: Submission, *, by: Sender
) -> Registration:
    """Replace the registration's content and screen it anew; what it said before is kept.

    A partnership it was given to by hand keeps it, unless another is chosen now than was chosen before.
    Raises `NotFound`, `Forbidden`, `WrongState`, `UnknownPartnership` and `UnresolvableReference`.
    """
    registration = await registration_to_change(uow, id, by)
    kept = registration.kept_for(submission)
    assigned = kept is not None and uow.partnerships.get(kept) is not None
    assessment = await assess_submission(
        uow,
        submission.model_copy(update={"partnership": kept}) if assigned else submission,
        registration_id=id,
        current=registration.party.partnership,
        borrowed=registration.borrowed,
    )
    before = registration.amend(
        submission,
        by=name_of(by),
        assessment=assessment,
        at=uow.now,
        event_id=by.event_id if isinstance(by, Origin) else None,
    )
    uow.sent_versions.add(before)
    if is_staff(by):
        uow.trail.note(
            by,
            Action.AMEND,
            registration_id=id,
            partnership=registration.party.partnership,
            before={"sent": before.number, "verdict": before.verdict},
            after={"sent": before.number + 1, "verdict": registration.verdict},
        )
    if registration.borrowed:
        await regroup_registrations(uow, [id], by=name_of(by))
    return registration
