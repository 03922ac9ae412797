"""Who would get what of an event, and who would not: shown to staff and the support office, and not sent."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.notifications.domain import recipients
from services.notifications.domain.recipients import partnership_key
from services.notifications.domain.suppression import masked
from services.notifications.domain.wishes import desk_of
from services.notifications.previews import Preview, Previewing, event_in
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.routes.root import Root
from shared.contracts.envelope import CloudEvent
from shared.errors import Forbidden
from shared.http import Authenticated, problem_responses
from shared.security import Caller, CallerRole

router = APIRouter(tags=["previews"])


class PreviewAsked(BaseModel):
    """An event, as it is on the wire, and for when to show what would come of it."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    event: CloudEvent
    """A CloudEvent in structured mode: one that happened, or one made up to try the rules."""
    at: AwareDatetime | None = None
    """The moment it would be heard of here; left out, now."""


@router.post(
    "/previews",
    summary="Who would get what of an event",
    response_description="Each message that would be made, and everybody who would not hear, with reasons.",
    responses=problem_responses(401, 403, 422),
)
async def preview(asked: PreviewAsked, caller: Authenticated, notifications: Root) -> Preview:
    """By the rules, texts and wishes as they are now; nothing is stored, and nobody is told.

    For the support office, and for staff where the event concerns their partnership. Staff see the wishes of
    their own desk and of organisations they have a case with; of others it is shown what holds without any.
    """
    if caller.role not in (CallerRole.STAFF, CallerRole.SUPPORT_OFFICE):
        raise Forbidden("Previews are for staff and the support office.")
    event = event_in(asked.event)
    if caller.role is CallerRole.STAFF and caller.partnership not in recipients.partnerships(event):
        raise Forbidden("This event does not concern your partnership; the support office can preview it.")

    async def work(uow: NotificationsUnitOfWork) -> Preview:
        previewing = Previewing(uow.rules, uow.deadlines, uow.words, uow.desks, uow.chats)
        people = await _known(uow, caller, previewing.persons(event))
        shown = previewing.preview(event, wishes=await uow.wishes.of(people), at=asked.at or uow.now)
        return shown.with_addresses(masked)

    return await notifications.transactions.read(work)


async def _known(uow: NotificationsUnitOfWork, caller: Caller, people: list[str]) -> list[str]:
    """Those of them whose wishes the caller may see."""
    if caller.role is CallerRole.SUPPORT_OFFICE or caller.partnership is None:
        return people
    desk = partnership_key(caller.partnership)
    own = [person for person in people if desk_of(person) == desk]
    return own + await uow.notifications.told_in_cases_of(caller.partnership, set(people) - set(own))
