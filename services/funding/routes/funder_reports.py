"""The funder's report on a period, as a workbook or on paper."""

from __future__ import annotations

import asyncio
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from services.funding import funder_report_pdf, funder_report_xlsx
from services.funding.domain.funder_report import FunderReport
from services.funding.routes.root import InPath, Root
from services.funding.use_cases.read_funder_report import read_funder_report
from shared.errors import CxcError, Malformed
from shared.http import Authenticated, problem_responses
from shared.spreadsheets import XLSX

router = APIRouter(tags=["reports to the funder"])

PDF: Final = "application/pdf"
LONGEST_DAYS: Final = 3_660


class Format(StrEnum):
    """How the report comes."""

    XLSX = "xlsx"
    PDF = "pdf"


_MEDIA_TYPES: Final = {Format.PDF: PDF, Format.XLSX: XLSX}


class NotAcceptable(CxcError):
    """The report does not come in a format that was asked for."""

    code = "not-acceptable"
    status = 406
    title: ClassVar[str] = "Not in that format"


def _files(*formats: Format) -> dict[int | str, dict[str, Any]]:
    content = {_MEDIA_TYPES[format]: {"schema": {"type": "string", "format": "binary"}} for format in formats}
    return {200: {"content": content}, **problem_responses(401, 403, 404, 422)}


async def _report(
    caller: Authenticated,
    partnership: InPath,
    funding: Root,
    first_day: Annotated[date, Query(alias="from", description="The first day.", examples=["2023-01-01"])],
    last_day: Annotated[
        date, Query(alias="to", description="The last day, included.", examples=["2023-03-31"])
    ],
) -> FunderReport:
    wrong = None
    if last_day < first_day:
        wrong = f"'to' ({last_day}) is before 'from' ({first_day})"
    elif (last_day - first_day).days > LONGEST_DAYS:
        wrong = "the period is longer than ten years"
    if wrong:
        raise Malformed(f"The period makes no sense: {wrong}.", errors=[{"pointer": "/to", "detail": wrong}])
    return await funding.transactions.read(
        lambda uow: read_funder_report(uow, partnership, first_day, last_day, by=caller)
    )


Report = Annotated[FunderReport, Depends(_report)]


@router.get(
    "/partnerships/{id}/report",
    summary="Report to the funder",
    response_class=Response,
    response_description="PDF, or a workbook where the request accepts that alone, or likes it better.",
    responses={**_files(*Format), **problem_responses(406)},
)
async def negotiated(request: Request, report: Report) -> Response:
    """Exchanges by state and country, amounts, progress, budget and payments of a period.

    The format by the header `Accept`; `.xlsx` and `.pdf` say it in the path. Stays count by their first day,
    payments by the day the bank booked them; states and progress are as of now, balances from the ledger.
    For the partnership's staff, the support office and auditors.
    """
    return await _in(_wanted(request.headers.get("accept", "")), report)


@router.get(
    "/partnerships/{id}/report.xlsx",
    summary="Report to the funder, as a workbook",
    response_class=Response,
    response_description="An Excel workbook: summary, exchanges, payments.",
    responses=_files(Format.XLSX),
)
async def xlsx(report: Report) -> Response:
    """The report with a line for each exchange and each payment, to go on computing with."""
    return await _in(Format.XLSX, report)


@router.get(
    "/partnerships/{id}/report.pdf",
    summary="Report to the funder, on paper",
    response_class=Response,
    response_description="A PDF.",
    responses=_files(Format.PDF),
)
async def pdf(report: Report) -> Response:
    """The report to be handed in: sums, budget and the list of payments."""
    return await _in(Format.PDF, report)


async def _in(format: Format, report: FunderReport) -> Response:
    write = funder_report_pdf.printed if format is Format.PDF else funder_report_xlsx.workbook
    name = f"{report.partnership}-{report.first_day}-{report.last_day}.{format}"
    return Response(
        await asyncio.to_thread(write, report),
        media_type=_MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"},
    )


def _wanted(accept: str) -> Format:
    """The format a caller likes best; PDF where it likes both as much. Raises `NotAcceptable`."""
    likes = {format: _quality(accept, media_type) for format, media_type in _MEDIA_TYPES.items()}
    best = max(likes, key=lambda format: likes[format])
    if not likes[best]:
        raise NotAcceptable(f"The report comes as {PDF} or as {XLSX}; ask for one of them in 'Accept'.")
    return best


def _quality(accept: str, media_type: str) -> float:
    """How much a header wants this type, 0 to 1: by the most exact of its ranges that takes it in."""
    if not accept.strip():
        return 1.0
    found = (-1, 0.0)
    for given in accept.split(","):
        range_, *parameters = (part.strip() for part in given.split(";"))
        ranges = {media_type: 2, media_type.split("/")[0] + "/*": 1, "*/*": 0}
        exactness = ranges.get(range_.lower(), -1)
        quality = next((_number(value[2:]) for value in parameters if value.startswith("q=")), 1.0)
        if exactness > found[0]:
            found = (exactness, quality)
    return found[1]


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
