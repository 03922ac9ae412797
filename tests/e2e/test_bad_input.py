"""Bad messages in a real run: each is refused in a sentence, kept whole, and holds up nobody behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from ops.sample.awkward import awkward_messages
from shared.contracts.envelope import STRUCTURED, new_id
from shared.contracts.registration import RegistrationRefused
from shared.contracts.types import EventType
from shared.messaging import dead_letters
from shared.messaging.message import Headers
from shared.messaging.topics import REGISTRATION_INBOX
from shared.partnerships import Partnerships
from tests.e2e.conftest import PARTNERSHIPS
from tests.e2e.onlooker import Onlooker
from tests.e2e.outside import TODAY, OutsideSystem

pytestmark = pytest.mark.e2e

PLAIN: Final[Headers] = (("content-type", STRUCTURED.encode()),)


@dataclass(frozen=True)
class Bad:
    """A message that must be refused; `says` are words of the refusal, whatever else it says."""

    name: str
    value: bytes | None
    says: tuple[str, ...] = ()
    headers: Headers = PLAIN


def bad_messages(sender: OutsideSystem) -> list[Bad]:
    partnerships = Partnerships.load(PARTNERSHIPS)
    awkward = awkward_messages(start=TODAY, partnerships=partnerships, source=sender.source)
    says: dict[str, tuple[str, ...]] = {
        "awkward-no-value": ("no value",),
        "awkward-not-json": ("not JSON",),
        "awkward-not-a-cloudevent": ("no CloudEvent", "specversion"),
        "awkward-unknown-type": ("cxc.registration.enrol.v1", str(EventType.SUBMIT_REGISTRATION)),
        "awkward-unknown-country": ("/organisation/country", "'ZZ' is not a country"),
        "awkward-reversed-dates": ("/availability/0",),
        "awkward-unknown-partnership": ("'no-such-partnership'", "open-looms"),
        "awkward-missing-field": ("/goals",),
        "awkward-wrong-type": ("/organisation",),
    }
    assert {message.reference for message in awkward} == says.keys()
    return [
        *(Bad(message.reference, message.value, says[message.reference]) for message in awkward),
        *more_bad_messages(sender),
    ]


def more_bad_messages(sender: OutsideSystem) -> list[Bad]:
    sound = sender.visitor("bad")
    long = sender.event("five-megabytes", {**sound, "motivation": "hemp " * 1_000_000})
    used = sender.event("id-used", sender.visitor("id-used"), id=f"used-{sender.name}")
    again = sender.event("id-used-again", sender.visitor("id-used-again"), id=used.id)
    unknown_version = sender.event("unknown-version", sound, type="cxc.registration.submit.v99")
    no_subject = orjson.loads(sender.event("no-subject", sound).value)
    del no_subject["subject"]
    attributes: dict[str, bytes | None] = {
        "ce_specversion": b"1.0",
        "ce_id": new_id().encode(),
        "ce_source": sender.source.encode(),
        "ce_type": EventType.SUBMIT_REGISTRATION.encode(),
        "ce_subject": b"binary",
        "content-type": b"application/json",
    }

    def binary(name: str, says: tuple[str, ...], **changes: bytes | None) -> Bad:
        changed = attributes | {key.replace("content_type", "content-type"): changes[key] for key in changes}
        headers = tuple((key, value) for key, value in changed.items() if value is not None)
        return Bad(name, orjson.dumps(sound), says, headers)

    return [
        Bad("five megabytes", long.value, (str(len(long.value)), "limit is 1048576")),
        Bad("id used by another content", again.value, (used.id, "taken before")),
        Bad("unknown version", unknown_version.value, ("submit.v99", "cannot be sent here")),
        Bad("no subject", orjson.dumps(no_subject), ("subject",)),
        Bad("bare data without headers", orjson.dumps(sound), ("no CloudEvent",), ()),
        Bad("empty value", b"", ("not JSON",)),
        Bad("other encoding", orjson.dumps(sound).replace(b"Lisbon", b"M\xfcnchen"), ("not JSON",)),
        binary("binary without id", ("id",), ce_id=None),
        binary("binary of another version", ("specversion",), ce_specversion=b"0.3"),
        binary("binary with broken header", ("UTF-8",), ce_source=b"/\xff\xfe"),
        binary("binary with text", ("text/plain", "application/json"), content_type=b"text/plain"),
    ]


async def test_every_bad_message_is_refused_and_kept_and_the_valid_one_behind_it_goes_through(
    onlooker: Onlooker, outside_system: Callable[[str], OutsideSystem]
) -> None:
    sender = outside_system("bad-input")
    bad = bad_messages(sender)
    first_use = sender.event("id-used", sender.visitor("id-used"), id=f"used-{sender.name}")
    behind = [f"behind-{number}" for number in range(len(bad))]
    since = await onlooker.mark()
    await sender.publish(first_use)

    async with sender.producer() as producer:
        places = [
            await published_with_one_behind(producer, sender, message, reference)
            for message, reference in zip(bad, behind, strict=True)
        ]
    await onlooker.mailed(map(sender.address, ["id-used", *behind]))
    await onlooker.drained("registration", "notifications")

    refusals: dict[str, dict[str, Any]] = {}
    for published in await onlooker.published(since, "registration"):
        if published.event.type == EventType.REGISTRATION_REFUSED:
            refusals[published.event.data["dead_letter"]] = published.event.data
    letters = {letter.header(dead_letters.SOURCE): letter for letter in await onlooker.dead_letters(since)}
    assert refusals.keys() == set(places)
    assert letters.keys() == set(places)

    for message, place in zip(bad, places, strict=True):
        refusal = RegistrationRefused.model_validate(refusals[place])
        for words in message.says:
            assert words in refusal.detail, message.name
        assert 400 <= refusal.status < 500, message.name
        letter = letters[place]
        assert (letter.value or b"") == (message.value or b""), message.name
        assert dead_letters.original_headers(letter.headers) == message.headers, message.name
        assert letter.header(dead_letters.DETAIL) == refusal.detail[:2000]
        assert letter.header(dead_letters.SERVICE) == "registration"


async def published_with_one_behind(
    producer: AIOKafkaProducer, sender: OutsideSystem, bad: Bad, reference: str
) -> str:
    """Publish the bad message and right behind it, in its partition, a good one; where the bad one lies."""
    key = sender.key(reference)
    kept = await producer.send_and_wait(REGISTRATION_INBOX, bad.value, key=key, headers=list(bad.headers))
    valid = sender.event(reference, sender.visitor(reference))
    follower = await producer.send_and_wait(REGISTRATION_INBOX, valid.value, key=key, headers=list(PLAIN))
    assert (follower.partition, follower.offset) == (kept.partition, kept.offset + 1)
    return f"{kept.topic}/{kept.partition}/{kept.offset}"
