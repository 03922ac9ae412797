"""What is held about an organisation: read it, take it along, have it erased."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, Final
from urllib.parse import quote
from zipfile import ZIP_DEFLATED, ZipFile

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import AllApis, ApiProblem, Part, ServiceDown, part, parts
from services.console.forms import Form
from services.console.own import own_registrations
from services.console.people import Participant, Person
from services.console.rendering import language_of, page
from services.console.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts.common import ERASED
from shared.errors import NotFound
from shared.messaging.topics import PUBLISHERS

router = APIRouter(include_in_schema=False)


_NOTHING: Final = 404
_ENTIRELY_PRIVATE: Final = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


@router.get("/my-data")
async def overview(request: Request, person: Participant) -> Response:
    own = await part(own_registrations(_apis(request, person)))
    return await page(request, "my_data/overview.html", own=own, ERASED=ERASED)


@router.get("/my-data/{id}")
async def held(request: Request, id: str, person: Participant) -> Response:
    apis = _apis(request, person)
    case = await apis.registration.get(f"/registrations/{id}")
    return await page(
        request,
        "my_data/held.html",
        case=case,
        services=await _held(request, person, id),
        erased=_is_erased(case),
    )


@router.get("/my-data/{id}/held.json")
async def as_json(request: Request, id: str, person: Participant) -> Response:
    """All of it in one file; raises what an API says that is away: half of it would look like all."""
    content = json.dumps(_all_of(await _held(request, person, id)), indent=2, ensure_ascii=False)
    return _saved(content.encode(), "application/json", f"held-{id}.json")


@router.get("/my-data/{id}/held.zip")
async def as_zip(request: Request, id: str, person: Participant) -> Response:
    """The same, with the files that were sent: the CV and the evidence of stays."""
    apis = _apis(request, person)
    services = _all_of(await _held(request, person, id))
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for service, kinds in services.items():
            archive.writestr(f"{service}.json", json.dumps(kinds, indent=2, ensure_ascii=False))
        for name, content in await _files(apis, id, services):
            archive.writestr(name, content)
    return _saved(packed.getvalue(), "application/zip", f"held-{id}.zip")


@router.get("/my-data/{id}/erase")
async def ask_to_erase(request: Request, id: str, person: Participant) -> Response:
    return await _show_erasure(request, person, id)


@router.post("/my-data/{id}/erase")
async def erase(request: Request, id: str, person: Participant, form: Form) -> Response:
    _ = language_of(request).gettext
    entered = {"typed": form.text("typed"), "reason": form.text("reason")}
    api = _apis(request, person).registration
    case = await api.get(f"/registrations/{id}")
    if not _is_same(entered["typed"], case["party"]["organisation"]):
        return await _show_erasure(request, person, id, entered=entered, mistyped=True)
    try:
        await api.post(
            f"/registrations/{id}/erase", {"reason": entered["reason"] or _("The organisation wishes it.")}
        )
    except (ApiProblem, ServiceDown) as trouble:
        return await _show_erasure(request, person, id, entered=entered, trouble=trouble)
    return done(request, "/my-data", _("Erased. The other services follow within moments."))


def _apis(request: Request, person: Person) -> AllApis:
    apis: AllApis = request.app.state.root.apis.as_(person.token)
    return apis


async def _held(request: Request, person: Person, id: str) -> dict[str, Part]:
    """What each service holds, the console's own copy last."""
    apis, root = _apis(request, person), request.app.state.root
    told = await parts(**{service: getattr(apis, service).get(f"/held/{id}") for service in PUBLISHERS})
    try:
        kinds = await root.transactions.read(lambda uow: tell_what_is_held(uow, id, by=person.caller))
    except NotFound:
        kinds = []
    return {**told, "console": Part({"kinds": [kind.model_dump(mode="json") for kind in kinds]})}


def _all_of(services: Mapping[str, Part]) -> dict[str, Any]:
    """What each service holds, by its name; raises `ServiceDown` and `ApiProblem` where one does not say."""
    for one in services.values():
        if one.down is not None:
            raise ServiceDown(one.down)
        if one.problem is not None and one.problem.status != _NOTHING:
            raise one.problem
    if (unknown := services["registration"].problem) is not None:
        raise unknown
    return {name: one.content["kinds"] if one.ok else [] for name, one in services.items()}


async def _files(apis: AllApis, id: str, services: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    wanted = []
    if any(_documents(services["registration"], "CV")):
        wanted.append(("cv.pdf", apis.registration.send("GET", f"/registrations/{id}/cv")))
    for evidence in _documents(services["funding"], "evidence"):
        for file in evidence["files"]:
            path = f"/grants/{quote(evidence['grant_id'])}/evidence/{quote(file['id'])}"
            name = re.sub(r"[/\\]", "_", file["name"])
            wanted.append((f"evidence/{file['id']}-{name}", apis.funding.send("GET", path)))
    found = await asyncio.gather(*(part(asked) for _, asked in wanted))
    # One that was removed at this moment is no reason to give none of the others.
    return [(name, one.content.content) for (name, _), one in zip(wanted, found, strict=True) if one.ok]


def _documents(kinds: list[dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    for kind in kinds:
        if kind["name"] == name:
            yield from kind["documents"]


def _saved(content: bytes, media_type: str, name: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(
        content, media_type=media_type, headers={"Content-Disposition": disposition, **_ENTIRELY_PRIVATE}
    )


def _is_same(typed: str, name: str) -> bool:
    return " ".join(typed.split()).casefold() == " ".join(name.split()).casefold()


def _is_erased(case: Mapping[str, Any]) -> bool:
    return bool(case["party"]["organisation"] == ERASED)


async def _show_erasure(
    request: Request,
    person: Person,
    id: str,
    *,
    entered: Mapping[str, str] | None = None,
    mistyped: bool = False,
    trouble: ApiProblem | ServiceDown | None = None,
) -> Response:
    apis = _apis(request, person)
    case = await apis.registration.get(f"/registrations/{id}")
    shown: dict[str, Any] = await parts(
        matches=apis.matching.get("/matches", {"registration": id, "limit": 200})
    )
    return await page(
        request,
        "my_data/erase.html",
        status=trouble.status if trouble else 422 if mistyped else 200,
        **shown,
        case=case,
        erased=_is_erased(case),
        entered=entered or {"typed": "", "reason": ""},
        mistyped=mistyped,
        trouble=trouble,
    )
