"""What everybody sees without signing in: the programme and its progress, who may take part, what is paid."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import QueryParams

from services.console import choices
from services.console.apis import Part, part
from services.console.bootstrap import Console
from services.console.case_rows import Flow
from services.console.domain.planning import Arc
from services.console.rendering import language_of, page
from services.console.world_map import world_map
from shared.errors import NotFound

router = APIRouter(include_in_schema=False)

ROLES: Final = ("visitor", "host")
MEMBERSHIPS: Final = ("eccp_cluster", "cluster", "business_network", "none")
_SHOWN_EVENTS: Final = 6


@router.get("/")
async def home(request: Request) -> Response:
    """What an exchange is, how it works, and how far each partnership is."""
    root: Console = request.app.state.root
    progress, flows = await root.cases.progress(), await root.cases.flows()
    return await page(request, "public/home.html", part="progress", progress=progress, **_on_map(flows))


@router.get("/programmes/{id}")
async def programme(id: str, request: Request) -> Response:
    """One partnership: its objective with live progress, its events, its exchanges on the map."""
    root: Console = request.app.state.root
    partnership = root.partnerships.get(id)
    if partnership is None:
        raise NotFound(f"There is no partnership {id}.")
    progress = next(one for one in await root.cases.progress() if one.partnership == id)
    events = await part(
        root.apis.as_(None).matching.get("/group-events", {"partnership": id, "limit": _SHOWN_EVENTS})
    )
    return await page(
        request,
        "public/programme.html",
        part="progress",
        partnership=partnership,
        progress=progress,
        events=events,
        **_on_map(await root.cases.flows(id)),
    )


@router.get("/map")
async def exchanges_on_map(request: Request) -> Response:
    """Who visits whom, country to country; of one partnership with `partnership`."""
    root: Console = request.app.state.root
    partnership = root.partnerships.get(request.query_params.get("partnership", ""))
    flows = await root.cases.flows(partnership.id if partnership else None)
    return await page(request, "public/map.html", part="map", chosen=partnership, **_on_map(flows))


# ── ask before registering: the answer is in the address, so that it can be shared ───────────


@router.get("/check")
async def check(request: Request) -> Response:
    """Whether one's organisation could take part, by the rules in force today."""
    query, language = request.query_params, language_of(request)
    apis = request.app.state.root.apis.as_(None)
    asked = bool(query.get("kind"))
    answer = (
        await part(apis.registration.post("/eligibility/preview", _circumstances(query))) if asked else Part()
    )
    return await page(
        request,
        "public/check.html",
        part="answer",
        asked=asked,
        answer=answer,
        given=query,
        roles=query.getlist("roles"),
        kinds=choices.kinds(language),
        countries=choices.countries(language),
        ecosystems=choices.ecosystems(language),
        memberships=MEMBERSHIPS,
    )


@router.get("/calculator")
async def calculator(request: Request) -> Response:
    """The lump sum of any stay, day by day, and what would remain to be paid by oneself."""
    query, language = request.query_params, language_of(request)
    apis = request.app.state.root.apis.as_(None)
    asked = bool(query.get("first_day"))
    answer = await part(apis.funding.post("/lump-sums/preview", _stay(query))) if asked else Part()
    costs = {name: _euros(query.get(name, "")) for name in ("travel", "living")}
    return await page(
        request,
        "public/calculator.html",
        part="answer",
        asked=asked,
        answer=answer,
        given=query,
        costs=costs,
        remains=_remains(answer, costs.values()),
        marks=_marks(answer),
        countries=choices.countries(language),
    )


def _circumstances(query: QueryParams) -> dict[str, Any]:
    """What the form asked, as the registration service takes it."""
    national = query.get("third_country_national") == "true"
    stays = query.get("residence") if national else None
    return {
        "roles": query.getlist("roles"),
        "kind": query.get("kind"),
        "country": query.get("country"),
        "membership": query.get("membership") or "none",
        "ecosystems": query.getlist("ecosystems"),
        "visit_used": query.get("visit_used") == "true",
        "third_country_national": national,
        **({"residence_days": 183 if stays == "true" else 0} if stays else {}),
        **({"residence_permit": stays == "true"} if stays else {}),
        **(
            {"business_in_scheme": query.get("business") == "true"}
            if national and "business" in query
            else {}
        ),
    }


def _stay(query: QueryParams) -> dict[str, Any]:
    """What the form asked, as the funding service takes it."""

    def at(side: str) -> dict[str, Any]:
        return {"city": query.get(f"{side}_city") or None, "country": query.get(f"{side}_country") or None}

    return {
        "visitor_country": query.get("visitor_country"),
        "visitor_place": at("visitor"),
        "host_country": query.get("host_country"),
        "host_place": at("host"),
        "first_day": query.get("first_day"),
        "last_day": query.get("last_day"),
        "accepted_days": [],
    }


def _euros(written: str) -> Decimal | None:
    """An amount as somebody typed it: 1 234,50 and 1234.50 alike; None where it is none."""
    digits = written.strip().removesuffix("€").replace(" ", "").replace("\u00a0", "")
    if "," in digits:
        digits = digits.replace(".", "").replace(",", ".")
    try:
        amount = Decimal(digits)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < 10**7 else None


def _marks(answer: Part) -> dict[date, str]:
    """The days of the stay as the calendar shows them: those that count, and the others."""
    days = answer.content["days"] if answer.content else []
    return {date.fromisoformat(one["day"]): "chosen" if one["counted"] else "weekend" for one in days}


def _remains(answer: Part, costs: Iterable[Decimal | None]) -> Decimal | None:
    """What of the costs the lump sum does not pay; below zero, what is left over."""
    known = [cost for cost in costs if cost is not None]
    if not known or not answer.content or answer.content["amount"] is None:
        return None
    return sum(known, Decimal()) - Decimal(answer.content["amount"])


def _on_map(flows: Iterable[Flow]) -> dict[str, Any]:
    exchanges = [Arc(flow.visitor_country, flow.host_country, flow.exchanges) for flow in flows]
    return {"map": world_map(exchanges), "flows": exchanges}
