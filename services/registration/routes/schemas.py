"""The JSON Schemas of all commands and events, where their `dataschema` says they are."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import Annotated, Final, NamedTuple

import orjson
from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from services.registration.domain.feed import GAP, FeedGap
from shared.contracts.catalogue import contracts
from shared.contracts.envelope import SCHEMAS
from shared.errors import NotFound
from shared.http import problem_responses

router = APIRouter(tags=["schemas"])

#: A version's schema changes only where a field is added to it, which readers are told to ignore.
_CACHED: Final = "public, max-age=3600"


@router.get(
    "/schemas/{type}.json",
    summary="The JSON Schema of a command or event",
    response_class=JSONResponse,
    response_description="JSON Schema (draft 2020-12) of the `data` of that type; public.",
    responses={
        200: {"content": {"application/schema+json": {}}},
        304: {"description": "What `If-None-Match` names is still current"},
        **problem_responses(404, 422),
    },
)
async def schema(type: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """What the `data` of a CloudEvent of this type looks like, by the last part of its `dataschema`.

    May be kept for an hour, and asked for again by its `ETag`.
    """
    found = _schemas().get(type)
    if found is None:
        raise NotFound(f"There is no type '{type}'; there are: {', '.join(sorted(_schemas()))}.")
    headers = {"Cache-Control": _CACHED, "ETag": found.etag}
    if if_none_match is not None and found.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type="application/schema+json", headers=headers)


class _Schema(NamedTuple):
    content: bytes
    etag: str


@cache
def _schemas() -> dict[str, _Schema]:
    models: dict[str, type[BaseModel]] = {**contracts(), GAP: FeedGap}
    written = {
        str(name): orjson.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": f"{SCHEMAS}{name}.json",
                **model.model_json_schema(),
            }
        )
        for name, model in models.items()
    }
    return {
        name: _Schema(content, f'"{blake2b(content, digest_size=8).hexdigest()}"')
        for name, content in written.items()
    }
