"""The outbox: one row a transaction, holding all its finished messages in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

from shared.contracts.envelope import STRUCTURED, CloudEvent
from shared.contracts.envelope import new_id as new_row_id
from shared.messaging.message import Headers
from shared.messaging.topics import MAX_EVENT_BYTES
from shared.storage.driver import Document

#: Well under MongoDB's 16 MB a document, so that one large message more still fits.
ROW_BYTES = 6 * 1024 * 1024

TYPE_HEADER = "cxc-type"
"""The event's type beside it: a reader skips what is none of its business without reading it."""

_CONTENT_TYPE = ("content-type", STRUCTURED.encode())


class EventTooLarge(ValueError):
    """An event of this size would be refused by the broker for ever; nothing was written."""


class OutgoingMessage(NamedTuple):
    """A Kafka message, finished to the byte."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers = ()

    @classmethod
    def of(cls, event: CloudEvent, topic: str) -> Self:
        """The event in structured mode, keyed by its partition key."""
        value = event.to_json()
        if len(value) > MAX_EVENT_BYTES:
            raise EventTooLarge(
                f"{event.type} for {event.subject} has {len(value)} bytes; the limit is {MAX_EVENT_BYTES}"
            )
        headers = (_CONTENT_TYPE, (TYPE_HEADER, event.type.encode()))
        return cls(topic, (event.partitionkey or "").encode() or None, value, headers)


def pack(messages: Iterable[OutgoingMessage]) -> list[Document]:
    """Outbox rows that hold the messages in order, each row well under the database's limit."""
    rows: list[Document] = []
    packed: list[Document] = []
    size = 0
    for message in messages:
        if packed and size + len(message.value) > ROW_BYTES:
            rows.append(_row(packed))
            packed, size = [], 0
        packed.append(
            {
                "topic": message.topic,
                "key": message.key,
                "value": message.value,
                "headers": [[name, raw] for name, raw in message.headers],
            }
        )
        size += len(message.value)
    if packed:
        rows.append(_row(packed))
    return rows


def unpack(row: Document) -> list[OutgoingMessage]:
    """The messages of an outbox row, in order."""
    return [
        OutgoingMessage(
            message["topic"],
            message["key"],
            message["value"],
            tuple((name, raw) for name, raw in message["headers"]),
        )
        for message in row["messages"]
    ]


def _row(messages: list[Document]) -> Document:
    return {"_id": new_row_id(), "messages": messages}
