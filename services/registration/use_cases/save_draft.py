"""Somebody goes on filling in a registration."""

from __future__ import annotations

from typing import Any

from services.registration.domain.draft import Draft
from services.registration.repositories import RegistrationUnitOfWork
from shared.security import Caller


async def save_draft(
    uow: RegistrationUnitOfWork, id: str, content: dict[str, Any], *, version: int, by: Caller
) -> Draft:
    """Replace what that version says; raises `NotFound`, `DraftChanged` and `Malformed`."""
    draft = await uow.drafts.get_of(by, id)
    draft.save(content, version=version, at=uow.now)
    return draft
