"""Fetch a list of registrations as a spreadsheet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.registration.bootstrap import Registering
from services.registration.domain.audit import Action
from services.registration.domain.registration import Registration
from services.registration.domain.spreadsheet_import import source_of
from services.registration.filters import Cursor, Order, RegistrationFilter
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.routes.imports import DOWNLOAD, download
from services.registration.routes.root import Root, change
from services.registration.spreadsheets.columns import KEY, OF_SUBMISSION, READ_ONLY, row_of
from services.registration.spreadsheets.reading import Format
from services.registration.spreadsheets.writing import Row
from shared.http import Authenticated, problem_responses
from shared.security import Caller, CallerRole

router = APIRouter(tags=["spreadsheets"])

READ_AT_ONCE: Final = 500
_HEADER: Final = [KEY.name, *READ_ONLY, *(column.name for column in OF_SUBMISSION)]


class Exported(RegistrationFilter):
    """Which registrations, in which order."""

    sort: Annotated[Order, Field(description="`-` before a name: descending.")] = Order.ID


@router.get(
    "/registrations.{format}",
    summary="Fetch a list of registrations as a spreadsheet",
    response_class=StreamingResponse,
    response_description="A row for each registration, in the columns of an import.",
    responses={**DOWNLOAD, **problem_responses(401, 422, 503)},
)
async def export(
    format: Format,
    caller: Authenticated,
    registering: Root,
    request: Request,
    wanted: Annotated[Exported, Query()],
) -> StreamingResponse:
    """All registrations the caller may see and the filter leaves, in CSV or XLSX.

    The file can be edited and imported again: `key` is the key it was imported under, or else the
    registration's id, which an import takes too. Columns such as `state`, `verdict` and `why` are
    there to be read; an import passes them over. Text that a spreadsheet program would take for a
    formula stands behind an apostrophe, which an import takes away again.
    """
    first = await _page(registering, caller, wanted, None)

    async def note(uow: RegistrationUnitOfWork) -> None:
        asked = wanted.model_dump(mode="json", exclude_defaults=True)
        uow.trail.note(caller, Action.EXPORT, after={"format": format, "filter": asked})

    await change(registering, request, note)
    return download(format, "registrations", _HEADER, _rows(registering, caller, wanted, first))


async def _rows(
    registering: Registering, caller: Caller, wanted: Exported, page: list[Registration]
) -> AsyncIterator[list[Row]]:
    own = source_of(caller.subject, caller.partnership if caller.role is CallerRole.STAFF else None)
    while page:
        yield [_row(registration, own) for registration in page]
        if len(page) < READ_AT_ONCE:
            return
        page = await _page(registering, caller, wanted, Cursor.behind(page[-1], wanted.sort))


async def _page(
    registering: Registering, caller: Caller, wanted: Exported, after: Cursor | None
) -> list[Registration]:
    return await registering.transactions.read(
        lambda uow: uow.registrations.page(caller, wanted, order=wanted.sort, after=after, limit=READ_AT_ONCE)
    )


def _row(registration: Registration, own_source: str) -> Row:
    origin, history = registration.origin, registration.history
    key = origin.reference if origin.source == own_source else None
    read_only = {
        "id": registration.id,
        "reference": origin.reference,
        "state": registration.state,
        "verdict": registration.verdict,
        "why": registration.receipt.sentence,
        "assigned_to": registration.party.partnership,
        "submitted_at": f"{history[0].at:%Y-%m-%d %H:%M}" if history else None,
        "changed_at": f"{history[-1].at:%Y-%m-%d %H:%M}" if history else None,
    }
    return [
        key or registration.id,
        *(read_only[name] for name in READ_ONLY),
        *row_of(registration.submission).values(),
    ]
