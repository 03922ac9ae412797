"""Who has an endpoint for what: known by heart in each worker, so that no event has to ask for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from pymongo.errors import PyMongoError

from services.notifications.webhooks.endpoint import Endpoint, EndpointState, covers
from shared.storage.driver import Database

if TYPE_CHECKING:
    from services.notifications.bootstrap import Notifications

_log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0
"""So soon a worker knows of an endpoint that is new, changed or gone."""


class Subscription(NamedTuple):
    """What of an endpoint matters to events and to the dispatcher."""

    endpoint: str
    scope: str
    events: tuple[str, ...]
    enabled: bool
    version: int


class Subscriptions:
    """All endpoints, as they stood a second ago at the earliest."""

    def __init__(self, found: Iterable[Subscription] = ()) -> None:
        self._by_scope: dict[str, list[Subscription]] = {}
        self._by_endpoint: dict[str, Subscription] = {}
        self.replace(found)

    def __bool__(self) -> bool:
        return bool(self._by_endpoint)

    def __getitem__(self, endpoint: str) -> Subscription:
        return self._by_endpoint[endpoint]

    def enabled(self) -> set[str]:
        """The endpoints that anything is sent to."""
        return {one.endpoint for one in self._by_endpoint.values() if one.enabled}

    def replace(self, found: Iterable[Subscription]) -> None:
        """These are all there are now."""
        self._by_endpoint = {one.endpoint: one for one in found}
        self._by_scope = {}
        for one in self._by_endpoint.values():
            self._by_scope.setdefault(one.scope, []).append(one)

    def to(self, wire_type: str, scopes: Sequence[str]) -> list[Subscription]:
        """Those an event of this type goes to that concerns these scopes; disabled ones wait for it too."""
        return [
            one for scope in scopes for one in self._by_scope.get(scope, ()) if _wants(one.events, wire_type)
        ]

    async def look(self, database: Database) -> None:
        """Read them anew."""
        fields = {"scope": 1, "events": 1, "state": 1, "version": 1}
        found = await database[Endpoint.COLLECTION].find({}, fields).to_list(None)
        self.replace(
            Subscription(
                one["_id"],
                one["scope"],
                tuple(one["events"]),
                one["state"] == EndpointState.ENABLED.value,
                one["version"],
            )
            for one in found
        )


@lru_cache(maxsize=65_536)
def _wants(patterns: tuple[str, ...], wire_type: str) -> bool:
    # Asked about every event and endpoint.
    return covers(patterns, wire_type)


async def know_endpoints(root: Notifications, stopping: asyncio.Event) -> None:
    """The worker's companion: look every second which endpoints there are."""
    while not stopping.is_set():
        try:
            await root.subscriptions.look(root.database)
        except PyMongoError as error:
            _log.warning("webhook_endpoints_not_read", error=repr(error)[:300])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_EVERY_S)
