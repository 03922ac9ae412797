"""One registration as its staff see it: everything about the case, and what can be decided now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.console.apis import AllApis, ApiProblem, parts
from services.console.people import Person
from services.console.rendering import page
from services.console.timelines import timeline_of

OPEN: Final = frozenset({"eligible", "ineligible", "needs_review"})
"""States in which a registration is to be decided."""
CLOSED: Final = frozenset({"rejected", "withdrawn", "lapsed"})


class Decision(NamedTuple):
    """What staff can do about one registration."""

    step: str
    """As the registration API calls it."""
    fields: tuple[str, ...]
    told: str
    """What is said once it is done."""
    leaves: bool = False
    """Whether another partnership has the case afterwards."""


def _(sentence: str) -> str:
    # Marks what is told to people; it is translated where it is written.
    return sentence


NOTHING: Final[Mapping[str, str]] = {"decision": ""}

DECISIONS: Final = {
    decision.step: decision
    for decision in (
        Decision("accept", ("reason",), _("Accepted: it is in the pool, and the organisation is told.")),
        Decision("reject", ("reason",), _("Rejected: the organisation is told, with your reason.")),
        Decision("ask", ("question", "answer_by"), _("Asked: the organisation gets your question by mail.")),
        Decision(
            "assign", ("partnership", "reason"), _("Handed over to the other partnership."), leaves=True
        ),
        Decision("withdraw", ("reason",), _("Withdrawn.")),
        Decision("confirm-interest", (), _("Noted: the organisation is still interested.")),
    )
}


async def staff_registration(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | None = None,
    entered: Mapping[str, str] = NOTHING,
) -> HTMLResponse:
    """The case page; with `problem`, why what was `entered` could not be done. Raises `ApiProblem`."""
    root = request.app.state.root
    apis = root.apis.as_(person.token)
    case, timeline, shown = await asyncio.gather(
        apis.registration.get(f"/registrations/{id}"),
        timeline_of(root, request, person, id),
        _around(apis, id),
    )
    has_case = person.caller.is_staff_of(case["party"]["partnership"])
    return await page(
        request,
        "registrations/staff_case.html",
        status=problem.status if problem else 200,
        **shown,
        case=case,
        timeline=timeline,
        decides=has_case and case["state"] in OPEN,
        assigns=(has_case or person.operates) and case["state"] in OPEN,
        closes=has_case and case["state"] not in CLOSED,
        owners=[(one.id, one.name) for one in root.partnerships if one.id != case["party"]["partnership"]],
        problem=problem,
        entered=entered,
        wrong={step: problem.errors if problem and entered["decision"] == step else [] for step in DECISIONS},
    )


async def _around(apis: AllApis, id: str) -> dict[str, Any]:
    """What else there is about a registration, each part by itself."""
    return await parts(
        versions=apis.registration.get(f"/registrations/{id}/versions", {"limit": 200}),
        lookalikes=apis.registration.get(f"/registrations/{id}/duplicates"),
        audit=apis.registration.get("/audit", {"registration": id, "limit": 50}),
        matches=apis.matching.get("/matches", {"registration": id, "limit": 100}),
        mails=apis.notifications.get("/notifications", {"about": id, "limit": 20}),
        deadlines=apis.notifications.get("/reminders", {"about": id}),
    )
