"""An event happened: it waits for every endpoint whose owner may read it and wants it."""

from __future__ import annotations

import orjson

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.delivery import Delivery, delivery_id
from shared.contracts.envelope import CloudEvent
from shared.scopes import EVERYTHING, as_seen_in, registrations_in, scopes_of, without_personal_data_of


async def enqueue_deliveries(uow: NotificationsUnitOfWork, fact: CloudEvent) -> None:
    """Store a delivery for each of them, with everything else the event leads to.

    One that was stored before is not stored again. What was erased is left out, however late the event.
    """
    if not uow.subscriptions:
        return
    raw = fact.to_json()
    event = orjson.loads(raw)
    concerned = uow.subscriptions.to(fact.type, scopes_of(event["data"]))
    if not concerned:
        return
    named = registrations_in(raw, event["data"])
    wanted = {delivery_id(fact, one.endpoint): one for one in concerned}
    there = {delivery.id for delivery in await uow.deliveries.get_all(wanted)}
    erased = await uow.erasures.among(named)
    for registration_id in erased:
        event = without_personal_data_of(registration_id, event)
    whole = orjson.dumps(event) if erased else raw
    for id, one in wanted.items():
        if id not in there:
            uow.deliveries.add(
                Delivery.make(
                    id,
                    one.endpoint,
                    fact,
                    _as_seen(one.scope, whole),
                    registrations=named - erased,
                    at=uow.now,
                )
            )


def _as_seen(scope: str, whole: bytes) -> bytes:
    # What a scope may not see is taken out of a copy of its own.
    return whole if scope == EVERYTHING else orjson.dumps(as_seen_in(scope, orjson.loads(whole)))
