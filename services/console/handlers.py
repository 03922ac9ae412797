"""What the console reacts to: every event of the other services, for its read model."""

from __future__ import annotations

from typing import Final

from services.console.repositories import ConsoleUnitOfWork
from shared.messaging.handlers import Handlers
from shared.messaging.topics import PUBLISHERS, ServiceName

SOURCES: Final[tuple[ServiceName, ...]] = PUBLISHERS

handlers: Handlers[ConsoleUnitOfWork] = Handlers("console")
