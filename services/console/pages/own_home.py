"""Where an organisation begins: what needs it today, its registrations, its exchanges."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from services.console.agenda import agenda
from services.console.apis import parts
from services.console.own import own_registrations
from services.console.people import Person
from services.console.rendering import page

SHOWN: Final = 6
"""Exchanges shown at once; the list has all."""
OVER: Final = frozenset({"declined", "refused", "cancelled", "expired", "withdrawn"})


async def own_home(request: Request, person: Person) -> Response:
    """The page."""
    root = request.app.state.root
    apis = root.apis.as_(person.token)
    shown, waits, exchanges = await asyncio.gather(
        parts(
            registrations=own_registrations(apis),
            drafts=apis.registration.get("/drafts", {"limit": SHOWN}),
            reminders=apis.notifications.get("/reminders", {"limit": 200}),
        ),
        root.cases.waiting(person, limit=200),
        root.cases.exchanges(person, limit=50),
    )
    reminders = shown["reminders"]
    todo = agenda(waits.rows, reminders.content["items"] if reminders.ok else [], root.clock().date())
    live = [one for one in exchanges.rows if one.state not in OVER]
    content: dict[str, Any] = shown
    return await page(
        request,
        "home/own.html",
        part="today",
        **content,
        todo=todo,
        exchanges=live[:SHOWN],
        more_exchanges=len(exchanges.rows) > len(live[:SHOWN]),
    )
