"""Pages as HTML: templates, and how they write days, amounts and names in the reader's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.console.people import anybody
from services.console.settings import ConsoleSettings
from shared.partnerships import Partnerships

TEMPLATES: Final = Path(__file__).parent / "templates"


class Pages:
    """Renders the console's pages."""

    def __init__(self, settings: ConsoleSettings, partnerships: Partnerships) -> None:
        self._settings = settings
        self._partnerships = partnerships
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        self._environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]

    async def page(
        self, request: Request, template: str, *, status: int = 200, block: str | None = None, **content: Any
    ) -> HTMLResponse:
        """A whole page, or one `block` of it for a request that replaces only this part."""
        person = await anybody(request)
        chosen = self._environment.get_template(template)
        html = chosen.render(request=request, person=person, **content)
        return HTMLResponse(html, status_code=status)


async def page(
    request: Request, template: str, *, status: int = 200, block: str | None = None, **content: Any
) -> HTMLResponse:
    """Render a template for whoever asks: `return await page(request, "public/home.html", events=events)`."""
    pages: Pages = request.app.state.root.pages
    return await pages.page(request, template, status=status, block=block, **content)
