"""The dead letters of a service: to read, and to send back to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

from aiokafka import AIOKafkaProducer

from shared.errors import CxcError
from shared.messaging import dead_letters, topics
from shared.messaging.clients import Broker
from shared.messaging.message import Message
from shared.messaging.reading import kept, message_at

PARTITION: Final = 0
"""All dead letters of a service are in one, so that an offset names one."""


class NotToReplay(CxcError):
    """A dead letter that cannot be sent back."""

    code = "not-to-replay"
    status = 409
    title = "This dead letter cannot be sent back"


@dataclass(frozen=True)
class Letter:
    """A dead letter without its value; `bytes` is the size the message had."""

    service: str
    offset: int
    failed_at: str
    reason: str
    detail: str
    source: str
    bytes: int
    truncated: bool
    replayed: bool

    @classmethod
    def of(cls, message: Message, service: str, replayed: Collection[str]) -> Self:
        """What its headers say; `replayed` holds the coordinates of letters that were sent back."""
        truncated_from = message.header(dead_letters.TRUNCATED)
        return cls(
            service=service,
            offset=message.offset,
            failed_at=message.header(dead_letters.FAILED_AT) or "",
            reason=message.header(dead_letters.REASON) or "",
            detail=message.header(dead_letters.DETAIL) or "",
            source=message.header(dead_letters.SOURCE) or "",
            bytes=int(truncated_from or len(message.value or b"")),
            truncated=truncated_from is not None,
            replayed=message.coordinates in replayed,
        )


async def letters_of(broker: Broker, service: str) -> list[Letter]:
    """All dead letters of a service, oldest first."""
    replayed = await replayed_of(broker, service)
    return [Letter.of(message, service, replayed) async for message in messages_of(broker, service)]


async def messages_of(broker: Broker, service: str) -> AsyncIterator[Message]:
    """All dead letters of a service as they are kept, oldest first."""
    async with broker.reader(topics.dead_letters(service)) as consumer:
        async for message in kept(consumer):
            yield message


async def letter_at(broker: Broker, service: str, offset: int) -> Message | None:
    """One dead letter as it is kept; None where there is none, or no longer."""
    return await message_at(broker, topics.dead_letters(service), PARTITION, offset)


async def replayed_of(broker: Broker, service: str) -> set[str]:
    """Coordinates of the service's dead letters that were sent back, by what its replay topic says."""
    async with broker.reader(topics.replays(service)) as consumer:
        return {
            letter async for message in kept(consumer) if (letter := message.header(dead_letters.REPLAY_OF))
        }


class Replays:
    """Sends dead letters back to the service that failed on them: `async with replays_to(…) as replays`."""

    def __init__(self, broker: Broker, producer: AIOKafkaProducer) -> None:
        self._broker = broker
        self._producer = producer

    async def send_back(self, letter: Message) -> str:
        """Where it is now, `topic/partition/offset`; raises `NotToReplay` and `KafkaTrouble`."""
        try:
            outgoing = dead_letters.replay_of(await self._whole(letter))
        except ValueError as error:
            raise NotToReplay(f"Dead letter {letter.offset} cannot be replayed: {error}.") from error
        where = await self._producer.send_and_wait(
            outgoing.topic, outgoing.value, key=outgoing.key, headers=list(outgoing.headers)
        )
        return f"{where.topic}/{where.partition}/{where.offset}"

    async def _whole(self, letter: Message) -> Message:
        """The letter with the value it had before it was truncated, from where it was first read."""
        size = letter.header(dead_letters.TRUNCATED)
        if size is None:
            return letter
        source = letter.header(dead_letters.SOURCE) or "//"
        topic, partition, offset = source.rsplit("/", 2)
        original = await message_at(self._broker, topic, int(partition), int(offset)) if topic else None
        if original is None or len(original.value or b"") != int(size):
            raise NotToReplay(
                f"Dead letter {letter.offset} was too large to be kept whole, and {source} is kept no "
                "longer: ask the sender to send it again."
            )
        return letter._replace(value=original.value)


@asynccontextmanager
async def replays_to(broker: Broker, service: str) -> AsyncIterator[Replays]:
    """A way back to that service, until the block ends."""
    async with broker.producer(topics.replays(service)) as producer:
        yield Replays(broker, producer)
