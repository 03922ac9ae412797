"""The table from event type to handler: what a service reacts to, readable at a glance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast

from pydantic import BaseModel

from shared.contracts.envelope import CloudEvent
from shared.contracts.types import EventType, family
from shared.messaging.topics import ServiceName
from shared.storage.unit_of_work import UnitOfWork

U = TypeVar("U", bound=UnitOfWork)
E = TypeVar("E", bound=BaseModel)

Handler = Callable[[E, U], Awaitable[None]]
EnvelopedHandler = Callable[[E, U, CloudEvent], Awaitable[None]]


class Typed(Protocol):
    """A contract model that knows its wire name."""

    TYPE: EventType


@dataclass(frozen=True)
class Entry(Generic[U]):
    """A model and what is done with it."""

    model: type[BaseModel]
    call: Callable[[Any, U, CloudEvent], Awaitable[None]]


class Handlers(Generic[U]):
    """A service's handlers; each calls one use case and knows nothing of batches."""

    def __init__(self, service: ServiceName) -> None:
        self.service = service
        self._entries: dict[str, Entry[U]] = {}
        self._families: set[str] = set()

    def on(self, model: type[E]) -> Callable[[Handler[E, U]], Handler[E, U]]:
        """Handle every event of this model: `async def handler(event, uow)`."""

        def register(handler: Handler[E, U]) -> Handler[E, U]:
            async def call(event: E, uow: U, envelope: CloudEvent) -> None:
                await handler(event, uow)

            self._add(model, call)
            return handler

        return register

    def on_enveloped(self, model: type[E]) -> Callable[[EnvelopedHandler[E, U]], EnvelopedHandler[E, U]]:
        """Like `on`, for a handler that needs the envelope too: `async def handler(event, uow, envelope)`."""

        def register(handler: EnvelopedHandler[E, U]) -> EnvelopedHandler[E, U]:
            self._add(model, handler)
            return handler

        return register

    def _add(self, model: type[E], call: EnvelopedHandler[E, U]) -> None:
        wire_type = cast(Typed, model).TYPE
        if wire_type in self._entries:
            raise ValueError(f"{wire_type} has a handler already")
        self._entries[wire_type] = Entry(model, call)
        self._families.add(family(wire_type))

    def get(self, wire_type: str) -> Entry[U] | None:
        """The entry for a wire type, if this service reacts to it."""
        return self._entries.get(wire_type)

    def knows_family(self, wire_type: str) -> bool:
        """Whether the service reacts to some version of this type."""
        return family(wire_type) in self._families

    @property
    def types(self) -> list[str]:
        """The wire types this service reacts to."""
        return list(self._entries)
