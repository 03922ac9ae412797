"""Let nothing more out for a while, through one channel or any: maintenance, or something went wrong."""

from __future__ import annotations

from collections.abc import Collection

from services.notifications.domain.switchboard import Outlet, Switchboard
from services.notifications.repositories import NotificationsUnitOfWork
from shared.security import Caller


async def hold_outgoing(
    uow: NotificationsUnitOfWork, outlets: Collection[Outlet], *, by: Caller, reason: str
) -> Switchboard:
    """The switches, with these held; what is on its way is brought to its end, what comes later waits."""
    switchboard = await uow.switchboards.the_only()
    switchboard.hold(outlets, by=by.subject, reason=reason, at=uow.now)
    return switchboard
