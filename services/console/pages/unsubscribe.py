"""The link of a mail to leave its kind by: the page of the service that sends mails, at this address.

Whoever has the link may use it, signed in or not, and mail programs post to it by themselves (RFC 8058): what
it is worth is in the link, so no token of a session is asked for, and none is passed on.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response

router = APIRouter(include_in_schema=False)

_PASSED_ON: Final = ("accept-language", "content-type")
_HANDED_BACK: Final = ("content-type", "content-security-policy", "cache-control", "referrer-policy")


@router.get("/unsubscribe/{token}")
@router.post("/unsubscribe/{token}")
async def unsubscribe(token: str, request: Request) -> Response:
    """As the notifications service answers; raises `ApiProblem` and `ServiceDown`."""
    answer = await request.app.state.root.apis.as_(None).notifications.pages(
        request.method,
        f"/unsubscribe/{quote(token, safe='')}",
        content=await request.body(),
        headers={name: request.headers[name] for name in _PASSED_ON if name in request.headers},
    )
    kept = {name: answer.headers[name] for name in _HANDED_BACK if name in answer.headers}
    return Response(answer.content, answer.status_code, headers=kept)
