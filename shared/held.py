"""What a service holds about one registration, told to those who may know; alike in all APIs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from shared.contracts.common import Party
from shared.errors import NotFound
from shared.http import Authenticated, problem_responses
from shared.messaging.topics import ServiceName
from shared.security import Caller, CallerRole


class Kind(BaseModel):
    """Documents of one kind."""

    name: str = Field(examples=["matches"])
    what: str
    """What they are, and what they are held for."""
    kept: str
    """How long they are kept."""
    documents: list[dict[str, Any]]
    """As they are stored, without what is somebody else's."""


class Held(BaseModel):
    """All that one service holds about a registration."""

    service: str
    registration_id: str
    kinds: list[Kind]


Tell = Callable[[Any, str, Caller], Awaitable[list[Kind]]]
"""What the service with this root holds about that registration, for this caller; raises `NotFound`."""

UNTIL_ERASED: Final = "Until the registration is erased, on request or by the retention time of closed ones."


def require_may_know(caller: Caller, parties: Iterable[Party], service: ServiceName, id: str) -> None:
    """Raises `NotFound` unless the caller is the organisation itself, its staff or the support office."""
    known = list(parties)
    if known and (
        caller.role is CallerRole.SUPPORT_OFFICE
        or any(caller.acts_for(party.owner) or caller.is_staff_of(party.partnership) for party in known)
    ):
        return
    raise nothing_held(service, id)


def nothing_held(service: ServiceName, id: str) -> NotFound:
    """The same answer whether there is nothing, or nothing the caller may know of."""
    return NotFound(f"The {service} service holds nothing about a registration {id}, or nothing you may see.")


def without_other_side(party: Party) -> dict[str, Any]:
    """The other organisation of a match, without what is its own to know."""
    return party.model_dump(mode="json", include={"registration_id", "kind", "partnership", "roles"}) | {
        "country": party.place.country
    }


def held_router(service: ServiceName, tell: Tell) -> APIRouter:
    """The route by which a service tells what it holds."""
    router = APIRouter(tags=["privacy"])

    @router.get(
        "/held/{registration_id}",
        summary="All that this service holds about a registration",
        response_description="Its documents by kind, each kind with what it is for and how long it is kept.",
        responses=problem_responses(401, 404),
    )
    async def held(registration_id: str, caller: Authenticated, request: Request) -> Held:
        """For the organisation itself, staff of its partnership and the support office.

        Each of the five services answers for itself; `cxc privacy export` gathers the answers. What is
        another organisation's is left out.
        """
        kinds: Sequence[Kind] = await tell(request.app.state.root, registration_id, caller)
        return Held(service=service, registration_id=registration_id, kinds=list(kinds))

    return router
