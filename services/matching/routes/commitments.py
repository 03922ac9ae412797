"""The Commitment to Quality of a match: read, edit, print, sign."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.matching.commitment_pdf import printed
from services.matching.domain.commitment import Commitment, CommitmentState
from services.matching.domain.commitment_document import AgendaItem, Content, Signatory
from services.matching.routes.root import Root, change
from services.matching.use_cases.edit_commitment import edit_commitment
from services.matching.use_cases.sign_commitment import sign_commitment
from shared.contracts.common import Window
from shared.contracts.matching import SigningRole
from shared.contracts.vocabulary import BlankIsNone, Day, Line, NotTruth, Sha256, Text, TimeOfDay
from shared.http import Authenticated, problem_responses
from shared.signing import Signature

router = APIRouter(tags=["commitments"])

PDF: Final = "application/pdf"
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}

_ONE_AT_A_TIME: Final = asyncio.Lock()
"""Printing is work for the interpreter, which other requests need, too."""


class CommitmentView(BaseModel):
    """A Commitment to Quality, and who has signed it."""

    id: str
    match_id: str
    version: int
    """Counts changes and signatures; an edit names the one it is based on."""
    state: CommitmentState
    """`open`, `complete` once all four have signed, `void` once the exchange has ended."""
    sha256: str
    """Of the content: what is signed, as it stands at the foot of each page."""
    drawn_up_at: datetime
    visitor: Signatory
    host: Signatory
    stay: Window
    goals: str
    agenda: list[AgendaItem]
    """In the order of days and times."""
    expected_results: str
    signatures: list[Signature]
    """In the order they were given: each holds the hash of the one before it."""
    missing: list[SigningRole]
    """Whose signature is missing."""
    void_because: str | None

    @classmethod
    def of(cls, commitment: Commitment) -> Self:
        """The commitment as all who may see it see it."""
        content: Content = commitment.content
        return cls(
            id=commitment.id,
            match_id=commitment.match_id,
            version=commitment.version,
            state=commitment.state,
            sha256=content.sha256,
            drawn_up_at=content.drawn_up_at,
            visitor=content.visitor,
            host=content.host,
            stay=content.stay,
            goals=content.goals,
            agenda=content.agenda,
            expected_results=content.expected_results,
            signatures=commitment.signatures,
            missing=commitment.missing,
            void_because=commitment.void_because,
        )


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


Clock = Annotated[TimeOfDay | None, BlankIsNone, Field(description="Local time.", examples=["09:30"])]


class AgendaItemSent(_Sent):
    """What happens when, and who sees to it."""

    day: Day
    """A day of the stay."""
    begins: Clock = None
    ends: Clock = None
    title: Annotated[Line, StringConstraints(max_length=200)]
    responsible: Annotated[Line, StringConstraints(max_length=120)]

    def item(self) -> AgendaItem:
        """As it is kept."""
        return AgendaItem(**self.model_dump())


class CommitmentSent(_Sent):
    """What the two organisations agree on; it takes the place of what was written before."""

    version: Annotated[int, Field(ge=0), NotTruth]
    """The version that was read: another one by now is refused."""
    goals: Text
    agenda: Annotated[list[AgendaItemSent], Field(max_length=60)]
    expected_results: Text = ""


class SignatureSent(_Sent):
    """What is signed."""

    sha256: Sha256
    """The SHA-256 of the document the signer has read: `sha256`, or the foot of a page of the PDF."""


@router.get(
    "/matches/{id}/commitment",
    summary="Read the Commitment to Quality",
    response_description="Content, signatures, and whose signature is missing.",
    responses=problem_responses(401, 404),
)
async def read(id: str, caller: Authenticated, matching: Root) -> CommitmentView:
    """For whoever may see the match; there is one from its last approval on."""
    commitment = await matching.transactions.read(lambda uow: uow.commitments.get_visible_to(caller, id))
    return CommitmentView.of(commitment)


@router.put(
    "/matches/{id}/commitment",
    summary="Write the Commitment to Quality",
    response_description="The commitment as it now is.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def write(
    id: str, sent: CommitmentSent, caller: Authenticated, matching: Root, request: Request
) -> CommitmentView:
    """Goals, agenda and expected results; for the two organisations and staff of their partnerships.

    Any change voids the signatures there are, and tells those who had signed. The same content again
    changes nothing. Parties and days follow the match and the registrations.
    """
    commitment = await change(
        matching,
        request,
        lambda uow: edit_commitment(
            uow,
            id,
            by=caller,
            goals=sent.goals,
            agenda=[item.item() for item in sent.agenda],
            expected_results=sent.expected_results,
            seen_version=sent.version,
        ),
    )
    return CommitmentView.of(commitment)


@router.post(
    "/matches/{id}/commitment/sign",
    summary="Sign the Commitment to Quality",
    response_description="The commitment with the signature.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def sign(
    id: str, sent: SignatureSent, caller: Authenticated, matching: Root, request: Request
) -> CommitmentView:
    """Sign for the host (HO), the visitor (VO), or their partnerships (HOP, VOP), in any order.

    For a participant of the organisation and staff of the partnership; a partnership that manages both
    sides signs for both at once. Who signs what has changed since it was read is refused.
    """
    commitment = await change(
        matching, request, lambda uow: sign_commitment(uow, id, by=caller, seen_sha256=sent.sha256)
    )
    return CommitmentView.of(commitment)


@router.get(
    "/matches/{id}/commitment.pdf",
    summary="Print the Commitment to Quality",
    response_class=Response,
    response_description="The document with the signatures there are; the same ones give the same bytes.",
    responses={200: {"content": {PDF: _FILE}}, **problem_responses(401, 404)},
)
async def print_it(id: str, caller: Authenticated, matching: Root) -> Response:
    """A4, with content and signatures attached as JSON: `cxc commitment verify` needs this file alone.

    curl -OJ -H "Authorization: Bearer $TOKEN" "$API/matches/$ID/commitment.pdf"
    """
    commitment = await matching.transactions.read(lambda uow: uow.commitments.get_visible_to(caller, id))
    async with _ONE_AT_A_TIME:
        content = await asyncio.to_thread(printed, commitment.document)
    return Response(
        content,
        media_type=PDF,
        headers={
            "Content-Disposition": f'attachment; filename="commitment-{commitment.id}.pdf"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )
