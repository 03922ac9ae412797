"""A draft is not needed any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.registration.repositories import RegistrationUnitOfWork
from shared.security import Caller


async def discard_draft(uow: RegistrationUnitOfWork, id: str, *, by: Caller) -> None:
    """Remove it; raises `NotFound`."""
    uow.drafts.remove(await uow.drafts.get_of(by, id))


async def discard_forgotten_drafts(
    uow: RegistrationUnitOfWork, ids: Sequence[str], *, saved_before: datetime
) -> None:
    """Remove those of them that nobody has saved since."""
    for draft in await uow.drafts.get_all(ids):
        if draft.saved_at < saved_before:
            uow.drafts.remove(draft)
