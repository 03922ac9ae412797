"""What the generated docs say of each contract: its topic, words, schema, examples and readers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from shared.contracts.catalogue import EVENTS, INBOX
from shared.contracts.envelope import CloudEvent
from shared.contracts.examples import golden_examples
from shared.messaging import topics
from shared.messaging.topics import PUBLISHERS, SERVICES, ServiceName

Schema = dict[str, Any]

SCHEMA_REF: Final = "#/components/schemas/"


@dataclass(frozen=True)
class Described:
    """A command or event, as the docs show it."""

    wire_type: str
    model: type[BaseModel]
    topic: str
    writer: ServiceName | None
    """The service that publishes it; None for outside systems."""
    readers: tuple[ServiceName, ...]

    @property
    def summary(self) -> str:
        """The first line of the model's docstring."""
        return paragraphs(self.model)[0]

    @property
    def examples(self) -> dict[str, Schema]:
        """The golden examples of this type by case; the plain one has an empty name."""
        return {
            name.partition("--")[2]: golden
            for name, golden in golden_examples().items()
            if golden["type"] == self.wire_type
        }


def paragraphs(described: Any) -> list[str]:
    """A docstring's paragraphs, each on one line."""
    text = inspect.cleandoc(described.__doc__ or "")
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


@cache
def commands() -> tuple[Described, ...]:
    """What outside systems may write to the inbox."""
    return tuple(
        Described(str(wire_type), model, topics.REGISTRATION_INBOX, None, _readers(wire_type))
        for wire_type, model in INBOX.items()
    )


@cache
def events(service: ServiceName) -> tuple[Described, ...]:
    """What the service publishes."""
    return tuple(
        Described(str(model.TYPE), model, topics.events(service), service, _readers(model.TYPE))
        for model in EVENTS[service]
    )


def everything() -> Iterator[Described]:
    """Every command and event, in the order of the catalogue."""
    yield from commands()
    for service in PUBLISHERS:
        yield from events(service)


def _readers(wire_type: str) -> tuple[ServiceName, ...]:
    return tuple(service for service in SERVICES if wire_type in _reacts_to()[service])


@cache
def _reacts_to() -> dict[ServiceName, frozenset[str]]:
    return {
        service: frozenset(import_module(f"services.{service}.handlers").handlers.types)
        for service in SERVICES
    }


class _Untitled(GenerateJsonSchema):
    """JSON Schema without a title for every field: it would only repeat the field's name."""

    def field_title_should_be_set(self, schema: core_schema.CoreSchema | Any) -> bool:
        return False


@cache
def schemas() -> dict[str, Schema]:
    """The JSON Schemas of the envelope, of every command and event, and of what they are made of, by name.

    In the dialect AsyncAPI reads (draft 7): a reference with words beside it is wrapped in `allOf`.
    """
    models: list[type[BaseModel]] = [CloudEvent, *(one.model for one in everything())]
    _, combined = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=SCHEMA_REF + "{model}",
        schema_generator=_Untitled,
    )
    return {name: _draft_7(schema) for name, schema in sorted(combined["$defs"].items())}


def _draft_7(node: Any) -> Any:
    if isinstance(node, list):
        return [_draft_7(item) for item in node]
    if not isinstance(node, dict):
        return node
    converted = {key: _draft_7(value) for key, value in node.items()}
    if "$ref" in converted and len(converted) > 1:
        return {"allOf": [{"$ref": converted.pop("$ref")}], **converted}
    if isinstance(converted.get("description"), str):
        # A docstring's line breaks are the source's, not the reader's.
        converted["description"] = "\n\n".join(
            " ".join(paragraph.split()) for paragraph in converted["description"].split("\n\n")
        )
    return converted
