"""For who looks after the installation: how its processes are, and what they could not handle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.domain.bytes_shown import as_json, as_text, rows
from services.console.filters import address, chosen
from services.console.forms import Form
from services.console.health import health_of
from services.console.people import Operator, Person
from services.console.rendering import language_of, page
from shared.errors import NotFound
from shared.messaging import dead_letters
from shared.messaging.clients import Broker, KafkaTrouble
from shared.messaging.consumption import consumption_of
from shared.messaging.letters import (
    Letter,
    NotToReplay,
    letter_at,
    letters_of,
    replayed_of,
    replays_to,
)
from shared.messaging.message import Message
from shared.messaging.topics import SERVICES, ServiceName

router = APIRouter(include_in_schema=False)
_log = structlog.get_logger(__name__)

FILTERS: Final = ("service", "reason", "replayed")
SHOWN: Final = 100
"""Dead letters on a page at the most; the latest."""
BYTES_SHOWN: Final = 2048
"""Of a message in hexadecimal; all of it can be saved."""
TEXT_SHOWN: Final = 20_000


def _broker(request: Request) -> Broker:
    broker: Broker = request.app.state.root.broker
    return broker


@router.get("/operations")
async def operations(request: Request, person: Operator) -> Response:
    return await page(
        request, "operations/operations.html", health=await health_of(request.app.state.root.settings)
    )


@router.get("/operations/queues")
async def queues(request: Request, person: Operator) -> Response:
    """What waits in Kafka, as the broker says; loaded by the page above, or a page of its own."""
    broker = _broker(request)
    try:
        consumption, letters = await asyncio.gather(
            consumption_of(broker, SERVICES),
            asyncio.gather(*(letters_of(broker, service) for service in SERVICES)),
        )
    except KafkaTrouble as trouble:
        return await page(request, "operations/queues.html", part="queues", trouble=trouble)
    return await page(
        request,
        "operations/queues.html",
        part="queues",
        trouble=None,
        consumption=consumption,
        letters={
            service: sum(not letter.replayed for letter in those)
            for service, those in zip(SERVICES, letters, strict=True)
        },
    )


@router.get("/operations/dead-letters")
async def dead_letter_list(request: Request, person: Operator) -> Response:
    asked = chosen(request.query_params, FILTERS)
    services = [name for name in SERVICES if asked.get("service") in (None, name)]
    trouble, found = None, list[Letter]()
    try:
        for those in await asyncio.gather(*(letters_of(_broker(request), service) for service in services)):
            found += those
    except KafkaTrouble as away:
        trouble = away
    reasons = sorted({letter.reason for letter in found})
    wanted = [letter for letter in found if _is_wanted(letter, asked)]
    wanted.sort(key=lambda letter: letter.failed_at, reverse=True)
    return await page(
        request,
        "operations/dead_letters.html",
        asked=asked,
        trouble=trouble,
        reasons=reasons,
        letters=wanted[:SHOWN],
        count=len(wanted),
        back=address("/operations/dead-letters", asked),
    )


@router.get("/operations/dead-letters/{service}/{offset}")
async def dead_letter(service: ServiceName, offset: int, request: Request, person: Operator) -> Response:
    message = await _letter(request, service, offset)
    value = message.value or b""
    return await page(
        request,
        "operations/dead_letter.html",
        letter=Letter.of(message, service, await replayed_of(_broker(request), service)),
        key=as_text(message.key or b""),
        headers=[
            (name, as_text(given or b"")) for name, given in dead_letters.original_headers(message.headers)
        ],
        json=(as_json(value) or "")[:TEXT_SHOWN],
        text=as_text(value[:TEXT_SHOWN]),
        rows=rows(value, BYTES_SHOWN),
        kept=len(value),
        bytes_shown=BYTES_SHOWN,
    )


@router.get("/operations/dead-letters/{service}/{offset}/bytes")
async def dead_letter_bytes(
    service: ServiceName, offset: int, request: Request, person: Operator
) -> Response:
    """The very bytes, to be saved."""
    message = await _letter(request, service, offset)
    return Response(
        message.value or b"",
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{service}-dead-letter-{offset}.bin"',
            "Cache-Control": "no-store",
        },
    )


@router.post("/operations/dead-letters/replay")
async def replay(request: Request, person: Operator, form: Form) -> Response:
    """Send chosen dead letters back to the services that failed on them, or all that were shown."""
    _ = language_of(request).gettext
    ngettext = language_of(request).catalogue.ngettext
    back = form.text("back", "/operations/dead-letters")
    back = back if back.startswith("/operations/") else "/operations/dead-letters"
    named = sorted(_named(form.list("shown" if form.text("all") else "letter")))
    if not named:
        return done(request, back, _("Choose at least one dead letter."), "warning")
    sent, refused = 0, list[str]()
    for service, those in groupby(named, key=lambda one: one[0]):
        offsets = [offset for _service, offset in those]
        some, why = await _replay(request, person, service, offsets, again=form.text("again") == "true")
        sent += some
        refused += why
    said = ngettext("%(num)s dead letter was sent back.", "%(num)s dead letters were sent back.", sent)
    return done(
        request, back, " ".join([said % {"num": sent}, *refused[:3]]), "warning" if refused else "success"
    )


async def _replay(
    request: Request, person: Person, service: ServiceName, offsets: Sequence[int], *, again: bool
) -> tuple[int, list[str]]:
    """How many were sent back, and why others were not."""
    broker = _broker(request)
    replayed = await replayed_of(broker, service)
    sent, refused = list[int](), list[str]()
    async with replays_to(broker, service) as replays:
        for offset in offsets:
            message = await letter_at(broker, service, offset)
            if message is None or (message.coordinates in replayed and not again):
                refused.append(f"{service} {offset}: it is there no more, or was sent back before.")
                continue
            try:
                await replays.send_back(message)
            except NotToReplay as why:
                refused.append(why.detail)
            else:
                sent.append(offset)
    _log.info("dead_letters_replayed", by=person.caller.subject, of=service, offsets=sent)
    return len(sent), refused


def _named(letters: Sequence[str]) -> set[tuple[ServiceName, int]]:
    found = set()
    for one in letters:
        service, _, offset = one.partition("/")
        if service in SERVICES and offset.isdigit():
            found.add((service, int(offset)))
    return found


def _is_wanted(letter: Letter, asked: dict[str, str | list[str]]) -> bool:
    if asked.get("reason") not in (None, letter.reason):
        return False
    return letter.replayed if asked.get("replayed") else not letter.replayed


async def _letter(request: Request, service: ServiceName, offset: int) -> Message:
    found = await letter_at(_broker(request), service, offset)
    if found is None:
        raise NotFound(f"{service} has no dead letter {offset}, or keeps it no longer.")
    return found
