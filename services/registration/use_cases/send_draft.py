"""A draft is sent: it becomes a registration."""

from __future__ import annotations

from typing import NamedTuple

from services.registration.domain.draft import DraftIncomplete
from services.registration.domain.registration import Registration
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.review_draft import read_content
from services.registration.use_cases.submit_registration import submit_registration
from shared.contracts.registration import Submission
from shared.problems import in_words
from shared.security import Caller


class SentDraft(NamedTuple):
    """The registration, and whether it was made just now."""

    registration: Registration
    new: bool


async def send_draft(
    uow: RegistrationUnitOfWork, id: str, *, by: Caller, version: int | None = None
) -> SentDraft:
    """Submit what the draft says and remove it; the registration has the id of the draft.

    Sent again, by whoever did not hear the answer, it is the registration that was made. With
    `version`, only that one is sent. Raises `NotFound`, `DraftChanged`, `DraftIncomplete` and what
    `submit_registration` raises.
    """
    if await uow.drafts.find(id) is None and await uow.registrations.find(id) is not None:
        return SentDraft(await uow.registrations.get_visible_to(by, id), new=False)
    draft = await uow.drafts.get_of(by, id)
    if version is not None:
        draft.require(version)
    content = read_content(draft)
    if not isinstance(content, Submission):
        raise DraftIncomplete(
            f"The draft cannot be sent yet: {in_words(content, 5)}.",
            errors=[problem.model_dump() for problem in content],
        )
    registration = await submit_registration(uow, content, by=by, id=draft.id)
    uow.drafts.remove(draft)
    return SentDraft(registration, new=True)
