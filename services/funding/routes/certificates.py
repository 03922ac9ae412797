"""The attendance certificate of a stay."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import APIRouter, Response

from services.funding.certificate_pdf import printed
from services.funding.routes.root import Root
from services.funding.use_cases.read_certificate import read_certificate
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["certificates"])

_PDF: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get(
    "/grants/{id}/certificate.pdf",
    summary="Attendance certificate",
    response_class=Response,
    response_description="The certificate, for visitor and host alike.",
    responses={**_PDF, **problem_responses(401, 404, 409, 410)},
)
async def certificate(id: str, caller: Authenticated, funding: Root) -> Response:
    """Who visited whom, where and when, once the report on the stay is validated.

    For both organisations, staff of their partnerships, the support office and auditors. A 409 says what it
    waits for; a 410, that the data of one organisation were erased.
    """
    found = await funding.transactions.read(lambda uow: read_certificate(uow, id, by=caller))
    return Response(
        await asyncio.to_thread(printed, found),
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="certificate-{found.match_id}.pdf"'},
    )
