"""Messages to the organisations of the catalogue."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.matching.routes.root import Root, change
from services.matching.use_cases.read_message import read_message
from services.matching.use_cases.send_message import send_message
from shared.contracts.vocabulary import Text
from shared.http import Authenticated, problem_responses

router = APIRouter(tags=["messages"])


class Writing(BaseModel):
    """Who writes, and what."""

    model_config = ConfigDict(extra="forbid")

    sender: Annotated[
        str, Field(alias="from", min_length=1, max_length=200, description="Your own registration.")
    ]
    text: Annotated[Text, Field(min_length=1, max_length=2000)]


class MessageSentView(BaseModel):
    """A message that is on its way."""

    id: str
    sent_at: datetime


class MessageView(BaseModel):
    """A message between two organisations; to answer, write to `sender_registration_id`."""

    id: str
    sender_registration_id: str
    sender: str
    """The organisation's name."""
    receiver_registration_id: str
    receiver: str
    """The organisation's name."""
    text: str
    sent_at: datetime


@router.post(
    "/catalogue/{registration_id}/messages",
    summary="Write to an organisation",
    status_code=201,
    response_description="The message is on its way; `Location` is its address.",
    responses=problem_responses(401, 403, 404, 409, 422),
)
async def send(
    registration_id: str,
    writing: Writing,
    caller: Authenticated,
    matching: Root,
    request: Request,
    response: Response,
) -> MessageSentView:
    """The other organisation gets it by mail with a link to answer; neither sees the other's address.

    For participants, in the name of their own accepted registration; at most 20 messages in 24 hours.
    """
    message = await change(
        matching,
        request,
        lambda uow: send_message(uow, registration_id, writing.sender, writing.text, by=caller),
    )
    response.headers["Location"] = f"/messages/{message.id}"
    return MessageSentView(id=message.id, sent_at=message.sent_at)


@router.get(
    "/messages/{id}",
    summary="Read a message",
    response_description="The message.",
    responses=problem_responses(401, 404),
)
async def read(id: str, caller: Authenticated, matching: Root) -> MessageView:
    """For the two organisations alone."""
    found = await matching.transactions.read(lambda uow: read_message(uow, id, by=caller))
    return MessageView(
        id=found.message.id,
        sender_registration_id=found.message.sender_id,
        sender=found.sender,
        receiver_registration_id=found.message.receiver_id,
        receiver=found.receiver,
        text=found.message.text,
        sent_at=found.message.sent_at,
    )
