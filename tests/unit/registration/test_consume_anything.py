"""Whatever is written to the inbox, each message ends in one way, and the others go on."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings

from services.registration.handlers import handlers
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.rules_on_file import rule_sets_in
from shared.contracts.envelope import parse
from shared.contracts.types import EventType
from shared.messaging.consumer import BatchConsumer, done_mark
from shared.messaging.dead_letters import SOURCE
from shared.messaging.message import Message
from shared.messaging.outbox import OutgoingMessage, unpack
from shared.messaging.topics import dead_letters, events
from shared.partnerships import Partnerships
from shared.storage.store import INBOX, OUTBOX
from tests.builders import A_MOMENT, a_message, a_submission, an_inbox_event
from tests.contracts.anything import batches
from tests.fakes import MemoryTransactions
from tests.unit.registration.service import HEMPCLUB, WOOLCLUB

KNOWN = Partnerships([HEMPCLUB, WOOLCLUB])
RULES = rule_sets_in()


class Inbox:
    """The registration service's consumer on a fresh database."""

    def __init__(self) -> None:
        self.transactions: MemoryTransactions[RegistrationUnitOfWork] = MemoryTransactions(
            lambda store: RegistrationUnitOfWork(
                store, rules=RULES, partnerships=KNOWN, clock=lambda: A_MOMENT
            )
        )
        self._consumer: BatchConsumer[RegistrationUnitOfWork] = BatchConsumer(handlers, self.transactions)  # type: ignore[arg-type]

    async def take(self, messages: list[Message]) -> None:
        await self._consumer.consume(messages)

    @property
    def outbox(self) -> list[OutgoingMessage]:
        return [sent for row in self.transactions.database[OUTBOX].values() for sent in unpack(row)]

    def everything(self) -> str:
        return str(self.transactions.database.collections)


def neighbour(name: str) -> Message:
    """One that is right, from a system of its own."""
    return a_message(an_inbox_event(a_submission(), id=name, source="/sample/neighbour", subject=name))


@given(batch=batches)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
async def test_each_message_is_taken_recognised_or_refused_in_words_and_its_neighbours_go_on(
    batch: list[Message],
) -> None:
    inbox = Inbox()
    given_batch = [neighbour("first"), *batch, neighbour("last")]
    placed = [message._replace(offset=offset) for offset, message in enumerate(given_batch)]
    await inbox.take(placed)

    each_ends_in_one_way(placed, inbox.outbox, set(inbox.transactions.database[INBOX]))

    before = inbox.everything()
    await inbox.take(placed)
    assert inbox.everything() == before, "a second delivery changes nothing"


def each_ends_in_one_way(placed: list[Message], outbox: list[OutgoingMessage], marks: set[str]) -> None:
    """Taken or recognised under its id, or set aside once and refused once; the neighbours are taken."""
    letters = Counter(dict(sent.headers)[SOURCE].decode() for sent in outbox if is_dead(sent))
    assert letters == Counter(refusal["dead_letter"] for refusal in refused(outbox))
    assert set(letters.values()) <= {1}
    taken = set()
    for message in placed:
        aside = f"aside|{message.coordinates}|{message.timestamp_ms}"
        assert (aside in marks) == (message.coordinates in letters)
        if aside not in marks:
            event = parse(message.value, message.headers)
            taken.add(done_mark(event.source, event.id))
    assert taken == {mark for mark in marks if not mark.startswith("aside|")}
    assert {"/sample/neighbour|first", "/sample/neighbour|last"} <= taken


def is_dead(sent: OutgoingMessage) -> bool:
    return sent.topic == dead_letters("registration")


def refused(sent: list[OutgoingMessage]) -> list[dict[str, Any]]:
    published = [orjson.loads(one.value) for one in sent if one.topic == events("registration")]
    return [event["data"] for event in published if event["type"] == EventType.REGISTRATION_REFUSED]
