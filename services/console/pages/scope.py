"""Whose money or plans a page is about: staff's own partnership, or the one an overseer chooses."""

from __future__ import annotations

from fastapi import Request

from services.console.people import Person
from shared.errors import NotFound
from shared.partnerships import Partnership, Partnerships


def known_partnership(request: Request, person: Person, id: str) -> Partnership:
    """The partnership of that id; raises `NotFound`, and `Forbidden` for staff of another one."""
    partnerships: Partnerships = request.app.state.root.partnerships
    found = partnerships.get(id)
    if found is None:
        raise NotFound(f"There is no partnership {id}.")
    if person.is_staff:
        person.caller.require_staff_of(id)
    return found


def chosen_partnership(request: Request, person: Person, asked: str) -> Partnership:
    """Staff's own, else the one that was asked for, else the first; raises `NotFound`."""
    if person.caller.partnership is not None:
        return known_partnership(request, person, person.caller.partnership)
    partnerships: Partnerships = request.app.state.root.partnerships
    return known_partnership(request, person, asked or next(iter(partnerships)).id)
