"""What the platform writes, the CloudEvents SDK reads; what the SDK writes, the platform reads."""

from __future__ import annotations

from typing import Any

import pytest
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_kafka_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent as SdkEvent

from shared.contracts.catalogue import contracts
from shared.contracts.envelope import CloudEvent, NotACloudEvent, parse
from shared.contracts.examples import golden_examples
from shared.messaging.outbox import OutgoingMessage
from tests.builders import an_approved_match, an_envelope
from tests.node import javascript_sdk_reads

GOLDEN = golden_examples()


@pytest.mark.parametrize("name", GOLDEN)
def test_the_sdk_reads_what_a_service_publishes(name: str) -> None:
    ours = CloudEvent.model_validate(GOLDEN[name])
    message = OutgoingMessage.of(ours, "cxc.example.events")

    theirs = from_kafka_event(KafkaMessage(dict(message.headers), message.key, message.value))

    assert isinstance(theirs, SdkEvent)
    assert theirs.get_data() == GOLDEN[name]["data"]
    assert theirs.get_time() == ours.time
    assert _attributes(theirs.get_attributes()) == _attributes(GOLDEN[name])


def test_the_sdk_reads_a_freshly_wrapped_event_with_the_kafka_key_as_its_partition_key() -> None:
    match = an_approved_match()
    message = OutgoingMessage.of(
        an_envelope(match, service="matching", subject=match.match_id, sequence=4), "cxc.matching.events"
    )

    event = from_kafka_event(KafkaMessage(dict(message.headers), message.key, message.value))

    assert message.key == match.match_id.encode()
    assert event.get_extension("partitionkey") == match.match_id
    assert event.get_extension("sequence") == "4"
    assert event.get_type() == match.TYPE
    assert event.get_data() == match.model_dump(mode="json", exclude_none=True)


def test_the_sdk_for_javascript_reads_what_a_service_publishes_and_finds_it_valid() -> None:
    ours = [CloudEvent.model_validate(golden) for golden in GOLDEN.values()]

    theirs = javascript_sdk_reads([event.to_json() for event in ours])

    for both, golden in zip(theirs, GOLDEN.values(), strict=True):
        for read in both:
            assert read["data"] == golden["data"]
            assert _attributes(golden).items() <= read.items()


@pytest.mark.parametrize("write", [to_structured_event, to_binary_event], ids=["structured", "binary"])
@pytest.mark.parametrize("name", GOLDEN)
def test_the_platform_reads_what_the_sdk_writes(name: str, write: Any) -> None:
    expected = CloudEvent.model_validate(GOLDEN[name])
    attributes = {**GOLDEN[name], "time": expected.time}
    message = write(SdkEvent(attributes, attributes.pop("data")))

    event = parse(message.value, tuple(message.headers.items()))

    assert event == expected
    contracts()[event.type].model_validate(event.data)


def test_binary_mode_without_a_content_type_is_read_as_json() -> None:
    event = parse(
        b'{"reason": ""}',
        (("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"/example"), ("ce_type", b"t.v1")),
    )

    assert event.data == {"reason": ""}


def test_header_names_of_binary_mode_are_read_in_any_case() -> None:
    event = parse(
        b"{}", (("CE_SpecVersion", b"1.0"), ("Ce_Id", b"1"), ("ce_source", b"/example"), ("ce_TYPE", b"t.v1"))
    )

    assert event.id == "1"


@pytest.mark.parametrize(
    ("value", "headers", "says"),
    [
        (None, (), "no value"),
        (b"", (), "not JSON"),
        (b"organisation;city", (), "not JSON"),
        (b"\xff\xfe", (), "not JSON"),
        (b"[]", (), "no CloudEvent"),
        (b'"text"', (), "no CloudEvent"),
        (b"{}", (), "specversion"),
        (b'{"specversion": "0.3", "id": "1", "source": "s", "type": "t"}', (), "specversion"),
        (b'{"specversion": "1.0", "id": "", "source": "s", "type": "t"}', (), "id: "),
        (b'{"specversion": "1.0", "id": 7, "source": "s", "type": "t"}', (), "id: "),
        (b'{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "soon"}', (), "time: "),
        (b"{}", (("ce_specversion", b"1.0"),), "source: "),
        (b"{}", (("ce_specversion", b"1.0"), ("ce_id", b"\xff")), "UTF-8"),
        (b"<xml/>", (("ce_specversion", b"1.0"), ("content-type", b"application/xml")), "application/json"),
        (b"{", (("ce_specversion", b"1.0"),), "as JSON"),
    ],
)
def test_what_is_no_cloudevent_is_refused_with_a_sentence(
    value: bytes | None, headers: tuple[tuple[str, bytes], ...], says: str
) -> None:
    with pytest.raises(NotACloudEvent, match=says):
        parse(value, headers)


def _attributes(event: dict[str, Any]) -> dict[str, Any]:
    """All but the time, which the SDK gives as a datetime."""
    return {key: value for key, value in event.items() if key not in ("data", "time")}
