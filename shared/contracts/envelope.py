"""The CloudEvents 1.0 envelope, typed: parsed from and written as structured-mode JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

import orjson
import uuid_utils
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from shared.contracts.types import EventType

STRUCTURED: Final = "application/cloudevents+json"
MAX_ID: Final = 200
SCHEMAS: Final = "https://clusterxchange.example/schemas/"
"""`dataschema` must be an absolute URI; the registration API serves the schemas under `/schemas/`."""

Attribute = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID)]


class Contract(BaseModel):
    """Base of all that is on the wire: immutable, unknown fields ignored (tolerant reader).

    A field without a value is left out, so one that may be None needs None as its default.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class StrictContract(BaseModel):
    """Base of what outside systems write: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Event(Contract):
    """Base of the events services publish; `TYPE` is the wire name."""

    TYPE: ClassVar[EventType]


class CloudEvent(BaseModel):
    """A CloudEvent: required attributes, the extensions used here, and its data.

    Other extensions are ignored.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    specversion: Literal["1.0"]
    """The version of CloudEvents."""
    id: Attribute
    """Unique within its source: a second event with both the same is a duplicate."""
    source: Attribute
    """Who says so: `/cxc/<service>`, or a name of its own for every outside system."""
    type: Attribute
    """The wire name of what is in `data`, its version last."""
    subject: Attribute | None = None
    """What the event is about: the aggregate's id; of a command, the sender's own reference."""
    time: datetime | None = None
    """When it happened, in UTC."""
    datacontenttype: str | None = None
    """`application/json`, always."""
    dataschema: str | None = None
    """Names the JSON Schema of `data`; the registration API serves it under `/schemas/`."""
    partitionkey: str | None = None
    """The Kafka key: events with the same one stay in order."""
    sequence: str | None = None
    """The aggregate's version after the change, as a decimal string."""
    correlationid: str | None = None
    """The id of the first event of the story."""
    causationid: str | None = None
    """The id of the event that led to this one."""
    traceparent: str | None = None
    """The trace it belongs to (W3C Trace Context)."""
    data: Any = None
    """What happened, or is asked for, in the shape of its type."""

    def to_json(self) -> bytes:
        """The event in structured mode; absent attributes are left out, as the format wants."""
        written = {name: value for name, value in self.__dict__.items() if value is not None}
        if isinstance(self.data, BaseModel):
            # Every event of the platform is written here: half the cost of a dump of the whole.
            written["data"] = orjson.Fragment(
                self.data.__pydantic_serializer__.to_json(self.data, exclude_none=True)
            )
        return orjson.dumps(written, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


class NotACloudEvent(ValueError):
    """The message is no CloudEvent; the text says what is wrong and what to send instead."""


def parse(value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> CloudEvent:
    """Read a Kafka message as a CloudEvent, in structured or binary mode (Kafka protocol binding).

    Raises `NotACloudEvent` with a sentence for the sender.
    """
    if value is None:
        raise NotACloudEvent("The message has no value; send a CloudEvent as its value.")
    binary = {name[3:].lower(): raw for name, raw in headers if name[:3].lower() == "ce_" and raw is not None}
    try:
        if "specversion" in binary:
            return _from_binary_mode(value, binary, headers)
        return CloudEvent.model_validate_json(value)
    except ValidationError as error:
        raise NotACloudEvent(_why_not(value, error)) from error


def _from_binary_mode(
    value: bytes, attributes: dict[str, bytes], headers: Sequence[tuple[str, bytes]]
) -> CloudEvent:
    content_type = next(
        (raw.decode("utf-8", "replace") for name, raw in headers if name.lower() == "content-type" and raw),
        None,
    )
    if content_type is not None and "json" not in content_type.lower():
        raise NotACloudEvent(
            f"In binary mode the content-type must be application/json, it is '{content_type[:80]}'."
        )
    try:
        decoded: dict[str, Any] = {name: raw.decode("utf-8") for name, raw in attributes.items()}
        data = orjson.loads(value)
    except (UnicodeDecodeError, orjson.JSONDecodeError) as error:
        raise NotACloudEvent(
            f"In binary mode the value must be the data as JSON in UTF-8: {error}."
        ) from error
    return CloudEvent.model_validate({**decoded, "datacontenttype": content_type, "data": data})


def _why_not(value: bytes, error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        return f"The value is not JSON in UTF-8: {problems[0]['msg']}."
    listed = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'the value'}: {problem['msg'].lower()}"
        for problem in problems[:8]
    )
    return (
        f"The value is JSON but no CloudEvent 1.0 in structured mode ({listed}). "
        "It needs specversion '1.0', id, source, type, subject and data."
    )


def new_id() -> str:
    """A UUIDv7: unique, and in the order of time."""
    return str(uuid_utils.uuid7())


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Cause:
    """What led to a change: carried into every event that follows from it."""

    correlation_id: str = field(default_factory=new_id)
    causation_id: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, event: CloudEvent) -> Cause:
        """The cause that `event` is for what its handler does."""
        return cls(
            correlation_id=event.correlationid or event.id,
            causation_id=event.id,
            traceparent=event.traceparent,
        )


def wrap(
    event: Event, *, service: str, subject: str, sequence: int, cause: Cause, at: datetime
) -> CloudEvent:
    """The finished CloudEvent of a service's event; its Kafka key is the subject."""
    # All of it is ours and typed already: nothing is left to validate.
    return CloudEvent.model_construct(
        specversion="1.0",
        id=new_id(),
        source=f"/cxc/{service}",
        type=event.TYPE,
        subject=subject,
        time=at,
        datacontenttype="application/json",
        dataschema=f"{SCHEMAS}{event.TYPE}.json",
        partitionkey=subject,
        sequence=str(sequence),
        correlationid=cause.correlation_id,
        causationid=cause.causation_id,
        traceparent=cause.traceparent,
        data=event,
    )
