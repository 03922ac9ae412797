"""Tell a sender what became of an event, by its own id."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from services.registration.repositories import RegistrationUnitOfWork
from shared.contracts.registration import RegistrationRefused, id_from_outside
from shared.contracts.vocabulary import RegistrationState, Verdict
from shared.messaging.consumer import done_mark
from shared.security import Caller, CallerRole
from shared.storage.store import INBOX


class Handled(NamedTuple):
    """What became of an event, and where its registration stands now."""

    outcome: Literal["taken", "refused"]
    event_id: str
    source: str
    at: datetime
    registration_id: str | None = None
    reference: str | None = None
    state: RegistrationState | None = None
    verdict: Verdict | None = None
    refusal: RegistrationRefused | None = None


async def look_up_event(
    uow: RegistrationUnitOfWork, source: str, event_id: str, *, by: Caller
) -> Handled | None:
    """What became of the event, or None where it was not handled, too long ago, or is none of theirs."""
    mark = done_mark(source, event_id)
    taken = (await uow.store.load(INBOX, [mark])).get(mark)
    refusals = await uow.store.query(INBOX, {"event": mark}, sort=[("at", -1)], limit=1)
    refused = refusals[0] if refusals and refusals[0]["source"] == source else None
    refusal = RegistrationRefused.model_validate(refused["refused"]) if refused else None
    if taken is not None and taken.get("source") == source:
        id = id_from_outside(source, taken["subject"])
        registration = await uow.registrations.find(id)
        if by.role is CallerRole.STAFF and not (
            registration and by.is_staff_of(registration.party.partnership)
        ):
            return None
        return Handled(
            "taken",
            event_id,
            source,
            taken["at"],
            registration_id=id,
            reference=taken["subject"],
            state=registration.state if registration else None,
            verdict=registration.verdict if registration else None,
            refusal=refusal,
        )
    if refused is None:
        return None
    return Handled("refused", event_id, source, refused["at"], reference=refused["subject"], refusal=refusal)
