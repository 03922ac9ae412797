"""Somebody begins to fill in a registration."""

from __future__ import annotations

from typing import Any

from services.registration.access import origin_of
from services.registration.domain.draft import Draft
from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.envelope import new_id
from shared.security import Caller


async def begin_draft(uow: RegistrationUnitOfWork, content: dict[str, Any], *, by: Caller) -> Draft:
    """A new draft of the caller's organisation, or of the caller; raises `Forbidden` and `Malformed`."""
    origin = origin_of(by)
    draft = Draft.begin(content, id=new_id(), by=origin.by, owner=origin.owner, at=uow.now)
    uow.drafts.add(draft)
    return draft
