"""Somebody wants events sent to their own system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.access import require_may_have_endpoints
from services.notifications.webhooks.endpoint import Endpoint
from services.notifications.webhooks.signatures import new_secret
from shared.contracts.envelope import new_id
from shared.errors import RuleBroken
from shared.security import Caller

MOST: Final = 20


class TooManyEndpoints(RuleBroken):
    """An owner has as many endpoints as one may have."""

    code: ClassVar[str] = "too-many-endpoints"
    title = "You have as many endpoints as one may have"


async def register_endpoint(
    uow: NotificationsUnitOfWork,
    *,
    url: str,
    events: Sequence[str],
    description: str,
    contact: str | None,
    by: Caller,
) -> tuple[Endpoint, str]:
    """The new endpoint, and its secret, which is never shown again.

    Raises `Forbidden`, `TooManyEndpoints`, and `NothingToSealWith` where secrets cannot be kept.
    """
    scope = require_may_have_endpoints(by)
    if await uow.endpoints.count_of(scope) >= MOST:
        raise TooManyEndpoints(f"You have {MOST} endpoints; delete one, or change what it gets.")
    secret = new_secret()
    endpoint = Endpoint.make(
        id=new_id(),
        scope=scope,
        url=url,
        events=events,
        description=description,
        contact=contact,
        sealed=uow.seal.close(secret=secret),
        by=by.subject,
        at=uow.now,
    )
    uow.endpoints.add(endpoint)
    return endpoint, secret
