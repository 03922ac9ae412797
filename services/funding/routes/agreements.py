"""The financial agreement of a grant: read, print, sign."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.funding.agreement_pdf import printed
from services.funding.bootstrap import Funding
from services.funding.domain.agreement import Agreement, AgreementState
from services.funding.domain.agreement_document import Organisation
from services.funding.routes.root import Root, change
from services.funding.use_cases.draw_up_agreement import draw_up_agreement, read_agreement
from services.funding.use_cases.sign_agreement import sign_agreement
from shared.contracts.matching import SigningRole
from shared.contracts.vocabulary import Sha256
from shared.http import Authenticated, problem_responses
from shared.security import Caller
from shared.signing import Signature

router = APIRouter(tags=["agreements"])

PDF: Final = "application/pdf"
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}

_ONE_AT_A_TIME: Final = asyncio.Lock()
"""Printing is work for the interpreter, which other requests need, too."""


class AgreementView(BaseModel):
    """A financial agreement, and who has signed it."""

    id: str
    number: str = Field(examples=["A7F9C13FE193"])
    """What people call it by."""
    edition: int
    """Counts how often it was drawn up: anew for other days, another amount or other parties."""
    grant_id: str
    match_id: str
    state: AgreementState
    """`open`, `complete` once both have signed, `void` once the grant is cancelled or refused."""
    sha256: str
    """Of the content: what is signed, as it stands at the foot of each page."""
    drawn_up_at: datetime
    visitor: Organisation
    payer: str
    """The partnership that manages the visitor, and pays."""
    host: Organisation
    first_day: date
    last_day: date
    working_days: int | None
    amount: Decimal = Field(examples=["450.00"])
    """EUR."""
    in_short: str
    """How the amount came about, in one sentence."""
    calculation: list[str]
    """The same rule by rule."""
    rule_set: str
    conditions: list[str]
    signatures: list[Signature]
    """In the order they were given: the second holds the hash of the first."""
    missing: list[SigningRole]
    """Whose signature is missing: the visiting organisation's (VO), its partnership's (VOP)."""
    void_because: str | None

    @classmethod
    def of(cls, agreement: Agreement) -> Self:
        """The agreement as all who may see the grant see it."""
        return cls(
            **agreement.content.model_dump(exclude={"form"}),
            id=agreement.id,
            state=agreement.state,
            sha256=agreement.content.sha256,
            signatures=agreement.signatures,
            missing=agreement.missing,
            void_because=agreement.void_because,
        )


class SignatureSent(BaseModel):
    """What is signed."""

    model_config = ConfigDict(extra="forbid")

    sha256: Sha256
    """The SHA-256 of the document the signer has read: `sha256`, or the foot of a page of the PDF."""


async def _agreement(id: str, caller: Caller, funding: Funding, request: Request) -> Agreement:
    found = await funding.transactions.read(lambda uow: read_agreement(uow, id, by=caller))
    if found is not None:
        return found
    return await change(funding, request, lambda uow: draw_up_agreement(uow, id, by=caller))


@router.get(
    "/grants/{id}/agreement",
    summary="Read the financial agreement",
    response_description="Content, signatures, and whose signature is missing.",
    responses=problem_responses(401, 404, 409),
)
async def read(id: str, caller: Authenticated, funding: Root, request: Request) -> AgreementView:
    """For whoever may see the grant; there is one as soon as an amount is reserved.

    It is drawn up for the first who asks, and anew when the grant's days or amount change.
    """
    return AgreementView.of(await _agreement(id, caller, funding, request))


@router.get(
    "/grants/{id}/agreement.pdf",
    summary="Print the financial agreement",
    response_class=Response,
    response_description="The document with the signatures there are; the same ones give the same bytes.",
    responses={200: {"content": {PDF: _FILE}}, **problem_responses(401, 404, 409)},
)
async def print_it(id: str, caller: Authenticated, funding: Root, request: Request) -> Response:
    """A4, with content and signatures attached as JSON: `cxc agreement verify` needs this file alone.

    curl -OJ -H "Authorization: Bearer $TOKEN" "$API/grants/$ID/agreement.pdf"
    """
    agreement = await _agreement(id, caller, funding, request)
    async with _ONE_AT_A_TIME:
        content = await asyncio.to_thread(printed, agreement.document)
    return Response(
        content,
        media_type=PDF,
        headers={
            "Content-Disposition": f'attachment; filename="agreement-{agreement.content.number}.pdf"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )


@router.post(
    "/grants/{id}/agreement/signatures",
    status_code=201,
    summary="Sign the financial agreement",
    response_description="The agreement with the signature.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def sign(
    id: str, sent: SignatureSent, caller: Authenticated, funding: Root, request: Request
) -> AgreementView:
    """For a participant of the visiting organisation (VO) first, then for staff of its partnership (VOP).

    With the second signature the amount is committed. Who signs what has changed since it was read, or
    signs out of turn, is refused, and nothing changes.
    """
    return AgreementView.of(
        await change(
            funding, request, lambda uow: sign_agreement(uow, id, by=caller, seen_sha256=sent.sha256)
        )
    )
