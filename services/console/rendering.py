"""Pages as HTML: templates, and how they write days, amounts and names in the reader's language."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.bccache import Bucket
from jinja2.runtime import Context

from services.console import words
from services.console.apis import ApiProblem
from services.console.assets import Assets
from services.console.domain.calendar import Month, Span, months
from services.console.languages import LANGUAGES, Language, ends_of, language_for, preferred
from services.console.navigation import current, entries_for
from services.console.people import Person, anybody
from services.console.settings import ConsoleSettings
from services.console.signing_in.csrf import masked
from services.console.signing_in.flash import flashes
from shared.errors import CxcError
from shared.partnerships import Partnerships

TEMPLATES: Final = Path(__file__).parent / "templates"
LANGUAGE_COOKIE: Final = "language"
_A_YEAR: Final = 365 * 24 * 3600


def language_of(request: Request) -> Language:
    """The reader's language: what `?lang=` says, else what was chosen before, else the browser's wish."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in LANGUAGES:
            return language_for(chosen)
    return language_for(preferred(request.headers.get("Accept-Language", "")))


def only_part(request: Request) -> bool:
    """Whether htmx asks for a part of a page, and not for one it shows whole."""
    asked = request.headers
    return "HX-Request" in asked and not ("HX-Boosted" in asked or "HX-History-Restore-Request" in asked)


class Pages:
    """Renders the console's pages."""

    def __init__(self, settings: ConsoleSettings, partnerships: Partnerships) -> None:
        self._settings = settings
        self._partnerships = partnerships

    @cached_property
    def assets(self) -> Assets:
        """What pages load; raises `AssetsMissing`."""
        return Assets.load()

    def prepare(self) -> None:
        """Load what pages load, and begin to compile all templates: the first reader is not to wait for it.

        Raises `AssetsMissing`.
        """
        Thread(target=self._compile, args=(self._environments,), name="templates", daemon=True).start()

    async def page(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        block: str | None = None,
        part: str | None = None,
        **content: Any,
    ) -> HTMLResponse:
        """A whole page, or one `block` of it; only the block `part` where htmx asks for a part of a page."""
        person = await anybody(request)
        language = language_of(request)
        block = block or (part if only_part(request) else None)
        chosen = self._environments[language.code].get_template(template)
        context = chosen.new_context(
            {
                "request": request,
                "person": person,
                "language": language,
                "csrf": csrf_of(request, person),
                "shown_at": int(time.time()),
                "partnerships": self._partnerships,
                "partnership_name": self._partnership_name,
                "navigation": (entries := entries_for(person)),
                "menu_entry": current(entries, request.url.path),
                "flashes": list if block else partial(flashes, request),
                **content,
            }
        )
        only = _Captured(context, block) if block else None
        html = "".join(chosen.root_render_func(context))
        answer = HTMLResponse(only.html if only else html, status_code=status)
        answer.headers["Vary"] = "HX-Request, Accept-Language, Cookie"
        if request.query_params.get("lang") == language.code:
            answer.set_cookie(
                LANGUAGE_COOKIE,
                language.code,
                max_age=_A_YEAR,
                secure=self._settings.public_url.startswith("https:"),
                httponly=True,
                samesite="lax",
            )
        return answer

    @cached_property
    def _environments(self) -> dict[str, Environment]:
        compiled = _Compiled()
        return {code: surroundings(language_for(code), self.assets, compiled) for code in LANGUAGES}

    @staticmethod
    def _compile(environments: Mapping[str, Environment]) -> None:
        for environment in environments.values():
            for template in environment.list_templates(extensions=["html"]):
                environment.get_template(template)

    def _partnership_name(self, id: str) -> str:
        found = self._partnerships.get(id)
        return found.name if found else id


def surroundings(language: Language, assets: Assets, compiled: BytecodeCache | None = None) -> Environment:
    """Where templates are rendered in one language."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(),
        bytecode_cache=compiled,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(language.catalogue, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(
        money=language.money,
        number=language.number,
        percent=language.percent,
        day=language.day,
        days=language.days,
        moment=language.moment,
        when=language.when,
        country=language.country,
        language_name=language.language_name,
        ecosystem=language.ecosystem,
        kind=language.kind,
        goal=language.goal,
        role=language.role,
        service=language.service,
        state=language.state,
        listed=lambda written: language.listed(list(written)),
    )
    environment.globals.update(
        languages=[language_for(code) for code in LANGUAGES],
        words=words,
        asset=assets.address,
        months_of=months_of,
        error_at=error_at,
        with_query=with_query,
    )
    return environment


async def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    block: str | None = None,
    part: str | None = None,
    **content: Any,
) -> HTMLResponse:
    """Render a template for whoever asks: `return await page(request, "public/home.html", events=events)`."""
    pages: Pages = request.app.state.root.pages
    return await pages.page(request, template, status=status, block=block, part=part, **content)


def csrf_of(request: Request, person: Person | None) -> str:
    """What forms send along; visitors without a session have one too where they may post something."""
    token: str = person.csrf if person else getattr(request.state, "csrf", "")
    return masked(token)


def error_at(errors: object, pointer: str) -> str | None:
    """What is wrong with the field at a JSON pointer, of a refusal, its `errors`, or sentences by pointer."""
    if isinstance(errors, ApiProblem | CxcError):
        errors = errors.errors
    if isinstance(errors, Mapping):
        return errors.get(pointer)
    found = [error["detail"] for error in errors or () if error["pointer"] == pointer]  # type: ignore[attr-defined]
    return "; ".join(found) or None


def with_query(request: Request, **changes: Any) -> str:
    """The address of this page with other values in its query; None takes one out."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changes]
    query = urlencode(kept + [(name, str(value)) for name, value in changes.items() if value is not None])
    return f"{request.url.path}?{query}" if query else request.url.path


def months_of(span: object) -> list[Month]:
    """All months that have a day of a span: a pair, or what an API sends as one."""
    first, last = ends_of(span)
    return months(Span(first, last)) if first and last else []


class _Compiled(BytecodeCache):
    """Templates are compiled once for all languages."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._known:
            bucket.bytecode_from_string(self._known[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key] = bucket.bytecode_to_string()


class _Captured:
    """One block of a page, taken out while all is rendered: what its template imports is there."""

    def __init__(self, context: Context, block: str) -> None:
        self.html = ""
        self._original = context.blocks[block][0]
        context.blocks[block][0] = self._render

    def _render(self, context: Context) -> Iterator[str]:
        self.html = "".join(self._original(context))
        yield self.html
