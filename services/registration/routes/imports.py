"""Send a spreadsheet of registrations, follow it, and fetch what became of its rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from services.registration.bootstrap import Registering
from services.registration.domain.spreadsheet_import import (
    ImportedRows,
    ImportState,
    Outcome,
    RowOutcome,
    SpreadsheetImport,
)
from services.registration.importer import BUCKET
from services.registration.routes.root import Root, change
from services.registration.spreadsheets.cells import Cell, Unreadable
from services.registration.spreadsheets.columns import COLUMNS, REPORTED, is_reported
from services.registration.spreadsheets.reading import SNIFFED, Format, format_of
from services.registration.spreadsheets.writing import MEDIA_TYPES, Row, write
from services.registration.use_cases.request_import import request_import, require_importer
from shared.contracts.vocabulary import Verdict
from shared.errors import Malformed, RuleBroken
from shared.http import After, Authenticated, Limit, next_of, problem_responses
from shared.security import Caller
from shared.storage.files import Files

router = APIRouter(tags=["spreadsheets"])

MULTIPART_BYTES: Final = 64 * 1024
"""What a multipart body may have besides the file."""
_STORED_AT_ONCE: Final = 1 << 18
_YES: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


class NotDone(RuleBroken):
    """Nothing can be said of the rows before all of them are taken."""

    code = "import-not-done"


class ImportView(BaseModel):
    """A spreadsheet on its way in."""

    id: str
    file_name: str
    state: Annotated[
        ImportState,
        Field(description="`refused`: nothing of the file was taken, `refusal` says why and what to do."),
    ]
    dry_run: Annotated[bool, Field(description="The rows say what would become of them; nothing changes.")]
    by: Annotated[str, Field(description="Who sent it: the token's subject.")]
    created_at: datetime
    finished_at: datetime | None
    format: Format | None
    notes: Annotated[list[str], Field(description="What the sender should know of how the file was read.")]
    refusal: str | None
    rows: Annotated[int | None, Field(description="Rows in the file; null before it was read.")]
    rows_read: Annotated[int, Field(description="Rows taken so far.")]
    submitted: Annotated[int, Field(description="New registrations.")]
    amended: Annotated[int, Field(description="Registrations known by their key that were changed.")]
    unchanged: Annotated[int, Field(description="Registrations known by their key that said the same.")]
    faulty: Annotated[int, Field(description="Rows nothing was done with; see `errors.csv`.")]
    verdicts: Annotated[dict[Verdict, int], Field(description="What the rules say of the other rows.")]

    @classmethod
    def of(cls, spreadsheet: SpreadsheetImport) -> Self:
        """The import as those who may see it see it."""
        return cls(
            **spreadsheet.model_dump(
                include={
                    *("id", "file_name", "state", "dry_run", "by", "created_at", "finished_at"),
                    *("format", "notes", "refusal", "rows", "verdicts"),
                }
            ),
            rows_read=spreadsheet.counts.read,
            **spreadsheet.counts.model_dump(),
        )


class ImportPage(BaseModel):
    """A page of imports, the newest first; `next` is `after` of the following page."""

    items: list[ImportView]
    next: str | None


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "CSV or XLSX; `GET /imports/template.xlsx` is an empty one.",
                        },
                        "dry_run": {
                            "type": "boolean",
                            "default": False,
                            "description": "Only say what would become of each row.",
                        },
                    },
                }
            }
        },
    }
}
DOWNLOAD: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {type: {"schema": {"type": "string", "format": "binary"}} for type in MEDIA_TYPES.values()}
    }
}


@router.post(
    "/imports",
    status_code=202,
    summary="Send a spreadsheet",
    response_description="The import, waiting; `Location` is where to follow it.",
    responses=problem_responses(401, 403, 409, 413, 422, 503),
    openapi_extra=_BODY,
)
async def send(caller: Authenticated, registering: Root, request: Request, response: Response) -> ImportView:
    """Send a CSV or XLSX file of registrations; for staff of a partnership and external systems.

    Each row is one registration under its sender's own `key`: a new key submits it, a known one amends
    it where the row says something else. So the same file can be sent again, and so can the corrected
    `errors.csv` alone. The file is read in the background; one that cannot be read is `refused` as a
    whole, and one faulty row keeps no other from being taken.
    """
    # The body is read only now, when it is known that the caller may send one.
    await registering.transactions.read(lambda uow: require_importer(uow, caller))
    async with _form(request) as form:
        file, dry_run = _file_of(form), _dry_run_of(form)
        try:
            format_of(await file.read(SNIFFED))
        except Unreadable as error:
            raise _wrong("file", str(error)) from error
        await file.seek(0)
        files = Files(registering.database, BUCKET)
        name = PurePosixPath((file.filename or "").replace("\\", "/")).name[:200] or "spreadsheet"
        stored = await files.put(_parts(file), name=name, limit=registering.settings.import_max_bytes)
    try:
        requested = await change(
            registering,
            request,
            lambda uow: request_import(uow, by=caller, file=stored, name=name, dry_run=dry_run),
        )
    except RuleBroken:
        await files.delete([stored.id])
        raise
    response.headers["Location"] = f"/imports/{requested.id}"
    return ImportView.of(requested)


@asynccontextmanager
async def _form(request: Request) -> AsyncIterator[FormData]:
    try:
        form = await request.form(max_files=1, max_fields=10)
    except HTTPException as error:
        raise _wrong("", f"the body is not multipart/form-data as it should be: {error.detail}") from error
    try:
        yield form
    finally:
        await form.close()


def _file_of(form: FormData) -> UploadFile:
    if unknown := form.keys() - {"file", "dry_run"}:
        raise _wrong(min(unknown)[:60], "is not a field of this; check the spelling or leave it out")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise _wrong(
            "file", "is missing: send the spreadsheet as a file of this name, in multipart/form-data"
        )
    return file


def _dry_run_of(form: FormData) -> bool:
    said = form.get("dry_run", "")
    if not isinstance(said, str) or said.lower() not in _YES:
        raise _wrong("dry_run", "write true or false")
    return _YES[said.lower()]


def _wrong(field: str, why: str) -> Malformed:
    pointer = "/" + field.replace("~", "~0").replace("/", "~1") if field else ""
    return Malformed(f"{pointer}: {why}" if field else why, errors=[{"pointer": pointer, "detail": why}])


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    while part := await file.read(_STORED_AT_ONCE):
        yield part


@router.get(
    "/imports",
    summary="List imports",
    response_description="A page, the newest first.",
    responses=problem_responses(401, 422, 503),
)
async def page(
    caller: Authenticated, registering: Root, after: After = None, limit: Limit = 50
) -> ImportPage:
    """The spreadsheets the caller may see: those of its partnership, or those it sent itself."""
    found = await registering.transactions.read(
        lambda uow: uow.imports.page(caller, after=after, limit=limit)
    )
    return ImportPage(items=[ImportView.of(one) for one in found], next=next_of(found, limit))


@router.get(
    "/imports/template.{format}",
    summary="An empty spreadsheet to fill in",
    response_class=StreamingResponse,
    response_description="All columns, and beneath each what goes there; the import passes that row over.",
    responses={**DOWNLOAD, **problem_responses(401, 422)},
)
async def template(format: Format, caller: Authenticated) -> StreamingResponse:
    """As CSV or XLSX: the names of the columns, and a row that explains each in one line."""

    async def rows() -> AsyncIterator[list[Row]]:
        yield [[column.explanation for column in COLUMNS]]

    return download(format, "template", [column.name for column in COLUMNS], rows())


@router.get(
    "/imports/{id}",
    summary="Follow an import",
    response_description="How far it is, and what became of the rows so far.",
    responses=problem_responses(401, 404, 422, 503),
)
async def read(id: str, caller: Authenticated, registering: Root) -> ImportView:
    """Where the import stands. It is over when its `state` is `done` or `refused`."""
    return ImportView.of(await _visible(registering, caller, id))


@router.get(
    "/imports/{id}/errors.{format}",
    summary="Fetch the faulty rows",
    response_class=StreamingResponse,
    response_description="The faulty rows as they were sent, each with what is wrong with it.",
    responses={**DOWNLOAD, **problem_responses(401, 404, 409, 422, 503)},
)
async def errors(id: str, format: Format, caller: Authenticated, registering: Root) -> StreamingResponse:
    """The faulty rows in the sender's own columns, in CSV or XLSX, ready to be corrected and sent again.

    Before them stand two columns that an import ignores: the `row`'s number in the file that was sent,
    and each `error` with what to write instead.
    """
    spreadsheet = await _done(registering, caller, id)
    own = [index for index, title in enumerate(spreadsheet.header) if not is_reported(title)]
    beyond = len(spreadsheet.header)

    def lines(outcomes: list[RowOutcome]) -> Iterator[Row]:
        for one in outcomes:
            if one.outcome is Outcome.FAULTY:
                cells: list[Cell] = [one.cells[index] if index < len(one.cells) else None for index in own]
                yield [one.row, "\n".join(one.faults), *cells, *one.cells[beyond:]]

    header = [*REPORTED, *(spreadsheet.header[index] for index in own)]
    return download(format, f"errors-{id}", header, _noted(registering, id, lines, only_faulty=True))


_OUTCOME: Final = ("row", "key", "outcome", "id", "state", "verdict", "why", "error")


@router.get(
    "/imports/{id}/rows.{format}",
    summary="Fetch what became of each row",
    response_class=StreamingResponse,
    response_description="A line for each row of the file.",
    responses={**DOWNLOAD, **problem_responses(401, 404, 409, 422, 503)},
)
async def rows(id: str, format: Format, caller: Authenticated, registering: Root) -> StreamingResponse:
    """What became of each row, or after a dry run what would: in CSV or XLSX.

    Its number and key, whether it was submitted, amended, unchanged or faulty, the registration's id
    and state, the rules' verdict with the reason, and the errors.
    """
    await _done(registering, caller, id)

    def lines(outcomes: list[RowOutcome]) -> Iterator[Row]:
        for one in outcomes:
            known = [one.outcome, one.registration_id, one.state, one.verdict, one.why]
            yield [one.row, one.key, *known, "\n".join(one.faults)]

    return download(format, f"rows-{id}", _OUTCOME, _noted(registering, id, lines))


async def _visible(registering: Registering, caller: Caller, id: str) -> SpreadsheetImport:
    return await registering.transactions.read(lambda uow: uow.imports.get_visible_to(caller, id))


async def _done(registering: Registering, caller: Caller, id: str) -> SpreadsheetImport:
    spreadsheet = await _visible(registering, caller, id)
    if spreadsheet.state is ImportState.REFUSED:
        raise NotDone(f"The file was refused as a whole, and no row of it was taken: {spreadsheet.refusal}")
    if spreadsheet.state is not ImportState.DONE:
        raise NotDone(
            f"{spreadsheet.counts.read} of {spreadsheet.rows or '?'} rows are taken so far; ask again when "
            f"GET /imports/{id} says that it is done."
        )
    return spreadsheet


async def _noted(
    registering: Registering,
    id: str,
    lines: Callable[[list[RowOutcome]], Iterator[Row]],
    *,
    only_faulty: bool = False,
) -> AsyncIterator[list[Row]]:
    async def behind(after: str) -> ImportedRows | None:
        return await registering.transactions.read(
            lambda uow: uow.imported_rows.next_of(id, after=after, only_faulty=only_faulty)
        )

    noted = await behind("")
    while noted is not None:
        yield list(lines(noted.outcomes))
        noted = await behind(noted.id)


def download(
    format: Format, name: str, header: Sequence[str], chunks: AsyncIterator[list[Row]]
) -> StreamingResponse:
    """A spreadsheet as a file to be saved."""
    return StreamingResponse(
        write(format, header, chunks),
        media_type=MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}.{format}"'},
    )
