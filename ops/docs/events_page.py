"""Every command and event on one page, made from the contracts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from ops.docs.described import (
    SCHEMA_REF,
    Described,
    Schema,
    commands,
    events,
    everything,
    paragraphs,
    schemas,
)
from shared.contracts.envelope import CloudEvent
from shared.contracts.registration import Amendment, Submission
from shared.contracts.types import EventType
from shared.messaging import topics
from shared.messaging.topics import PUBLISHERS

_INTRODUCTION: Final = """\
<!-- Made from shared/contracts by 'make docs'; change those. -->

# Commands and events

Outside systems write commands to one topic and may read the events of all four services. The same for
machines, with topics, keys and limits: [asyncapi.yaml](asyncapi.yaml). The JSON Schema of each type's
`data` is also served by the registration API, at `/schemas/<type>.json`.

- **Once.** Delivery is at least once. An event that comes again has the same `source` and `id`.
- **In order.** Events with the same Kafka key stay in order; the key is the id of what changed.
- **Growing.** Read what you know and pass over the rest: new fields and new types come without warning.
  A change you could not pass over comes under a new version, the last part of `type`.
- **Left out.** A field without a value is left out, never `null`; only a receipt's `facts` may hold one.
"""

_INBOX: Final = f"""\
What outside systems write. `subject` is required: the sender's own reference of the registration, the same
in everything sent about it. Unknown fields are refused, so that a misspelt one is not lost. What is refused
comes back as [{EventType.REGISTRATION_REFUSED}](#cxcregistrationrefusedv1); those behind it go on.
"""


def events_page() -> str:
    """The page as Markdown, the same for the same contracts."""
    parts = [
        _INTRODUCTION,
        "\n".join(_contents()),
        "## The envelope\n\nEvery message is a CloudEvent 1.0 in JSON.",
        _table(schemas()[CloudEvent.__name__]),
        f"## {topics.REGISTRATION_INBOX}\n\n{_INBOX}",
        *(part for one in commands() for part in _described(one)),
    ]
    for service in PUBLISHERS:
        parts.append(f"## {topics.events(service)}")
        parts += [part for one in events(service) for part in _described(one)]
    parts.append("## What they are made of")
    parts += _shapes()
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _contents() -> Iterator[str]:
    yield "| Type | What it says | Read by |"
    yield "|---|---|---|"
    for one in everything():
        link = f"[{one.wire_type}](#{_anchor(one.wire_type)})"
        yield f"| {link} | {_cell(one.summary)} | {', '.join(one.readers)} |"


def _described(one: Described) -> Iterator[str]:
    yield f"### {one.wire_type}"
    yield from paragraphs(one.model)
    if one.model is Amendment:
        yield f"The fields are those of [{Submission.TYPE}](#{_anchor(Submission.TYPE)})."
    else:
        yield _table(schemas()[one.model.__name__])
    for case, golden in one.examples.items():
        title = f"Example: {case.replace('-', ' ')}" if case else "Example"
        text = json.dumps(golden, indent=2, ensure_ascii=False)
        yield f"<details><summary>{title}</summary>\n\n```json\n{text}\n```\n\n</details>"


def _shapes() -> Iterator[str]:
    shown = {CloudEvent.__name__, *(one.model.__name__ for one in everything())}
    for name, schema in schemas().items():
        if name in shown:
            continue
        yield f"### {name}"
        yield schema.get("description", "")
        yield _type(schema) if "enum" in schema else _table(schema)


def _table(schema: Schema) -> str:
    required = schema.get("required", [])
    rows = ["| Field | Type | Meaning |", "|---|---|---|"]
    for name, field in schema.get("properties", {}).items():
        shown = _type(field)
        if name not in required:
            shown += _unless_given(field.get("default"))
        rows.append(f"| `{name}` | {_cell(shown)} | {_cell(field.get('description', ''))} |")
    return "\n".join(rows)


def _unless_given(default: Any) -> str:
    if not default or isinstance(default, dict):
        return ", optional"
    said = default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)
    return f", else `{said}`"


def _type(schema: Schema) -> str:
    match schema:
        case {"$ref": str(target)}:
            name = target.removeprefix(SCHEMA_REF)
            return f"[{name}](#{name.lower()})"
        case {"allOf": [only]}:
            return _type(only)
        case {"anyOf": choices}:
            return " or ".join(_type(choice) for choice in choices if choice != {"type": "null"})
        case {"const": value}:
            return f"`{value}`"
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}{_between(schema, 'Items')}"
        case {"type": "string", "format": "date"}:
            return "day"
        case {"type": "string", "format": "date-time"}:
            return "moment"
        case {"type": "string", "examples": [first, *_]}:
            return f"text such as `{first}`"
        case {"type": "string"}:
            return f"text{_between(schema, 'Length')}"
        case {"type": "integer" | "number" as kind}:
            word = "whole number" if kind == "integer" else "number"
            return f"{word}{_range(schema.get('minimum'), schema.get('maximum'), '')}"
        case {"type": "boolean"}:
            return "true or false"
        case {"type": "object"}:
            return "object"
        case _:
            return "anything"


def _between(schema: Schema, what: str) -> str:
    unit = " characters" if what == "Length" else ""
    return _range(schema.get(f"min{what}"), schema.get(f"max{what}"), unit)


def _range(least: Any, most: Any, unit: str) -> str:
    if least is None and most is None:
        return ""
    if most is None:
        return f" (at least {least}{unit})"
    return f" (up to {most}{unit})" if least is None else f" ({least} to {most}{unit})"


def _anchor(heading: str) -> str:
    return heading.replace(".", "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
