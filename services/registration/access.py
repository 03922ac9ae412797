"""Who may send, change and decide registrations."""

from __future__ import annotations

from typing import TypeGuard

from services.registration.domain.duplicate import Duplicate
from services.registration.domain.merge import Merge
from services.registration.domain.registration import Origin, Registration
from services.registration.repositories import RegistrationUnitOfWork
from shared.errors import Forbidden, Malformed, NotFound
from shared.scopes import scope_of_reader as scope_concerning
from shared.security import Caller, CallerRole

Sender = Caller | Origin
"""Who sends something: the caller of the API, or an event's origin."""


def origin_of(caller: Caller) -> Origin:
    """The origin of what a caller submits; raises `Forbidden` for those who only read.

    A participant's organisation owns its registrations; staff and external systems submit for
    organisations that may have no access of their own.
    """
    if caller.sees_everything:
        raise Forbidden("The support office and auditors read registrations; they do not submit any.")
    return Origin(
        by=caller.subject,
        owner=caller.organisation if caller.role is CallerRole.PARTICIPANT else None,
        system=caller.subject if caller.role is CallerRole.EXTERNAL else None,
    )


async def registration_to_change(uow: RegistrationUnitOfWork, id: str, by: Sender) -> Registration:
    """The registration, for its organisation, its sender, or staff of its partnership to change.

    Raises `NotFound` and `Forbidden`. An event reaches only what its own source submitted, because
    the id is made of the source.
    """
    if isinstance(by, Origin):
        submitted = await uow.registrations.find(id)
        if submitted is None:
            raise NotFound(
                f"There is no registration '{by.reference}' from {by.source}: none was submitted under that "
                "subject, or it was refused."
            )
        return submitted
    registration = await uow.registrations.get_visible_to(by, id)
    if by.sees_everything:
        raise Forbidden("The support office and auditors read registrations; they do not change any.")
    return registration


async def registration_to_decide(uow: RegistrationUnitOfWork, id: str, by: Caller) -> Registration:
    """The registration, for staff of its partnership to decide; raises `NotFound` and `Forbidden`."""
    registration = await uow.registrations.get_visible_to(by, id)
    by.require_staff_of(registration.party.partnership)
    return registration


async def registration_to_erase(uow: RegistrationUnitOfWork, id: str, by: Caller) -> Registration:
    """The registration, for its organisation or staff of its partnership to have it erased.

    Raises `NotFound` and `Forbidden`. A system that sent it withdraws it; the data are not its own.
    """
    registration = await uow.registrations.get_visible_to(by, id)
    if not by.acts_for(registration.party.owner) and not by.is_staff_of(registration.party.partnership):
        raise Forbidden("Only the organisation itself, or staff of its partnership, can have it erased.")
    return registration


async def pair_to_decide(uow: RegistrationUnitOfWork, id: str, by: Caller) -> Duplicate:
    """The pair of lookalikes, for staff of either side to decide; raises `NotFound` and `Forbidden`."""
    duplicate = await uow.duplicates.get_visible_to(by, id)
    by.require_staff_of(*duplicate.partnerships)
    return duplicate


async def merge_to_undo(uow: RegistrationUnitOfWork, id: str, by: Caller) -> Merge:
    """The merge, for staff of either side to undo; raises `NotFound` and `Forbidden`."""
    merge = await uow.merges.find(id)
    sides = await uow.registrations.get_all(merge.registrations) if merge is not None else []
    partnerships = [side.party.partnership for side in sides]
    if merge is None or not (by.sees_everything or by.is_staff_of(*partnerships)):
        raise NotFound(f"There is no merge {id}, or none you may see.")
    by.require_staff_of(*partnerships)
    return merge


def scope_of_reader(caller: Caller) -> str:
    """What of the feed concerns the caller; raises `Forbidden` for participants."""
    scope = scope_concerning(caller)
    if scope is None:
        raise Forbidden(
            "The feed is for staff and for the systems that submit registrations. What becomes of your "
            "organisation's is at /registrations here and at /notifications of the notifications API."
        )
    return scope


def source_to_ask_about(caller: Caller, source: str | None) -> str:
    """Whose events the caller may look up: an outside system its own; staff and overseers any.

    Raises `Malformed` where they do not say whose, and `Forbidden`.
    """
    match caller.role:
        case CallerRole.EXTERNAL:
            if source not in (None, caller.subject):
                raise Forbidden(
                    f"Your token's subject is '{caller.subject}': you can look up events of that source, "
                    f"not of '{source}'."
                )
            return caller.subject
        case CallerRole.PARTICIPANT:
            raise Forbidden(
                "This is for the systems that send events; your organisation's are at /registrations."
            )
        case _:
            if source is None:
                why = "say whose event it is: its CloudEvent's source"
                raise Malformed(f"Add source=… and {why}.", errors=[{"pointer": "/source", "detail": why}])
            return source


def is_staff(by: Sender) -> TypeGuard[Caller]:
    """Whether a person of a partnership does it, and the audit trail is to say so."""
    return isinstance(by, Caller) and by.role is CallerRole.STAFF


def name_of(by: Sender) -> str:
    """How the history calls a sender: the token's subject or the event's source."""
    return by.by if isinstance(by, Origin) else by.subject
