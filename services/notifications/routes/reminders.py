"""What is to be done by when, and when who is reminded of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.notifications.domain.deadlines import is_over
from services.notifications.domain.recipients import Role
from services.notifications.domain.reminder import Asked, Reminder
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.routes.root import About, Root, inbox_of
from shared.http import After, Authenticated, Limit, problem_responses
from shared.security import CallerRole

router = APIRouter(tags=["reminders"])


class AwaitedView(BaseModel):
    """Somebody whose turn it is."""

    role: Role
    partnership: str | None
    """Whose staff it is, or who manages the organisation."""


class ReminderView(BaseModel):
    """Something that is to be done, and when it is said."""

    id: str
    name: str = Field(examples=["commitment_to_sign"])
    label: str = Field(examples=["sign the Commitment to Quality"])
    about: str
    """The registration, match or grant."""
    case: str
    """The match, else the registration."""
    deadline: date
    """The last day for it."""
    over: bool
    """Whether that day is over."""
    awaits: list[AwaitedView]
    to_come: list[datetime]
    """When those are reminded, unless it is done before; mails go out as each of them wishes."""
    told: int
    """How often they were reminded of it so far."""
    told_at: datetime | None
    path: str
    """Where it is done, under the address of the platform."""

    @classmethod
    def of(cls, reminder: Reminder, asked: Asked, uow: NotificationsUnitOfWork) -> Self:
        """As it stands now."""
        deadline = uow.deadlines.deadlines[reminder.name]
        return cls(
            id=reminder.id,
            name=reminder.name,
            label=deadline.label,
            about=asked.about,
            case=reminder.case,
            deadline=asked.by,
            over=is_over(asked.by, uow.now),
            awaits=[AwaitedView(role=one.role, partnership=one.partnership) for one in asked.awaited],
            to_come=reminder.to_come(deadline),
            told=reminder.told,
            told_at=reminder.told_at,
            path=uow.rules.links[deadline.link].path.format(about=asked.about),
        )


class Reminders(BaseModel):
    """A page of what is to be done, the soonest deadline first; `next` is `after` of the following page."""

    items: list[ReminderView]
    next: str | None


@router.get(
    "/reminders",
    summary="What is to be done by when",
    response_description="What is still to be done, as far as is known, the soonest deadline first.",
    responses=problem_responses(401, 403, 422),
)
async def reminders(
    caller: Authenticated, notifications: Root, about: About = None, limit: Limit = 50, after: After = None
) -> Reminders:
    """For organisations what they are to do themselves; for staff all of their partnership's cases.

    The support office and auditors see everything. What is done, or was cancelled, is not among it.
    """
    own = None if caller.sees_everything else inbox_of(caller)
    is_staff = caller.role is CallerRole.STAFF

    async def read(uow: NotificationsUnitOfWork) -> Reminders:
        found = await uow.reminders.standing(
            recipient=None if is_staff else own,
            partnership=caller.partnership if is_staff else None,
            about=about,
            limit=limit,
            after=after,
        )
        known = [(one, one.asked) for one in found if one.name in uow.deadlines.deadlines]
        return Reminders(
            items=[ReminderView.of(one, asked, uow) for one, asked in known if asked],
            next=found[-1].order if len(found) == limit else None,
        )

    return await notifications.transactions.read(read)
