"""What every route of this service starts from: the composition root, one change, and whose inbox it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Query, Request

from services.notifications.bootstrap import Notifications
from services.notifications.domain.recipients import organisation_key, partnership_key
from services.notifications.repositories import NotificationsUnitOfWork
from shared.errors import Forbidden
from shared.http import cause_of
from shared.security import Caller, CallerRole
from shared.storage.unit_of_work import because_of

R = TypeVar("R")


async def root(request: Request) -> Notifications:
    """The composition root this API was started with."""
    # Async though it waits for nothing: any other FastAPI runs in a thread, there and back each time.
    return cast(Notifications, request.app.state.root)


Root = Annotated[Notifications, Depends(root)]
About = Annotated[str | None, Query(max_length=200, description="A registration, match or grant id.")]
Kinds = Annotated[Sequence[str], Query(max_length=50, description="Only these kinds; may be repeated.")]


async def change(
    notifications: Notifications, request: Request, work: Callable[[NotificationsUnitOfWork], Awaitable[R]]
) -> R:
    """Run the work in one transaction; what it changes follows from this request."""
    with because_of(cause_of(request)):
        return await notifications.transactions.run(work)


def own_key(caller: Caller) -> str | None:
    """The inbox of the caller's organisation or partnership; None for those who have none."""
    if caller.role is CallerRole.PARTICIPANT and caller.organisation:
        return organisation_key(caller.organisation)
    if caller.role is CallerRole.STAFF and caller.partnership:
        return partnership_key(caller.partnership)
    return None


def inbox_of(caller: Caller) -> str:
    """The same; raises `Forbidden` for those who have none."""
    key = own_key(caller)
    if key is None:
        raise Forbidden("Organisations and partnerships have an inbox; you may read /notifications.")
    return key
