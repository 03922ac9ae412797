"""The batch consumer on a store in memory: what takes effect, what is set aside, and with which words."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from shared.contracts.types import EventType
from shared.messaging.consumer import BatchConsumer
from shared.messaging.message import Message
from shared.messaging.outbox import OutgoingMessage, unpack
from shared.messaging.topics import MAX_EVENT_BYTES, dead_letters, events
from shared.storage.store import OUTBOX
from tests.builders import (
    a_host_party,
    a_message,
    a_party,
    a_submission,
    an_approved_match,
    an_envelope,
    an_inbox_event,
)
from tests.fakes import MemoryTransactions
from tests.tally import TallyUnitOfWork, handlers

MATCHES = events("matching")


class Bench:
    """A consumer of the tally service on a fresh database."""

    def __init__(self) -> None:
        self.transactions = MemoryTransactions(TallyUnitOfWork)
        self.database = self.transactions.database
        self.consumer = BatchConsumer(handlers, self.transactions)  # type: ignore[arg-type]

    async def consume(self, *messages: Message) -> None:
        await self.consumer.consume(messages)

    @property
    def outbox(self) -> list[OutgoingMessage]:
        return [message for row in self.database[OUTBOX].values() for message in unpack(row)]

    @property
    def dead(self) -> list[tuple[OutgoingMessage, dict[str, str]]]:
        letters = [message for message in self.outbox if message.topic == dead_letters("funding")]
        return [
            (letter, {name: raw.decode("utf-8", "replace") for name, raw in letter.headers})
            for letter in letters
        ]

    @property
    def refusals(self) -> list[dict[str, Any]]:
        published = [orjson.loads(m.value) for m in self.outbox if m.topic == events("funding")]
        return [event["data"] for event in published if event["type"] == EventType.REGISTRATION_REFUSED]

    def counted(self, host: str) -> list[str]:
        return list(self.database["tallies"].get(host, {}).get("matches", []))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def approved(match_id: str, host: str, offset: int, visitor: str = "A visitor (sample)") -> Message:
    event = an_approved_match(match_id, host=a_host_party(host), visitor=a_party(organisation=visitor))
    return a_message(an_envelope(event, service="matching", subject=match_id), topic=MATCHES, offset=offset)


async def test_a_batch_takes_effect_and_its_events_follow_in_the_order_of_changes(bench: Bench) -> None:
    await bench.consume(approved("m1", "h1", 0), approved("m2", "h1", 1), approved("m3", "h2", 2))
    assert bench.counted("h1") == ["m1", "m2"]
    assert bench.counted("h2") == ["m3"]
    first, second = (orjson.loads(m.value) for m in bench.outbox if m.key == b"h1")
    assert (first["data"]["match_id"], first["sequence"]) == ("m1", "1")
    assert (second["data"]["match_id"], second["sequence"]) == ("m2", "2")
    assert first["correlationid"] != second["correlationid"]


async def test_a_message_that_comes_again_takes_effect_once(bench: Bench) -> None:
    message = approved("m1", "h1", 0)
    await bench.consume(message, message)
    await bench.consume(message._replace(offset=7))
    assert bench.counted("h1") == ["m1"]
    assert bench.dead == []


async def test_a_handler_that_stumbles_half_way_leaves_nothing_behind_and_stops_nobody(bench: Bench) -> None:
    await bench.consume(
        approved("m1", "h1", 0),
        approved("m2", "h1", 1, visitor="Stumble"),
        approved("m3", "h1", 2),
        approved("m4", "h2", 3, visitor="Stumble"),
        approved("m5", "h2", 4),
    )
    assert bench.counted("h1") == ["m1", "m3"]
    assert bench.counted("h2") == ["m5"]
    letters = bench.dead
    assert [headers["cxc-source"] for _, headers in letters] == [f"{MATCHES}/0/1", f"{MATCHES}/0/3"]
    assert {headers["cxc-reason"] for _, headers in letters} == {"handler_failed"}
    assert (
        letters[0][0].value == approved("m2", "h1", 1, visitor="Stumble").value or letters[0][0].key == b"m2"
    )


async def test_a_rule_that_refuses_before_any_change_is_a_dead_letter_with_its_sentence(bench: Bench) -> None:
    await bench.consume(approved("m1", "h1", 0, visitor="Refuse"), approved("m2", "h1", 1))
    assert bench.counted("h1") == ["m2"]
    [(_, headers)] = bench.dead
    assert headers["cxc-reason"] == "rule_broken"
    assert headers["cxc-detail"] == "Refused before anything was changed."


async def test_a_dead_letter_that_is_delivered_again_is_not_written_twice(bench: Bench) -> None:
    message = approved("m1", "h1", 0, visitor="Refuse")
    await bench.consume(message)
    await bench.consume(message)
    assert len(bench.dead) == 1


async def test_an_unknown_type_of_another_service_is_nobody_s_business(bench: Bench) -> None:
    event = an_envelope(an_approved_match(), service="matching", subject="m1")
    await bench.consume(a_message(event.model_copy(update={"type": "cxc.moon.landed.v1"}), topic=MATCHES))
    assert bench.outbox == []


async def test_a_newer_version_than_this_code_knows_waits_as_a_dead_letter_for_the_upgrade(
    bench: Bench,
) -> None:
    event = an_envelope(an_approved_match(), service="matching", subject="m1")
    await bench.consume(a_message(event.model_copy(update={"type": "cxc.match.approved.v9"}), topic=MATCHES))
    [(_, headers)] = bench.dead
    assert headers["cxc-reason"] == "unknown_version"
    assert "upgrade" in headers["cxc-detail"]


BAD_INPUT: list[tuple[str, bytes | None, tuple[tuple[str, bytes], ...], str, str]] = [
    ("not JSON", b"hello", (), "not_a_cloudevent", "not JSON"),
    ("not UTF-8", b'{"a": "\xff"}', (), "not_a_cloudevent", "not JSON in UTF-8"),
    ("JSON but no CloudEvent", b'{"name": "x"}', (), "not_a_cloudevent", "specversion"),
    ("a JSON list", b"[1, 2]", (), "not_a_cloudevent", "no CloudEvent"),
    ("no value", None, (), "not_a_cloudevent", "has no value"),
    ("an empty value", b"", (), "not_a_cloudevent", "not JSON"),
    ("broken headers in binary mode", b"{}", (("ce_specversion", b"\xff\xfe"),), "not_a_cloudevent", "UTF-8"),
    ("binary mode without an id", b"{}", (("ce_specversion", b"1.0"),), "not_a_cloudevent", "id"),
    ("5 MB", b'{"a": "' + b"x" * 5_000_000 + b'"}', (), "too_large", str(MAX_EVENT_BYTES)),
]


@pytest.mark.parametrize(("value", "headers", "reason", "says"), [row[1:] for row in BAD_INPUT],
                         ids=[row[0] for row in BAD_INPUT])  # fmt: skip
async def test_bad_input_is_refused_in_words_and_the_next_message_goes_through(
    bench: Bench, value: bytes | None, headers: tuple[tuple[str, bytes], ...], reason: str, says: str
) -> None:
    good = a_message(an_inbox_event(a_submission(), subject="GOOD"), offset=1)
    await bench.consume(a_message(value, headers=headers), good)
    assert "GOOD" in bench.database["tallies"]
    [(letter, described)] = bench.dead
    assert described["cxc-reason"] == reason
    assert says in described["cxc-detail"]
    assert letter.value == (value or b"")
    [refusal] = bench.refusals
    assert refusal["detail"] == described["cxc-detail"]
    assert refusal["dead_letter"] == "cxc.registration.inbox/0/0"
    assert refusal["status"] in (400, 413)


def _without(path: str) -> dict[str, Any]:
    data = a_submission()
    *parents, last = path.split(".")
    inner = data
    for parent in parents:
        inner = inner[parent]
    del inner[last]
    return data


BAD_DATA: list[tuple[str, Any, str, str]] = [
    ("a missing field", _without("organisation.country"), "/organisation/country", "is missing"),
    ("a wrong type", a_submission(roles="visitor"), "/roles", "list"),
    ("a field of no such name", a_submission(rolls=["visitor"]), "/rolls", "is not a field"),
    (
        "a country that does not exist",
        a_submission(organisation={**a_submission()["organisation"], "country": "ZZ"}),
        "/organisation/country",
        "'ZZ' is not a country",
    ),
    (
        "dates reversed",
        a_submission(availability=[{"first_day": "2023-03-31", "last_day": "2023-02-06"}]),
        "/availability/0",
        "before",
    ),
    ("a pattern that has words of its own", a_submission(languages=["por"]), "/languages/0", "language code"),
    ("an empty list", a_submission(goals=[]), "/goals", "at least 1"),
    ("no data at all", None, "", "object"),
]


@pytest.mark.parametrize(("data", "pointer", "says"), [row[1:] for row in BAD_DATA],
                         ids=[row[0] for row in BAD_DATA])  # fmt: skip
async def test_invalid_data_is_refused_field_by_field(
    bench: Bench, data: Any, pointer: str, says: str
) -> None:
    event = an_inbox_event(data, id="evt-7", subject="REG-7")
    await bench.consume(a_message(event))
    [refusal] = bench.refusals
    assert (refusal["refused_event_id"], refusal["refused_subject"]) == ("evt-7", "REG-7")
    assert refusal["status"] == 422
    [problem] = [problem for problem in refusal["errors"] if problem["pointer"] == pointer]
    assert says in problem["detail"]
    assert len(bench.dead) == 1


async def test_an_unknown_type_in_the_inbox_is_refused_with_the_known_ones(bench: Bench) -> None:
    await bench.consume(a_message(an_inbox_event(a_submission(), type="cxc.registration.submit.v7")))
    [refusal] = bench.refusals
    assert EventType.SUBMIT_REGISTRATION in refusal["detail"]


async def test_an_internal_event_type_cannot_be_smuggled_in_through_the_inbox(bench: Bench) -> None:
    forged = an_envelope(an_approved_match(), service="matching", subject="m1")
    await bench.consume(a_message(forged))
    assert bench.database["tallies"] == {}
    assert bench.dead[0][1]["cxc-reason"] == "unknown_type"


async def test_an_id_used_again_with_other_content_is_refused_and_with_the_same_content_ignored(
    bench: Bench,
) -> None:
    first = an_inbox_event(a_submission(), id="evt-1", subject="REG-1")
    other = an_inbox_event(a_submission(languages=["pt"]), id="evt-1", subject="REG-1")
    await bench.consume(a_message(first, offset=0), a_message(first, offset=1), a_message(other, offset=2))
    await bench.consume(a_message(other, offset=2), a_message(first, offset=3))
    assert [headers["cxc-reason"] for _, headers in bench.dead] == ["id_reused"]
    assert "other content" in bench.refusals[0]["detail"]


async def test_a_refused_event_corrected_under_the_same_id_is_taken(bench: Bench) -> None:
    wrong = an_inbox_event(a_submission(roles=[]), id="evt-1", subject="REG-1")
    right = an_inbox_event(a_submission(), id="evt-1", subject="REG-1")
    await bench.consume(a_message(wrong, offset=0))
    await bench.consume(a_message(right, offset=1))
    assert "REG-1" in bench.database["tallies"]


async def test_binary_mode_is_read_like_structured_mode(bench: Bench) -> None:
    attributes = {"specversion": "1.0", "id": "b-1", "source": "/sample/crm", "subject": "BIN-1",
                  "type": EventType.SUBMIT_REGISTRATION.value}  # fmt: skip
    headers = (
        *((f"ce_{name}", value.encode()) for name, value in attributes.items()),
        ("content-type", b"application/json"),
    )
    await bench.consume(a_message(orjson.dumps(a_submission()), headers=headers))
    assert "BIN-1" in bench.database["tallies"]


async def test_an_event_whose_header_names_another_s_business_is_not_even_read(bench: Bench) -> None:
    await bench.consume(
        a_message(b"unreadable", topic=MATCHES, headers=(("cxc-type", b"cxc.moon.landed.v1"),))
    )
    assert bench.outbox == []


async def test_a_header_cannot_hide_a_message_from_outside(bench: Bench) -> None:
    await bench.consume(a_message(b"unreadable", headers=(("cxc-type", b"cxc.moon.landed.v1"),)))
    assert len(bench.dead) == 1


async def test_a_message_that_was_set_aside_stays_so_though_by_now_it_could_be_handled(bench: Bench) -> None:
    first, again = approved("m1", "h1", 0), approved("m1", "h1", 1)
    await bench.consume(first, again)
    [(letter, _)] = bench.dead
    assert letter.value == again.value
    bench.database["tallies"].clear()
    await bench.consume(first, again)
    assert bench.counted("h1") == []
    assert len(bench.dead) == 1


async def test_a_copy_in_the_same_batch_of_one_that_is_refused_is_refused_too(bench: Bench) -> None:
    refused = approved("m1", "h1", 0, visitor="Refuse")
    await bench.consume(refused, refused._replace(offset=1), approved("m2", "h1", 2))
    assert [headers["cxc-source"] for _, headers in bench.dead] == [f"{MATCHES}/0/0", f"{MATCHES}/0/1"]
    assert bench.counted("h1") == ["m2"]
    await bench.consume(refused, refused._replace(offset=1))
    assert len(bench.dead) == 2
