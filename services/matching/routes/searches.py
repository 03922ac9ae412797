"""Saved searches of the catalogue, which notify when somebody new meets them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.matching.domain.catalogue_filter import CatalogueFilter, CatalogueSide
from services.matching.domain.saved_search import SavedSearch
from services.matching.routes.root import Root, change
from services.matching.use_cases.save_search import delete_search, save_search, saved_searches
from shared.contracts.vocabulary import Line
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["searches"])

ForRegistration = Annotated[
    str | None,
    Query(
        alias="for",
        max_length=200,
        description="Your registration; without it, the searches of your partnership's staff.",
    ),
]


class NewSearch(BaseModel):
    """What to wait for, and what to call it."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    side: CatalogueSide
    asked: Annotated[CatalogueFilter, Field(alias="filter")] = CatalogueFilter()


class SearchView(BaseModel):
    """A saved search."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: str
    name: str
    side: CatalogueSide
    asked: Annotated[dict[str, Any], Field(alias="filter")]
    """What is asked for, as in the catalogue."""
    made_at: datetime
    told_at: datetime | None
    """When it last notified."""

    @classmethod
    def of(cls, search: SavedSearch) -> Self:
        """The search as its owner sees it."""
        return cls(
            id=search.id,
            name=search.name,
            side=search.side,
            asked=search.asked.model_dump(mode="json", exclude_none=True),
            made_at=search.made_at,
            told_at=search.told_at,
        )


class Searches(BaseModel):
    """All saved searches of one owner."""

    items: list[SearchView]


@router.post(
    "/searches",
    summary="Save a search",
    status_code=201,
    response_description="The search; it waits for profiles that join from now on.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def save(
    new: NewSearch,
    caller: Authenticated,
    matching: Root,
    request: Request,
    registration_id: ForRegistration = None,
) -> SearchView:
    """Be told when a newly accepted profile meets the filters, at most once an hour; up to 20 searches."""
    return SearchView.of(
        await change(
            matching,
            request,
            lambda uow: save_search(
                uow, new.name, new.side, new.asked, registration_id=registration_id, by=caller
            ),
        )
    )


@router.get(
    "/searches",
    summary="List saved searches",
    response_description="All of them, the oldest first.",
    responses=problem_responses(401, 403, 404, 422),
)
async def page(caller: Authenticated, matching: Root, registration_id: ForRegistration = None) -> Searches:
    """Of a registration of the caller's, or of its partnership's staff."""
    found = await matching.transactions.read(
        lambda uow: saved_searches(uow, registration_id=registration_id, by=caller)
    )
    return Searches(items=[SearchView.of(search) for search in found])


@router.delete(
    "/searches/{id}",
    summary="Delete a saved search",
    status_code=204,
    response_description="It notifies no more.",
    responses=problem_responses(401, 403, 404, 422),
)
async def delete(
    id: str,
    caller: Authenticated,
    matching: Root,
    request: Request,
    registration_id: ForRegistration = None,
) -> None:
    """For whoever saved it."""
    await change(
        matching, request, lambda uow: delete_search(uow, id, registration_id=registration_id, by=caller)
    )
