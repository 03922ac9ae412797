"""A look at the rules before registering: for everybody, without a token."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Body

from services.registration.routes.root import Root
from services.registration.use_cases.preview_eligibility import (
    Circumstances,
    EligibilityAnswer,
    preview_eligibility,
)
from shared.http import problem_responses

router = APIRouter(tags=["eligibility"])

_SME: Final = {
    "roles": ["visitor"],
    "kind": "sme",
    "country": "PT",
    "membership": "cluster",
    "ecosystems": ["textile"],
}
Asked = Annotated[
    Circumstances,
    Body(openapi_examples={"an SME of a cluster": {"summary": "Would visit", "value": _SME}}),
]


@router.post(
    "/eligibility/preview",
    summary="Check oneself",
    response_description="What the rules in force today would say, and why; nothing is stored.",
    responses=problem_responses(409, 413, 422),
)
async def preview(asked: Asked, registering: Root) -> EligibilityAnswer:
    """Public: whether an organisation like this could take part, with the outcome of every rule.

    A registration may come out differently: its numbers are checked, and its one visit is looked up.
    """
    return preview_eligibility(
        asked,
        rules=registering.rules,
        partnerships=registering.partnerships,
        today=registering.clock().date(),
    )
