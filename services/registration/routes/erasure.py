"""Have a registration erased."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.registration.routes.registrations import RegistrationView
from services.registration.routes.root import Root, change
from services.registration.use_cases.erase_registration import erase_registration
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["privacy"])


class ErasureWanted(BaseModel):
    """Why a registration is to be erased; it stays in the audit trail, so it names no person."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]


@router.post(
    "/registrations/{id}/erase",
    summary="Erase a registration's personal data",
    response_description="What is left: kind, country, state, verdict and moments.",
    responses=problem_responses(401, 403, 404, 409, 413, 422),
)
async def erase(
    id: str, wanted: ErasureWanted, caller: Authenticated, registering: Root, request: Request
) -> RegistrationView:
    """For the organisation itself and staff of its partnership; it cannot be undone.

    A registration that is open is withdrawn first. Its content, its earlier versions, its CV and all that
    names the organisation are gone with the answer; the other services follow within moments, by the
    event `cxc.registration.erased.v1`. The register of visits stays, as an organisation visits once,
    and so do the facts of accounting. The reference under which it was sent is used up.
    """
    erased, cv = await change(
        registering, request, lambda uow: erase_registration(uow, id, by=caller, reason=wanted.reason)
    )
    await registering.cvs.let_go(cv)
    return RegistrationView.of(erased)
