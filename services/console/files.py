"""Files of the other services, passed on to whoever is signed in with the headers they need."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from services.console.apis import Api, Params

_SHOWN: Final = frozenset({"application/pdf", "image/jpeg", "image/png", "image/svg+xml"})
"""What a browser may show beside a page; anything else is saved."""

_POLICIES: Final = {
    # Its viewer does not open in a sandbox, and runs nothing with the rights of the page.
    "application/pdf": (
        "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
    ),
    "image/svg+xml": "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'",
}
_SEALED: Final = "default-src 'none'; sandbox; frame-ancestors 'self'"


async def passed_on(api: Api, path: str, *, params: Params | None = None, shown: bool = False) -> Response:
    """The file an API gives, to be saved, or `shown` in the browser where its kind allows that.

    Raises `ApiProblem` and `ServiceDown` as any other question does. Nothing of it is kept by the browser.
    """
    answer = await api.send("GET", path, params=params)
    media_type = answer.headers.get("content-type", "application/octet-stream")
    kind = media_type.partition(";")[0].strip().lower()
    disposition = answer.headers.get("content-disposition", "attachment")
    if shown and kind in _SHOWN:
        disposition = disposition.replace("attachment", "inline", 1)
    return Response(
        answer.content,
        headers={
            "Content-Type": media_type,
            "Content-Disposition": disposition,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": _POLICIES.get(kind, _SEALED),
            "Cache-Control": "private, no-store",
        },
    )
