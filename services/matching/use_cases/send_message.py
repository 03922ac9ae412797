"""An organisation writes to another one of the catalogue, without knowing its address."""

from __future__ import annotations

import asyncio

from services.matching.domain.candidate import Candidate
from services.matching.domain.message import Message
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import Party
from shared.contracts.envelope import new_id
from shared.errors import NotFound
from shared.security import Caller


async def send_message(
    uow: MatchingUnitOfWork, receiver_id: str, sender_id: str, text: str, *, by: Caller
) -> Message:
    """Send the text in the name of the caller's own registration.

    Raises `NotFound` unless both are accepted, `Forbidden` unless the caller acts for the sender,
    and `TooManyMessages`.
    """
    sender, receiver = await asyncio.gather(uow.candidates.find(sender_id), uow.candidates.find(receiver_id))
    writing, reading = _member(sender, sender_id), _member(receiver, receiver_id)
    by.require_acts_for(writing.owner)
    if by.acts_for(reading.owner):
        raise NotFound(f"There is no registration {receiver_id} of another organisation.")
    postbag = await uow.postbags.of(sender_id)
    postbag.note(uow.now)
    message = Message.send(new_id(), sender=writing, receiver=reading, text=text, at=uow.now)
    uow.messages.add(message)
    return message


def _member(candidate: Candidate | None, registration_id: str) -> Party:
    if candidate is None or not candidate.in_pool or candidate.party is None:
        raise NotFound(f"There is no registration {registration_id} in the catalogue.")
    return candidate.party
