"""What an action answers with: lead on to a page, which says that it is done."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from services.console.signing_in.flash import FlashKind, flash


def done(request: Request, to: str, text: str | None = None, kind: FlashKind = "success") -> Response:
    """Lead on to an own page by 303; it says `text` once: `return done(request, "/plans", _("…"))`.

    htmx follows by itself, and shows that page whole.
    """
    if text is not None:
        flash(request, text, kind)
    if "HX-Request" in request.headers and "HX-Boosted" not in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": to})
    return RedirectResponse(to, status_code=303)
