"""Evidence of a stay: files the visitor sends, and its partnership accepts or returns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.funding.access import grant_with_evidence
from services.funding.domain.evidence import Evidence, EvidenceFile, EvidenceState
from services.funding.evidence_files import take_in
from services.funding.repositories import FundingUnitOfWork
from services.funding.routes.root import Root, change
from services.funding.use_cases.add_evidence import (
    add_evidence,
    remove_evidence,
    require_room_for_evidence,
    submit_evidence,
)
from services.funding.use_cases.judge_evidence import accept_evidence, return_evidence
from services.funding.use_cases.read_evidence import read_evidence
from shared.contracts.vocabulary import BlankIsNone, EvidenceKind, NotTruth, Text
from shared.errors import CxcError
from shared.http import Authenticated, problem_responses
from shared.uploads.keeping import let_go, to_be_saved
from shared.uploads.looking import MediaType

router = APIRouter(tags=["evidence"])

_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_FILES: Final[dict[str, Any]] = {media_type.value: _FILE for media_type in MediaType}
NOWHERE: Final[Mapping[str, list[str]]] = {}


class EvidenceFileView(BaseModel):
    """A file, without its content."""

    id: str
    kind: EvidenceKind
    note: str
    name: str
    """A name any system can store, with the ending of what the file is."""
    media_type: str
    """What it was found to be."""
    size: int
    """Bytes."""
    sha256: str
    pages: int
    uploaded_at: datetime
    returned_because: str | None
    """Why it was not taken: delete it, and send what takes its place."""
    sent_for: list[str] = []
    """Other grants the very same file was sent for; told in the list, to whoever has to judge it."""

    @classmethod
    def of(cls, file: EvidenceFile, sent_for: list[str]) -> Self:
        """The file as those who may see it see it."""
        return cls(**file.model_dump(), sent_for=sent_for)


class EvidenceView(BaseModel):
    """All files of a stay, and whose turn it is."""

    grant_id: str
    state: EvidenceState
    edition: int
    """Counts what changes in the list; an acceptance names the one it is for."""
    files: list[EvidenceFileView]
    """In the order they were sent."""
    submitted_at: datetime | None
    returned_because: str | None
    """What is missing, beside what is said of each file."""
    accepted_at: datetime | None

    @classmethod
    def of(cls, evidence: Evidence, elsewhere: Mapping[str, list[str]] = NOWHERE) -> Self:
        """The evidence as those who may see it see it; `elsewhere`: other grants by a file's SHA-256."""
        return cls(
            **evidence.model_dump(include=set(cls.model_fields) - {"files"}),
            files=[EvidenceFileView.of(file, elsewhere.get(file.sha256, [])) for file in evidence.files],
        )


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AcceptanceSent(_Sent):
    """What is accepted."""

    edition: Annotated[int, Field(ge=0), NotTruth]
    """The edition that was looked at: another one by now is refused."""


Why = Annotated[Text, StringConstraints(min_length=1, max_length=1000)]


class FileReturnSent(_Sent):
    """A file that will not do."""

    id: str
    reason: Why


class EvidenceReturnSent(_Sent):
    """What will not do, and what is missing: at least one of the two."""

    files: Annotated[list[FileReturnSent], Field(max_length=500)] = []
    reason: Annotated[Why | None, BlankIsNone] = None
    """What is missing, beside what is said of each file."""

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if not self.files and self.reason is None:
            raise ValueError("say which files will not do, each with a reason, or what is missing")
        return self


Name = Annotated[str, Query(max_length=200, description="The file's name, for those who download it.")]
Note = Annotated[Text, Query(max_length=300, description="What it shows, where that is not plain.")]


@router.get(
    "/grants/{id}/evidence",
    summary="List the evidence",
    response_description="The files without their contents, and whose turn it is.",
    responses=problem_responses(401, 403, 404),
)
async def read(id: str, caller: Authenticated, funding: Root) -> EvidenceView:
    """For the visitor, staff of its partnership, the support office and auditors.

    Staff of the host's partnership see the grant, and not the evidence: it says much of a person.
    """
    evidence, elsewhere = await funding.transactions.read(lambda uow: read_evidence(uow, id, by=caller))
    return EvidenceView.of(evidence, elsewhere)


@router.post(
    "/grants/{id}/evidence",
    status_code=201,
    summary="Send a file of evidence",
    response_description="The evidence with the file.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
    openapi_extra={"requestBody": {"required": True, "content": _FILES}},
)
async def add(
    id: str,
    kind: Annotated[EvidenceKind, Query(description="What it shows.")],
    caller: Authenticated,
    funding: Root,
    request: Request,
    name: Name = "",
    note: Note = "",
) -> EvidenceView:
    """The file itself is the body: PDF without password, JPEG or PNG, of 10 MiB by default; for the visitor.

    It is opened to see what it is, whatever its name and type say. The same file a second time is
    refused. What was submitted has to be submitted again.

        curl --data-binary @pass.pdf -H "Authorization: Bearer $TOKEN" \\
          "$API/grants/$ID/evidence?kind=boarding_pass&name=pass.pdf"
    """
    settings = funding.settings
    most = settings.evidence_max_files
    # Whoever may not send it is told before the file is read.
    await funding.transactions.read(lambda uow: require_room_for_evidence(uow, id, most=most, by=caller))
    file = await take_in(
        funding.files,
        request.stream(),
        kind=kind,
        name=name,
        note=note,
        max_bytes=settings.evidence_max_bytes,
        at=funding.clock(),
    )
    try:
        evidence = await change(
            funding, request, lambda uow: add_evidence(uow, id, file, most=most, by=caller)
        )
    except CxcError:
        await let_go(funding.files, [file.id])
        raise
    return EvidenceView.of(evidence)


@router.get(
    "/grants/{id}/evidence/{file}",
    summary="Download a file of evidence",
    response_class=Response,
    response_description="The file, to be saved and not shown.",
    responses={200: {"content": _FILES}, **problem_responses(401, 403, 404)},
)
async def download(id: str, file: str, caller: Authenticated, funding: Root) -> Response:
    """As it was sent, byte by byte; for those who may see the evidence."""

    async def wanted(uow: FundingUnitOfWork) -> EvidenceFile:
        evidence = await uow.evidence.of(await grant_with_evidence(uow, id, caller))
        return evidence.file(file)

    found = await funding.transactions.read(wanted)
    chunks = aiter(funding.files.read(found.id))
    first = await anext(chunks)  # one that was deleted a moment ago is not found before anything is said

    async def content() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return StreamingResponse(
        content(),
        media_type=found.media_type,
        headers={
            **to_be_saved(found.name, otherwise=f"evidence.{found.name.rpartition('.')[2]}"),
            "Content-Length": str(found.size),
        },
    )


@router.delete(
    "/grants/{id}/evidence/{file}",
    summary="Delete a file of evidence",
    response_description="The evidence without the file.",
    responses=problem_responses(401, 403, 404, 409),
)
async def remove(id: str, file: str, caller: Authenticated, funding: Root, request: Request) -> EvidenceView:
    """For good; for the visitor, until the evidence is accepted."""
    evidence = await change(funding, request, lambda uow: remove_evidence(uow, id, file, by=caller))
    await let_go(funding.files, [file])
    return EvidenceView.of(evidence)


@router.post(
    "/grants/{id}/evidence/submission",
    summary="Submit the evidence",
    response_description="The evidence, with the partnership now.",
    responses=problem_responses(401, 403, 404, 409),
)
async def submit(id: str, caller: Authenticated, funding: Root, request: Request) -> EvidenceView:
    """That is all of it; for the visitor. Files that were returned are to be deleted before."""
    return EvidenceView.of(await change(funding, request, lambda uow: submit_evidence(uow, id, by=caller)))


@router.post(
    "/grants/{id}/evidence/acceptance",
    summary="Accept the evidence",
    response_description="The accepted evidence; it stays as it is.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def accept(
    id: str, sent: AcceptanceSent, caller: Authenticated, funding: Root, request: Request
) -> EvidenceView:
    """All of it, as it was looked at; for staff of the visitor's partnership."""
    return EvidenceView.of(
        await change(funding, request, lambda uow: accept_evidence(uow, id, edition=sent.edition, by=caller))
    )


@router.post(
    "/grants/{id}/evidence/return",
    summary="Return the evidence",
    response_description="The evidence, with the visitor again.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def send_back(
    id: str, sent: EvidenceReturnSent, caller: Authenticated, funding: Root, request: Request
) -> EvidenceView:
    """With a reason for each file that will not do; for staff of the visitor's partnership.

    Also evidence that is accepted, until the amount is in a payment.
    """
    reasons = {file.id: file.reason for file in sent.files}
    return EvidenceView.of(
        await change(
            funding, request, lambda uow: return_evidence(uow, id, reasons, reason=sent.reason, by=caller)
        )
    )
