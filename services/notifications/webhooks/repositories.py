"""Where endpoints and their deliveries are kept."""

from __future__ import annotations

from datetime import datetime

from pymongo import DESCENDING

from services.notifications.domain.notification import moment_text
from services.notifications.webhooks.delivery import Delivery, DeliveryState
from services.notifications.webhooks.endpoint import Endpoint
from shared.errors import NotFound
from shared.storage.driver import Document
from shared.storage.unit_of_work import Repository


class Endpoints(Repository[Endpoint]):
    """Webhook endpoints."""

    model = Endpoint

    async def of(self, scope: str | None, *, after: str | None, limit: int) -> list[Endpoint]:
        """Those of a scope, or all, in the order they were made."""
        return await self._page({} if scope is None else {"scope": scope}, after=after, limit=limit)

    async def count_of(self, scope: str) -> int:
        """How many a scope has."""
        return await self._uow.count(Endpoint, {"scope": scope})


class Deliveries(Repository[Delivery]):
    """Deliveries, newest event first."""

    model = Delivery

    async def log(
        self,
        endpoint: str,
        *,
        state: DeliveryState | None,
        event_type: str | None,
        about: str | None,
        since: datetime | None,
        after: str | None,
        limit: int,
    ) -> list[Delivery]:
        """What was sent to an endpoint, or is to be; `since` is when it was stored for it."""
        where: Document = {"endpoint": endpoint}
        if state is not None:
            where["state"] = state.value
        if event_type is not None:
            where["event_type"] = event_type
        if about is not None:
            where["subject"] = about
        if since is not None:
            where["created_at"] = {"$gte": moment_text(since)}
        if after is not None:
            where["_id"] = {"$lt": after}
        return await self._uow.query(Delivery, where, sort=[("_id", DESCENDING)], limit=limit)

    async def of(self, endpoint: str, id: str) -> Delivery:
        """One delivery to that endpoint; raises `NotFound`."""
        delivery = await self.find(id)
        if delivery is None or delivery.endpoint != endpoint:
            raise NotFound(f"There is no delivery {id} to this endpoint, or it is no longer kept.")
        return delivery

    async def naming(self, registration_id: str) -> list[Delivery]:
        """Those that say something about a registration; new ones of this unit of work too."""
        stored = await self._uow.query(Delivery, {"registrations": registration_id})
        named = {one.id: one for one in (*stored, *self._uow.at_hand(Delivery))}
        return [one for one in named.values() if registration_id in one.registrations]

    async def waiting(self, endpoint: str) -> int:
        """How many wait there."""
        return await self._uow.count(Delivery, {"endpoint": endpoint, "state": DeliveryState.WAITING.value})
