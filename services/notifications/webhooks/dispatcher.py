"""Sends what waits: an endpoint's deliveries one after the other, the endpoints beside each other.

An endpoint that does not answer holds up nobody else: each has a lane of its own, and those whose last
attempt failed, or took long, share a few connections among themselves. A failed delivery keeps only its
own lane.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from services.notifications.domain.switchboard import Outlet
from services.notifications.webhooks.delivery import Delivery
from services.notifications.webhooks.endpoint import Endpoint
from services.notifications.webhooks.lanes import BEAT_S, LEASE_S, Lanes, Trouble
from services.notifications.webhooks.schedule import Answer, Judged, Verdict, judge
from services.notifications.webhooks.sender import Posts, Sender
from services.notifications.webhooks.signatures import signed_headers
from services.notifications.webhooks.use_cases.give_up_endpoint import give_up_endpoint
from shared.sealed import NothingToSealWith

if TYPE_CHECKING:
    from services.notifications.bootstrap import Notifications

_log = structlog.get_logger(__name__)

ATTEMPTS = Counter(
    "cxc_webhook_attempts_total",
    "Attempts to send an event, by what they came to",
    ["outcome"],
)
SENDING = Gauge("cxc_webhook_lanes", "Endpoints that this worker is sending to")
WAITING = Gauge("cxc_webhook_waiting", "Events that wait for enabled endpoints, of the whole service")
OLDEST_SECONDS = Gauge("cxc_webhook_oldest_seconds", "How long the oldest of them has waited")

POLL_S: Final = 1.0
AT_LEAST_BETWEEN_S: Final = 0.05
"""Between two looks for work, however many batches are committed."""
COUNT_EVERY_S: Final = 15.0
AT_ONCE: Final = 20
TURN_S: Final = 2.0
"""A turn ends after so many deliveries, or so long: others wait for theirs, and what was read may be
true no longer, as the endpoint has changed or a delivery been blanked."""
SLOW_MS: Final = 1000 * TURN_S
"""An answer that took so long came late."""
REST_S: Final = 30.0
"""So long a lane rests that ended in an error, so that its endpoint is not called again and again."""
STOP_WITHIN_S: Final = 3.0


class Dispatcher:
    """Runs the lanes that this worker has; every worker has one."""

    def __init__(
        self,
        root: Notifications,
        sender: Posts,
        *,
        connections: int,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._root = root
        self._lanes = Lanes(root.database)
        self._sender = sender
        self._chance = chance
        self._well = asyncio.Semaphore(connections)
        self._ailing = asyncio.Semaphore(max(1, connections // 4))
        self._slow: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ours_until = 0.0
        self._stopping = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set or the task is cancelled; then let what is on its way arrive."""
        told = asyncio.create_task(stopping.wait())
        parts = [told, *(asyncio.create_task(part()) for part in (self._look, self._beat, self._count))]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping.set()
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            if self._running:
                _, late = await asyncio.wait(self._running.values(), timeout=STOP_WITHIN_S)
                for lane in late:
                    lane.cancel()
            with contextlib.suppress(PyMongoError):
                await self._lanes.let_all_go()
        for part in done - {told}:
            part.result()

    # ── which lanes to run ───────────────────────────────────────────────────────────────────

    async def _look(self) -> None:
        while True:
            self._root.webhooks_waiting.clear()
            try:
                if self._root.subscriptions and not await self._root.holding.is_held(Outlet.WEBHOOKS):
                    await self._start_lanes()
            except PyMongoError as error:
                _log.warning("webhooks_not_read", error=repr(error)[:300])
            await asyncio.sleep(AT_LEAST_BETWEEN_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._root.webhooks_waiting.wait(), POLL_S)

    async def _start_lanes(self) -> None:
        subscriptions = self._root.subscriptions
        ours_to_start = subscriptions.enabled() - self._running.keys()
        waiting = [
            subscriptions[id] for id in await self._lanes.with_something_waiting() if id in ours_to_start
        ]
        if not waiting:
            return
        for endpoint in await self._lanes.due(waiting, self._root.clock()):
            if await self._lanes.claim(endpoint):
                lane = asyncio.create_task(self._run_lane(endpoint))
                self._running[endpoint] = lane
                lane.add_done_callback(partial(self._ended, endpoint))
                SENDING.set(len(self._running))

    def _ended(self, endpoint: str, lane: asyncio.Task[None]) -> None:
        del self._running[endpoint]
        SENDING.set(len(self._running))

    async def _beat(self) -> None:
        while True:
            asked_at = time.monotonic()
            try:
                await self._lanes.beat()
                self._ours_until = asked_at + LEASE_S
            except PyMongoError as error:
                _log.warning("webhook_lanes_not_kept", error=repr(error)[:300])
            await asyncio.sleep(BEAT_S)

    async def _count(self) -> None:
        while True:
            try:
                backlog = await self._lanes.backlog(self._root.subscriptions.enabled())
                now = self._root.clock()
                WAITING.set(backlog.waiting)
                OLDEST_SECONDS.set((now - (backlog.oldest or now)).total_seconds())
            except PyMongoError as error:
                _log.warning("webhooks_not_counted", error=repr(error)[:300])
            await asyncio.sleep(COUNT_EVERY_S)

    # ── one lane ─────────────────────────────────────────────────────────────────────────────

    async def _run_lane(self, endpoint: str) -> None:
        try:
            while await self._take_turn(endpoint):
                pass
        except Exception as error:  # noqa: BLE001 - the other lanes go on; this one is begun again
            _log.error("webhook_lane_ended", endpoint=endpoint, exc_info=error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), REST_S)
        finally:
            with contextlib.suppress(PyMongoError):
                await self._lanes.let_go(endpoint)

    async def _take_turn(self, id: str) -> bool:
        """Send some of what waits, in order; whether there may be more to send now."""
        endpoint, trouble = await self._enabled(id), await self._lanes.trouble(id)
        if endpoint is not None and trouble is not None and trouble.version != endpoint.version:
            await self._lanes.clear(id)
            trouble = None
        if trouble is not None and trouble.due_at > self._root.clock():
            return False
        async with self._ailing if trouble or id in self._slow else self._well:
            # Read here: it may have taken a while until it was its turn.
            endpoint = await self._enabled(id)
            if endpoint is None:
                return False
            deliveries = await self._lanes.next(id, AT_ONCE)
            over = time.monotonic() + TURN_S
            for delivery in deliveries:
                if not await self._goes_on():
                    return False
                answer = await attempt(self._root, self._sender, endpoint, delivery.id, delivery.body)
                (self._slow.add if answer.ms >= SLOW_MS else self._slow.discard)(id)
                if not await self._settle(endpoint, delivery, answer, trouble):
                    return False
                trouble = None
                if time.monotonic() > over:
                    break
        return bool(deliveries)

    async def _enabled(self, id: str) -> Endpoint | None:
        endpoint = await self._root.transactions.read(lambda uow: uow.endpoints.find(id))
        return endpoint if endpoint is not None and endpoint.enabled else None

    async def _goes_on(self) -> bool:
        return (
            not self._stopping.is_set()
            and time.monotonic() < self._ours_until
            and not await self._root.holding.is_held(Outlet.WEBHOOKS)
        )

    async def _settle(
        self, endpoint: Endpoint, delivery: Delivery, answer: Answer, trouble: Trouble | None
    ) -> bool:
        """Write down what came of an attempt; whether the next delivery may be sent."""
        at = self._root.clock()
        failed = trouble.failed if trouble and trouble.delivery == delivery.id else 0
        judged = judge(answer, failed=failed, now=at, chance=self._chance())
        ATTEMPTS.labels(judged.verdict.value).inc()
        match judged:
            case Judged(Verdict.DELIVERED):
                await self._lanes.delivered(delivery, answer, at)
                if trouble:
                    await self._lanes.clear(endpoint.id)
                return True
            case Judged(Verdict.LATER, due_at):
                assert due_at is not None
                since = trouble.since if trouble else answer.at
                await self._lanes.failed(
                    delivery, answer, Trouble(delivery.id, failed + 1, since, due_at, endpoint.version)
                )
            case _:
                since = trouble.since if trouble else answer.at
                await self._root.transactions.run(
                    lambda uow: give_up_endpoint(
                        uow, endpoint.id, delivery.id, answer, since=since, attempts=failed + 1
                    )
                )
                await self._lanes.clear(endpoint.id)
        return False


async def attempt(
    root: Notifications, sender: Posts, endpoint: Endpoint, webhook_id: str, body: str
) -> Answer:
    """One request to the endpoint, signed with its secrets of this moment."""
    at = root.clock()
    try:
        keys = [root.seal.open(sealed)["secret"] for sealed in endpoint.secrets_at(at)]
    except (NothingToSealWith, ValueError):
        why = "Not sent: its secret was closed with another key than this installation has now; replace it."
        return Answer(at=at, ms=0, why=why)
    raw = body.encode()
    return await sender.post(endpoint.url, raw, signed_headers(webhook_id, at, raw, keys), at)


def sender_of(root: Notifications) -> Sender:
    """What makes the requests, as the settings say; to be closed."""
    settings = root.settings
    return Sender(root.destinations, timeout_s=settings.webhook_timeout_s, ca_file=settings.webhook_ca_file)


async def send_webhooks(root: Notifications, stopping: asyncio.Event) -> None:
    """The worker's companion: one dispatcher for the life of the worker."""
    sender = sender_of(root)
    try:
        await Dispatcher(root, sender, connections=root.settings.webhook_connections).run(stopping)
    finally:
        await sender.close()
