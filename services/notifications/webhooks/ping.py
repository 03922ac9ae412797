"""A ping: an event of no consequence, sent at once, for the owner of an endpoint to see what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from services.notifications.domain.switchboard import Outlet
from services.notifications.webhooks.dispatcher import attempt, sender_of
from services.notifications.webhooks.endpoint import Endpoint
from services.notifications.webhooks.lanes import Lanes
from services.notifications.webhooks.schedule import Answer
from shared.contracts.envelope import CloudEvent, new_id
from shared.errors import RuleBroken

if TYPE_CHECKING:
    from services.notifications.bootstrap import Notifications

PING: Final = "cxc.endpoint.ping.v1"
"""The type of a ping; on no topic."""


class NotNow(RuleBroken):
    """No ping goes out at the moment."""

    code: ClassVar[str] = "not-now"
    title = "Try again in a moment"


async def ping(root: Notifications, endpoint: Endpoint) -> Answer:
    """Send a ping, also to an endpoint that is disabled; one that arrives ends the wait for the next attempt.

    Raises `NotNow` where webhooks are held, or one was sent a moment ago.
    """
    if await root.holding.is_held(Outlet.WEBHOOKS):
        raise NotNow("Webhooks are held for maintenance at the moment; they go on when it is over.")
    lanes = Lanes(root.database)
    at = root.clock()
    if not await lanes.may_ping(endpoint.id, at):
        raise NotNow("A ping was sent to this endpoint a moment ago; wait five seconds.")
    id = new_id()
    event = CloudEvent(
        specversion="1.0",
        id=id,
        source="/cxc/notifications",
        type=PING,
        subject=endpoint.id,
        time=at,
        datacontenttype="application/json",
        data={"endpoint_id": endpoint.id},
    )
    sender = sender_of(root)
    try:
        answer = await attempt(root, sender, endpoint, id, event.to_json().decode())
    finally:
        await sender.close()
    if answer.taken:
        await lanes.clear(endpoint.id)
    return answer
