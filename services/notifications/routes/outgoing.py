"""What goes out: what waits, what is held, by whom and why; and the switch."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StringConstraints

from services.notifications.domain.rules import Channel
from services.notifications.domain.switchboard import Outlet, Switchboard
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.routes.root import Root, change
from services.notifications.use_cases.hold_outgoing import hold_outgoing
from services.notifications.use_cases.release_outgoing import release_outgoing
from shared.errors import Forbidden
from shared.http import Authenticated, problem_responses
from shared.security import CallerRole

router = APIRouter(tags=["outgoing"])

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class OutletState(BaseModel):
    """One channel out of the platform: whether it is held, since when, by whom and why, and what waits."""

    channel: Outlet
    held: bool
    since: datetime | None
    by: str | None
    reason: str | None
    waiting: int | None
    """Messages that are due and not on their way; absent for webhooks, whose endpoints tell their own."""
    oldest: datetime | None
    """Since when the one waits that was due first."""


class OutgoingState(BaseModel):
    """The channels that lead out of the platform."""

    channels: list[OutletState]


class Switch(BaseModel):
    """Whether channels are to be held; all of them where none is named."""

    held: bool
    channels: Annotated[list[Outlet], Field(min_length=1)] = list(Outlet)
    reason: Reason = Field(examples=["The mail server moves on Friday morning."])


@router.get(
    "/outgoing",
    summary="What goes out: what waits, and what is held",
    response_description="Every channel that leads out of the platform.",
    responses=problem_responses(401, 403),
)
async def outgoing(caller: Authenticated, notifications: Root) -> OutgoingState:
    """For staff, the support office and auditors."""
    if not caller.sees_everything and caller.role is not CallerRole.STAFF:
        raise Forbidden("What waits to go out is for staff, the support office and auditors to see.")
    return await notifications.transactions.read(_state)


@router.put(
    "/outgoing",
    summary="Hold what goes out, or let it go",
    response_description="Every channel as it is now.",
    responses=problem_responses(401, 403, 422),
)
async def switch(
    wanted: Switch, caller: Authenticated, notifications: Root, request: Request
) -> OutgoingState:
    """The support office holds all that goes out, or single channels, for as long as it takes.

    Every worker stops within a second; messages on their way arrive, what comes meanwhile waits, inboxes
    go on. Let go, it goes out the most urgent and the oldest first, at the channel's rate; what has become
    pointless meanwhile does not. To do it twice changes nothing.
    """
    if caller.role is not CallerRole.SUPPORT_OFFICE:
        raise Forbidden("Only the support office holds what goes out and lets it go.")
    use_case = hold_outgoing if wanted.held else release_outgoing

    async def work(uow: NotificationsUnitOfWork) -> OutgoingState:
        await use_case(uow, wanted.channels, by=caller, reason=wanted.reason)
        return await _state(uow)

    return await change(notifications, request, work)


async def _state(uow: NotificationsUnitOfWork) -> OutgoingState:
    switchboard = await uow.switchboards.the_only()
    return OutgoingState(channels=[await _outlet(uow, switchboard, outlet) for outlet in Outlet])


async def _outlet(uow: NotificationsUnitOfWork, switchboard: Switchboard, outlet: Outlet) -> OutletState:
    hold = switchboard.held.get(outlet)
    waiting, oldest = None, None
    if outlet.value in set(Channel):
        waiting, oldest = await uow.notifications.waiting(Channel(outlet.value), uow.now)
    return OutletState(
        channel=outlet,
        held=hold is not None,
        since=hold.since if hold else None,
        by=hold.by if hold else None,
        reason=hold.reason if hold else None,
        waiting=waiting,
        oldest=oldest,
    )
