"""The JSON Schemas of all commands and events, where their `dataschema` says they are."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from shared.contracts.catalogue import contracts
from shared.contracts.envelope import SCHEMAS
from shared.errors import NotFound
from shared.http import problem_responses

router = APIRouter(tags=["schemas"])


@router.get(
    "/schemas/{type}.json",
    summary="The JSON Schema of a command or event",
    response_class=JSONResponse,
    response_description="JSON Schema (draft 2020-12) of the `data` of that type; public.",
    responses={200: {"content": {"application/schema+json": {}}}, **problem_responses(404, 422)},
)
async def schema(type: str) -> JSONResponse:
    """What the `data` of a CloudEvent of this type looks like, by the last part of its `dataschema`."""
    found = _schemas().get(type)
    if found is None:
        raise NotFound(f"There is no type '{type}'; there are: {', '.join(sorted(_schemas()))}.")
    return JSONResponse(found, media_type="application/schema+json")


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    return {
        str(name): {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"{SCHEMAS}{name}.json",
            **model.model_json_schema(),
        }
        for name, model in contracts().items()
    }
