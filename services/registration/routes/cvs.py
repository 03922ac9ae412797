"""The CV of a registration: a PDF, for those who may see the registration."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from services.registration.access import registration_to_change
from services.registration.bootstrap import Registering
from services.registration.domain.registration import Cv
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.routes.registrations import CvView
from services.registration.routes.root import Root, change
from services.registration.use_cases.attach_cv import attach_cv, remove_cv
from shared.errors import CxcError, NotFound
from shared.http import Authenticated, problem_responses
from shared.security import Caller
from shared.uploads.keeping import to_be_saved

router = APIRouter(tags=["registrations"])

PDF: Final = "application/pdf"
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}


@router.put(
    "/registrations/{id}/cv",
    summary="Send a CV",
    response_description="What is kept of it.",
    responses=problem_responses(401, 403, 404, 409, 413, 422, 503),
    openapi_extra={"requestBody": {"required": True, "content": {PDF: _FILE}}},
)
async def put(
    id: str,
    caller: Authenticated,
    registering: Root,
    request: Request,
    name: Annotated[
        str, Query(max_length=200, description="The file's name, for those who download it.")
    ] = "cv.pdf",
) -> CvView:
    """The file itself is the body: a PDF without password, of at most 100 pages and 5 MiB by default.

    It is opened to see what it is, whatever its name and type say. It takes the place of the one
    there is, at once or not at all. For the organisation, its sender, or staff, while the
    registration is open.

        curl -T cv.pdf -H "Authorization: Bearer $TOKEN" "$API/registrations/$ID/cv?name=cv.pdf"
    """
    # Whoever may not send it is told before the file is read.
    await registering.transactions.read(lambda uow: registration_to_change(uow, id, caller))
    content = b"".join([chunk async for chunk in request.stream()])
    cv = await registering.cvs.take_in(content, name=name, by=caller.subject, at=registering.clock())
    try:
        replaced = await change(registering, request, lambda uow: attach_cv(uow, id, cv, by=caller))
    except CxcError:
        await registering.cvs.let_go(cv.file_id)
        raise
    await registering.cvs.let_go(replaced)
    return CvView.of(cv)


@router.get(
    "/registrations/{id}/cv",
    summary="Download the CV",
    response_class=Response,
    response_description="The file, to be saved and not shown.",
    responses={200: {"content": {PDF: _FILE}}, **problem_responses(401, 404, 422, 503)},
)
async def download(id: str, caller: Authenticated, registering: Root) -> Response:
    """The PDF as it was sent; for those who may see the registration."""
    cv, content = await _content(registering, id, caller)
    return Response(
        content,
        media_type=PDF,
        headers=to_be_saved(cv.name, otherwise="cv.pdf"),
    )


@router.delete(
    "/registrations/{id}/cv",
    status_code=204,
    summary="Remove the CV",
    response_description="It is gone.",
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def remove(id: str, caller: Authenticated, registering: Root, request: Request) -> None:
    """Delete the file for good, whatever the registration's state; for those who may send one."""
    removed = await change(registering, request, lambda uow: remove_cv(uow, id, by=caller))
    await registering.cvs.let_go(removed)


async def _content(registering: Registering, id: str, caller: Caller) -> tuple[Cv, bytes]:
    async def current(uow: RegistrationUnitOfWork) -> Cv | None:
        return (await uow.registrations.get_visible_to(caller, id)).cv

    seen: str | None = None
    while (cv := await registering.transactions.read(current)) is not None and cv.file_id != seen:
        try:
            return cv, await registering.cvs.read(cv)
        except NotFound:
            seen = cv.file_id  # replaced or removed while it was read: look again
    raise NotFound(f"Registration {id} has no CV.")
