"""What happens during the demo, as the event feed tells it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

from aiokafka import AIOKafkaConsumer

from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.envelope import Event, NotACloudEvent, parse
from shared.contracts.matching import FitsFound
from shared.contracts.registration import RegistrationScreened
from shared.contracts.types import EventType
from shared.contracts.vocabulary import Verdict
from shared.messaging.topics import PUBLISHERS, events
from shared.partnerships import Partnerships

E = TypeVar("E", bound=Event)

QUIET_S = 2.0
"""Nothing of a kind for this long means that no more of it is coming."""


class Story:
    """Follows the topics of all services and keeps every event once."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = AIOKafkaConsumer(
            *(events(service) for service in PUBLISHERS),
            bootstrap_servers=bootstrap,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
        )
        self._seen: set[str] = set()
        self._events: dict[str, list[Event]] = {}
        self._last_at: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        await self._consumer.stop()

    async def _follow(self) -> None:
        async for record in self._consumer:
            with contextlib.suppress(NotACloudEvent):
                envelope = parse(record.value, record.headers)
                if envelope.id in self._seen or envelope.type not in EVENT_MODELS:
                    continue
                self._seen.add(envelope.id)
                event = EVENT_MODELS[envelope.type].model_validate(envelope.data)
                self._events.setdefault(envelope.type, []).append(event)
                self._last_at[envelope.type] = int(time.monotonic() * 1000)
                self._changed.set()

    # ── waiting ──────────────────────────────────────────────────────────────────────────────

    async def reach(
        self, goal: int, types: Sequence[EventType], within_s: float, told: Callable[[int], None]
    ) -> None:
        """Wait until so many events of these types have come; raises TimeoutError saying how many did."""
        deadline = time.monotonic() + within_s
        while (now := sum(map(self.count, types))) < goal:
            told(now)
            if time.monotonic() > deadline:
                raise TimeoutError(f"Only {now} of {goal} {' or '.join(types)} came within {within_s:.0f} s.")
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout=0.2)
        told(now)

    async def settle(
        self, type: EventType, *, within_s: float, told: Callable[[int], None] = lambda now: None
    ) -> None:
        """Wait until no more events of this type come."""
        began = time.monotonic()
        while time.monotonic() < began + within_s:
            last = max(self._last_at[type] / 1000, began)
            if time.monotonic() - last > QUIET_S:
                return
            told(self.count(type))
            await asyncio.sleep(0.1)

    # ── what came ────────────────────────────────────────────────────────────────────────────

    def count(self, type: EventType) -> int:
        """How many events of this type have come."""
        return len(self._events.get(type, ()))

    def all(self, model: type[E]) -> list[E]:
        """The events of this model in the order they came."""
        return [event for event in self._events.get(model.TYPE, ()) if isinstance(event, model)]

    def accepted_by_rule(self, partnerships: Partnerships) -> int:
        """Registrations their partnership's own rule accepts as soon as they are screened."""
        ruled = {partnership.id for partnership in partnerships if partnership.auto_accept}
        return sum(
            event.verdict is Verdict.ELIGIBLE and event.party.partnership in ruled
            for event in self.all(RegistrationScreened)
        )

    @property
    def fits(self) -> list[FitsFound]:
        """The best fits of visitors who have any, the best one's score first."""
        found = [fits for fits in self.all(FitsFound) if fits.side == "visitor" and fits.fits]
        return sorted(found, key=lambda fits: -fits.fits[0].score)

    def waiting_for_staff(self, partnerships: Partnerships, reviewed: int) -> list[RegistrationScreened]:
        """Eligible registrations that no rule accepts, and so many of those that need a review."""
        ruled = {partnership.id for partnership in partnerships if partnership.auto_accept}
        screened = [event for event in self.all(RegistrationScreened) if event.party.partnership]
        eligible = [
            event
            for event in screened
            if event.verdict is Verdict.ELIGIBLE and event.party.partnership not in ruled
        ]
        unclear = [event for event in screened if event.verdict is Verdict.NEEDS_REVIEW]
        spread = max(1, len(unclear) // reviewed) if reviewed else 1
        return eligible + unclear[::spread][:reviewed]
