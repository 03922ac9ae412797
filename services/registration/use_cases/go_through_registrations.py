"""Go through a list of registrations, however long, a chunk at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

from services.registration.domain.registration import Registration
from services.registration.filters import ALL, Cursor, Order, RegistrationFilter
from services.registration.repositories import RegistrationUnitOfWork
from shared.security import Caller

R = TypeVar("R")


class Reading(Protocol):
    """Opens units of work that only read."""

    async def read(self, work: Callable[[RegistrationUnitOfWork], Awaitable[R]]) -> R: ...


async def in_chunks(
    reading: Reading,
    visible_to: Caller,
    wanted: RegistrationFilter = ALL,
    *,
    order: Order = Order.ID,
    size: int = 500,
) -> AsyncIterator[list[Registration]]:
    """All registrations the caller may see and the filter leaves, `size` at a time.

    Only one chunk is held in memory: each is read by a unit of work of its own.
    """
    after: Cursor | None = None

    async def read(uow: RegistrationUnitOfWork) -> list[Registration]:
        return await uow.registrations.page(visible_to, wanted, order=order, after=after, limit=size)

    while True:
        chunk = await reading.read(read)
        if chunk:
            yield chunk
        if len(chunk) < size:
            return
        after = Cursor.behind(chunk[-1], order)
