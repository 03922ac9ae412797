"""Who is at the browser: what pages ask for by their parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from shared.errors import Forbidden
from shared.security import Caller, CallerRole

if TYPE_CHECKING:
    from services.console.bootstrap import Console


class SignInFirst(Exception):
    """The page is for people who have signed in; they are led there and back."""


@dataclass(frozen=True)
class Person:
    """Somebody with a session."""

    session: str
    """The session's id, as its cookie says; never shown."""
    caller: Caller
    """Who that is, as the token says."""
    name: str
    """What to call them: a role and an organisation or partnership, where the issuer says no more."""
    token: str = field(repr=False)
    """The access token for the APIs."""
    csrf: str = field(repr=False)
    """What every form of this session has to send along."""

    @property
    def is_staff(self) -> bool:
        """Whether they work for a partnership."""
        return self.caller.role is CallerRole.STAFF

    @property
    def is_participant(self) -> bool:
        """Whether they act for an organisation."""
        return self.caller.role is CallerRole.PARTICIPANT

    @property
    def oversees(self) -> bool:
        """Whether they read everything: the support office and auditors."""
        return self.caller.sees_everything

    @property
    def operates(self) -> bool:
        """Whether they look after the installation: the support office."""
        return self.caller.role is CallerRole.SUPPORT_OFFICE


async def anybody(request: Request) -> Person | None:
    """Whoever has a session, or None."""
    if not hasattr(request.state, "person"):
        console: Console = request.app.state.root
        request.state.person = None  # also for the page that says that the database is away
        request.state.person = await console.sessions.person_of(request)
    found: Person | None = request.state.person
    return found


async def signed_in(person: Annotated[Person | None, Depends(anybody)]) -> Person:
    """Whoever has a session; others sign in first."""
    if person is None:
        raise SignInFirst
    return person


async def participant(person: Annotated[Person, Depends(signed_in)]) -> Person:
    """Somebody who acts for an organisation."""
    if not person.is_participant:
        raise Forbidden("This page is for organisations that take part.")
    return person


async def staff(person: Annotated[Person, Depends(signed_in)]) -> Person:
    """Somebody who works for a partnership."""
    if not person.is_staff:
        raise Forbidden("This page is for staff of a partnership.")
    return person


async def staff_or_overseer(person: Annotated[Person, Depends(signed_in)]) -> Person:
    """Staff, who see their partnership, or who reads everything: the support office and auditors."""
    if not (person.is_staff or person.oversees):
        raise Forbidden("This page is for staff of a partnership.")
    return person


async def operator(person: Annotated[Person, Depends(signed_in)]) -> Person:
    """Somebody who looks after the installation."""
    if not person.operates:
        raise Forbidden("This page is for the support office.")
    return person


Anybody = Annotated[Person | None, Depends(anybody)]
SignedIn = Annotated[Person, Depends(signed_in)]
Participant = Annotated[Person, Depends(participant)]
Staff = Annotated[Person, Depends(staff)]
StaffOrOverseer = Annotated[Person, Depends(staff_or_overseer)]
Operator = Annotated[Person, Depends(operator)]
