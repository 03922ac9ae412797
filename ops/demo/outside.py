"""The outside system of the demo: sends registrations to Kafka, some of them wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import orjson
from aiokafka import AIOKafkaProducer

from ops.commands import CommandFailed
from ops.organisations import UnreadableFile, registrations_from_csv
from ops.sample import awkward_messages, sample_registrations
from shared.contracts.envelope import STRUCTURED, new_id
from shared.contracts.types import EventType
from shared.messaging.topics import REGISTRATION_INBOX
from shared.partnerships import Partnerships

SOURCE = "/sample/registration-desk"


class Letter(NamedTuple):
    """A message as the outside system sends it."""

    key: bytes
    value: bytes


def letters_from_sample(seed: int, count: int, start: date, partnerships: Partnerships) -> list[Letter]:
    """The sample programme, and among it messages that cannot be taken."""
    letters = [
        _letter(sample.reference, sample.data)
        for sample in sample_registrations(seed, count, start=start, partnerships=partnerships)
    ]
    wrong = awkward_messages(start=start, partnerships=partnerships, source=SOURCE)
    for number, message in enumerate(wrong):
        place = (number + 1) * len(letters) // (len(wrong) + 1)
        letters.insert(place, Letter(message.reference.encode(), message.value or b""))
    return letters


def letters_from_csv(path: Path, start: date) -> list[Letter]:
    """One registration a row, as the row says it."""
    try:
        return [_letter(row.reference, row.data) for row in registrations_from_csv(path, start=start)]
    except UnreadableFile as error:
        raise CommandFailed(str(error)) from error


def _letter(reference: str, data: object) -> Letter:
    event = {
        "specversion": "1.0",
        "id": new_id(),
        "source": SOURCE,
        "type": EventType.SUBMIT_REGISTRATION,
        "subject": reference,
        "datacontenttype": "application/json",
        "data": data,
    }
    return Letter(reference.encode(), orjson.dumps(event))


async def publish(bootstrap: str, letters: list[Letter], told: Callable[[int], None]) -> None:
    """Send everything and wait until the broker has it; `told` hears how many were handed over."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type="gzip")
    await producer.start()
    try:
        for number, letter in enumerate(letters, start=1):
            await producer.send(
                REGISTRATION_INBOX,
                letter.value,
                key=letter.key,
                headers=[("content-type", STRUCTURED.encode())],
            )
            if number % 50 == 0 or number == len(letters):
                told(number)
        await producer.flush()
    finally:
        await producer.stop()
