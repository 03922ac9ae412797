"""A registration is given to a partnership by hand."""

from __future__ import annotations

from services.registration.domain.audit import Action
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.assess_submission import assess_submission
from shared.errors import Forbidden
from shared.security import Caller, CallerRole


async def assign_registration(
    uow: RegistrationUnitOfWork, id: str, partnership: str, *, by: Caller, reason: str
) -> Registration:
    """Give it to the partnership, by whose rules it is screened anew.

    The support office assigns any registration nobody has decided, the staff of a partnership hand
    over their own. Raises `NotFound`, `Forbidden`, `WrongState`, `AlreadyAssigned` and
    `UnknownPartnership`.
    """
    registration = await uow.registrations.get_visible_to(by, id)
    before = {"state": registration.state, "partnership": registration.party.partnership}
    if by.role is not CallerRole.SUPPORT_OFFICE and not by.is_staff_of(registration.party.partnership):
        raise Forbidden("The support office assigns registrations, and staff hand over their partnership's.")
    assessment = await assess_submission(
        uow,
        registration.submission.model_copy(update={"partnership": partnership}),
        registration_id=id,
        borrowed=registration.borrowed,
    )
    registration.assign(assessment=assessment, by=by.subject, reason=reason, at=uow.now)
    uow.trail.note(
        by,
        Action.ASSIGN,
        registration_id=id,
        partnership=partnership,
        why=reason,
        before=before,
        after={"state": registration.state, "partnership": partnership},
    )
    return registration
