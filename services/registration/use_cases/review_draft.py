"""What would become of a draft if it were sent as it is."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from services.registration.domain.draft import Draft
from services.registration.domain.registration import Registration, UnresolvableReference
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.submit_registration import submit_registration
from shared.contracts.registration import FieldProblem, Submission
from shared.errors import RuleBroken
from shared.partnerships import UnknownPartnership
from shared.problems import field_problems
from shared.security import Caller

_POINTERS: dict[type[RuleBroken], str] = {
    UnknownPartnership: "/partnership",
    UnresolvableReference: "/pre_agreed",
}


@dataclass(frozen=True)
class Review:
    """What still lacks or is wrong, or else the registration it would become."""

    problems: list[FieldProblem]
    registration: Registration | None = None


async def review_draft(uow: RegistrationUnitOfWork, draft: Draft, *, by: Caller) -> Review:
    """Send it in this unit of work, which must never be committed, and look at the outcome."""
    content = read_content(draft)
    if not isinstance(content, Submission):
        return Review(content)
    try:
        return Review([], await submit_registration(uow, content, by=by, id=draft.id))
    except RuleBroken as broken:
        return Review([FieldProblem(pointer=_POINTERS.get(type(broken), ""), detail=broken.detail)])


def read_content(draft: Draft) -> Submission | list[FieldProblem]:
    """The complete form, or what it lacks."""
    try:
        return Submission.model_validate(draft.content)
    except ValidationError as error:
        return field_problems(error.errors())
