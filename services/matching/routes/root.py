"""What every route of this service starts from: the composition root, and one change in a transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request

from services.matching.bootstrap import Matching
from services.matching.repositories import MatchingUnitOfWork
from shared.http import cause_of
from shared.storage.unit_of_work import because_of

R = TypeVar("R")


async def root(request: Request) -> Matching:
    """The composition root this API was started with."""
    # Async though it waits for nothing: any other FastAPI runs in a thread, there and back each time.
    return cast(Matching, request.app.state.root)


Root = Annotated[Matching, Depends(root)]


async def change(
    matching: Matching, request: Request, work: Callable[[MatchingUnitOfWork], Awaitable[R]]
) -> R:
    """Run the work in one transaction; what it changes follows from this request."""
    with because_of(cause_of(request)):
        return await matching.transactions.run(work)
