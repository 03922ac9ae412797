"""Let go what was held."""

from __future__ import annotations

from collections.abc import Collection

from services.notifications.domain.switchboard import Outlet, Switchboard
from services.notifications.repositories import NotificationsUnitOfWork
from shared.security import Caller


async def release_outgoing(
    uow: NotificationsUnitOfWork, outlets: Collection[Outlet], *, by: Caller, reason: str
) -> Switchboard:
    """The switches, with these let go: what waits there goes out, at the channel's usual rate."""
    switchboard = await uow.switchboards.the_only()
    switchboard.release(outlets, by=by.subject, reason=reason)
    return switchboard
