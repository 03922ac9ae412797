"""What every route of this service starts from: the composition root, and one change in a transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request

from services.funding.bootstrap import Funding
from services.funding.repositories import FundingUnitOfWork
from shared.errors import NotFound
from shared.http import cause_of
from shared.partnerships import Partnership
from shared.storage.unit_of_work import because_of

R = TypeVar("R")


async def root(request: Request) -> Funding:
    """The composition root this API was started with."""
    # Async though it waits for nothing: any other FastAPI runs in a thread, there and back each time.
    return cast(Funding, request.app.state.root)


Root = Annotated[Funding, Depends(root)]


async def change(funding: Funding, request: Request, work: Callable[[FundingUnitOfWork], Awaitable[R]]) -> R:
    """Run the work in one transaction; what it changes follows from this request."""
    with because_of(cause_of(request)):
        return await funding.transactions.run(work)


def partnership(id: str, funding: Root) -> Partnership:
    """The partnership of the path."""
    found = funding.partnerships.get(id)
    if found is None:
        raise NotFound(f"There is no partnership '{id}'.")
    return found


InPath = Annotated[Partnership, Depends(partnership)]
