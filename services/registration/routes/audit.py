"""Read the audit trail."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.registration.domain.audit import Action, AuditEntry
from services.registration.routes.root import Root
from shared.http import After, Authenticated, Limit, next_of, problem_responses
from shared.security import CallerRole

router = APIRouter(tags=["audit"])


class AuditView(BaseModel):
    """What one person did."""

    id: str
    at: datetime
    by: str
    """The subject of the person's token."""
    role: CallerRole
    partnership: str | None
    """The one the person works for."""
    action: Action
    registration_id: str | None
    decision_id: str | None
    why: str
    """In the person's words; may be empty."""
    before: dict[str, Any]
    """What it was before: the state, the partnership, or whatever else the action changes."""
    after: dict[str, Any]
    """What it was afterwards."""

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """The entry as those who may read it do."""
        return cls(**entry.model_dump(exclude={"version", "seen_by"}))


class AuditPage(BaseModel):
    """A page of the trail, the newest first; `next` is `after` of the following page."""

    items: list[AuditView]
    next: str | None


@router.get(
    "/audit",
    summary="Read the audit trail",
    response_description="A page of entries, the newest first.",
    responses=problem_responses(401, 403, 422, 503),
)
async def page(
    caller: Authenticated,
    registering: Root,
    registration: Annotated[
        str | None, Query(max_length=200, description="The id of a registration.")
    ] = None,
    decision: Annotated[
        str | None, Query(max_length=200, description="The id of a decision about one or many.")
    ] = None,
    by: Annotated[str | None, Query(max_length=200, description="The subject of the person's token.")] = None,
    action: Annotated[Action | None, Query(description="What was done.")] = None,
    first_day: Annotated[date | None, Query(description="Done on this day (UTC) or later.")] = None,
    last_day: Annotated[date | None, Query(description="Done on this day (UTC) or before.")] = None,
    limit: Limit = 50,
    after: After = None,
) -> AuditPage:
    """Who did what, when, why, and what it was before and after; nothing in it is ever changed.

    Staff read what was done by their partnership and to its registrations, the support office and
    auditors everything. What the platform does by itself, such as accepting an eligible registration
    where a partnership wants that, is in the history of the registration.
    """
    found = await registering.transactions.read(
        lambda uow: uow.trail.page(
            caller,
            registration=registration,
            decision=decision,
            by=by,
            action=action,
            first_day=first_day,
            last_day=last_day,
            after=after,
            limit=limit,
        )
    )
    return AuditPage(items=[AuditView.of(entry) for entry in found], next=next_of(found, limit))
