"""Spreadsheets of registrations: sent, followed while they are read, and what became of their rows."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem, part
from services.console.files import passed_on
from services.console.filters import PLACE
from services.console.forms import Form
from services.console.people import Person, Staff, StaffOrOverseer
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)

Format = Literal["csv", "xlsx"]


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).registration
    return api


@router.get("/imports")
async def listing(request: Request, person: StaffOrOverseer) -> Response:
    return await _imports(request, person, dry_run="for_good" not in request.query_params)


@router.post("/imports")
async def send(request: Request, person: Staff, form: Form) -> Response:
    _ = language_of(request).gettext
    file, only_looks = form.file("file"), form.text("dry_run") == "true"
    if file is None:
        nothing = ApiProblem(422, _("There is no file"), _("Choose the spreadsheet to send, and send again."))
        return await _imports(request, person, problem=nothing, dry_run=only_looks)
    try:
        answer = await _api(request, person).send(
            "POST",
            "/imports",
            files={"file": (file.filename, await file.read(), file.content_type)},
            data={"dry_run": "true" if only_looks else "false"},
        )
    except ApiProblem as problem:
        return await _imports(request, person, problem=problem, dry_run=only_looks)
    return done(request, f"/imports/{answer.json()['id']}", _("The file is here, and is being read."))


@router.get("/imports/template.{format}")
async def template(request: Request, format: Format, person: StaffOrOverseer) -> Response:
    return await passed_on(_api(request, person), f"/imports/template.{format}")


@router.get("/imports/{id}")
async def one(request: Request, id: str, person: StaffOrOverseer) -> Response:
    spreadsheet = await _api(request, person).get(f"/imports/{id}")
    return await page(request, "imports/import.html", part="progress", spreadsheet=spreadsheet)


@router.get("/imports/{id}/{which}.{format}")
async def rows(
    request: Request, id: str, which: Literal["errors", "rows"], format: Format, person: StaffOrOverseer
) -> Response:
    return await passed_on(_api(request, person), f"/imports/{id}/{which}.{format}")


async def _imports(
    request: Request, person: Person, *, problem: ApiProblem | None = None, dry_run: bool = True
) -> Response:
    place = request.query_params.get(PLACE)
    lines = await part(_api(request, person).get("/imports", {"limit": 50, PLACE: place}))
    return await page(
        request,
        "imports/list.html",
        status=problem.status if problem else 200,
        lines=lines,
        problem=problem,
        dry_run=dry_run,
        place=place,
    )
