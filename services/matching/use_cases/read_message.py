"""One of the two organisations reads a message again."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from services.matching.domain.message import Message
from services.matching.repositories import MatchingUnitOfWork
from shared.contracts.common import ERASED
from shared.errors import NotFound
from shared.security import Caller


class ReadMessage(NamedTuple):
    """A message, with the names of the two as they are now."""

    message: Message
    sender: str
    receiver: str


async def read_message(uow: MatchingUnitOfWork, id: str, *, by: Caller) -> ReadMessage:
    """The message; raises `NotFound` for anyone but the two organisations, staff and office included."""
    message = await uow.messages.find(id)
    if message is not None:
        sides = await asyncio.gather(
            uow.candidates.find(message.sender_id), uow.candidates.find(message.receiver_id)
        )
        parties = [side.party if side is not None else None for side in sides]
        if any(party is not None and by.acts_for(party.owner) for party in parties):
            sender, receiver = (party.organisation if party else ERASED for party in parties)
            return ReadMessage(message, sender, receiver)
    raise NotFound(f"There is no message {id}, or none of yours.")
