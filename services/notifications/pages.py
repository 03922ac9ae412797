"""The pages that anybody sees without signing in: plain HTML in the reader's language, nothing to run."""

from __future__ import annotations

import base64
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.notifications.languages import Language, language_for

_PAGES: Final = Path(__file__).parent / "data" / "pages"
_STYLE: Final = (_PAGES / "page.css").read_text(encoding="utf-8")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(name: str, *, status: int = 200, language: str, **facts: Any) -> HTMLResponse:
    """A page of the folder `data/pages` with these facts, as an answer that no browser runs anything of."""
    reader = language_for(language)
    template = _pages_in(reader).get_template(f"{name}.html.j2")
    # As it is in the file: the policy names its hash.
    html = template.render(language=reader.code, style=Markup(_STYLE), **facts)
    return HTMLResponse(html, status, headers=_HEADERS)


@cache
def _pages_in(reader: Language) -> Environment:
    pages = Environment(
        loader=FileSystemLoader(_PAGES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    pages.policies["ext.i18n.trimmed"] = True
    pages.install_gettext_callables(  # type: ignore[attr-defined]
        reader.gettext, reader.counted, newstyle=True
    )
    return pages
