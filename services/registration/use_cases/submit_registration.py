"""An organisation registers."""

from __future__ import annotations

from services.registration.access import Sender, is_staff, origin_of
from services.registration.domain.audit import Action
from services.registration.domain.registration import (
    AlreadyErased,
    AlreadySubmitted,
    Origin,
    Registration,
)
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.assess_submission import assess_submission
from shared.contracts.envelope import new_id
from shared.contracts.registration import Submission, id_from_outside
from shared.contracts.types import EventType
from shared.contracts.vocabulary import RegistrationState
from shared.errors import RuleBroken


async def submit_registration(
    uow: RegistrationUnitOfWork, submission: Submission, *, by: Sender, id: str | None = None
) -> Registration:
    """Screen and store a new registration; accepted at once where its partnership does so.

    `id`: of the draft it was. By event, source and subject make the id; else it is a new one.
    Raises `AlreadySubmitted`, `AlreadyErased`, `UnknownPartnership`, `UnresolvableReference` and `Forbidden`.
    """
    origin = by if isinstance(by, Origin) else origin_of(by)
    id = id or _id_for(origin)
    assessment = await assess_submission(uow, submission, registration_id=id)
    if (earlier := await uow.registrations.find(id)) is not None:
        raise _already_submitted(earlier, origin)
    registration = Registration.submit(submission, id=id, origin=origin, assessment=assessment, at=uow.now)
    uow.registrations.add(registration)
    if is_staff(by):
        uow.trail.note(
            by,
            Action.REGISTER,
            registration_id=id,
            partnership=registration.party.partnership,
            after={"state": registration.state, "verdict": registration.verdict},
        )
    return registration


def _id_for(origin: Origin) -> str:
    if origin.source is None or origin.reference is None:
        return new_id()
    return id_from_outside(origin.source, origin.reference)


def _already_submitted(earlier: Registration, origin: Origin) -> RuleBroken:
    if earlier.erased_at is not None:
        return AlreadyErased(
            f"'{origin.reference}' was submitted before and erased on {earlier.erased_at:%d %B %Y}; "
            "register anew under another subject."
        )
    reference = f"'{earlier.origin.reference}' was already submitted and is registration {earlier.id}"
    if earlier.state in (RegistrationState.WITHDRAWN, RegistrationState.REJECTED):
        return AlreadySubmitted(
            f"{reference}, which is {earlier.state}; register anew under another subject."
        )
    return AlreadySubmitted(f"{reference}; to change it send {EventType.AMEND_REGISTRATION}.")
