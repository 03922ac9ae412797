"""What every route of this service starts from: the composition root, and one change in a transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request

from services.registration.bootstrap import Registering
from services.registration.repositories import RegistrationUnitOfWork
from shared.http import cause_of
from shared.storage.unit_of_work import because_of

R = TypeVar("R")


async def root(request: Request) -> Registering:
    """The composition root this API was started with."""
    # Async though it waits for nothing: any other FastAPI runs in a thread, there and back each time.
    return cast(Registering, request.app.state.root)


Root = Annotated[Registering, Depends(root)]


async def change(
    registering: Registering, request: Request, work: Callable[[RegistrationUnitOfWork], Awaitable[R]]
) -> R:
    """Run the work in one transaction; what it changes follows from this request."""
    with because_of(cause_of(request)):
        return await registering.transactions.run(work)
