"""Whose endpoint is whose: what somebody may read on the feed is what may be sent to them."""

from __future__ import annotations

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.endpoint import Endpoint
from shared.errors import Forbidden, NotFound
from shared.scopes import scope_of_reader
from shared.security import Caller, CallerRole


def scope_of(caller: Caller) -> str:
    """The scope of what is sent to the caller's endpoints; raises `Forbidden` for participants."""
    scope = scope_of_reader(caller)
    if scope is None:
        raise Forbidden(
            "Webhooks are for staff and for the systems that submit registrations; what concerns your "
            "organisation is at /inbox."
        )
    return scope


def require_may_have_endpoints(caller: Caller) -> str:
    """The scope of the caller's own endpoints; raises `Forbidden` for those who have none."""
    scope = scope_of(caller)
    if caller.role is CallerRole.AUDITOR:
        raise Forbidden("Auditors see all endpoints and what was sent to them; they have none of their own.")
    return scope


async def endpoint_to_see(uow: NotificationsUnitOfWork, id: str, by: Caller) -> Endpoint:
    """The endpoint, for its owner, the support office and auditors; raises `NotFound` and `Forbidden`."""
    scope = scope_of(by)
    endpoint = await uow.endpoints.find(id)
    if endpoint is None or not (endpoint.scope == scope or by.sees_everything):
        raise NotFound(f"There is no webhook endpoint {id}, or none of yours.")
    return endpoint


async def endpoint_to_change(uow: NotificationsUnitOfWork, id: str, by: Caller) -> Endpoint:
    """The endpoint, for its owner to change; raises `NotFound` and `Forbidden`."""
    endpoint = await endpoint_to_see(uow, id, by)
    if endpoint.scope != require_may_have_endpoints(by):
        raise Forbidden("Only its owner changes an endpoint; the support office can disable it.")
    return endpoint


async def endpoint_to_switch(uow: NotificationsUnitOfWork, id: str, by: Caller) -> Endpoint:
    """The endpoint, for its owner or the support office to disable or enable; raises as the others do."""
    endpoint = await endpoint_to_see(uow, id, by)
    require_may_have_endpoints(by)
    return endpoint
