"""What the console reacts to: every event of the other services, each folded into the read model."""

from __future__ import annotations

from typing import Final

from services.console.repositories import ConsoleUnitOfWork
from services.console.use_cases.fold_event import fold_event
from shared.contracts.catalogue import EVENTS
from shared.contracts.envelope import CloudEvent, Event
from shared.messaging.handlers import Handlers
from shared.messaging.topics import PUBLISHERS, ServiceName

SOURCES: Final[tuple[ServiceName, ...]] = PUBLISHERS

handlers: Handlers[ConsoleUnitOfWork] = Handlers("console")


async def fold(event: Event, uow: ConsoleUnitOfWork, envelope: CloudEvent) -> None:
    """Fold it in."""
    await fold_event(uow, event, envelope)


for source in SOURCES:
    for model in EVENTS[source]:
        handlers.on_enveloped(model)(fold)
