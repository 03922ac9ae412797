"""The platform's topics and messages as an AsyncAPI 3.0 document, made from the contracts."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final, get_args

import yaml

from ops.docs.described import SCHEMA_REF, Described, commands, events, everything, paragraphs, schemas
from shared.contracts.envelope import STRUCTURED
from shared.messaging import dead_letters, topics
from shared.messaging.topics import PUBLISHERS, SERVICES, ServiceName, all_topics

Node = dict[str, Any]

BINDING_VERSION: Final = "0.5.0"
PARTITIONS: Final = 6
INBOX_CHANNEL: Final = "registrationInbox"

_ABOUT: Final = """\
Organisations register to visit or to host one another; the platform screens them, finds the best fits,
follows each match to its approval, computes the lump sum and tells everybody concerned.

Outside systems write commands to one topic, the registration inbox, and may read the events of all four
services. Every message is a CloudEvent 1.0 in JSON: the services publish structured mode; the inbox takes
structured and binary mode, uncompressed or compressed with gzip, snappy, lz4 or zstd.

Delivery is at least once: an event that comes again has the same `source` and `id`. Events with the same key
stay in order. Readers ignore fields and extensions they do not know; a change they could not ignore comes
under a new version, the last part of `type`.

The same for reading, with every field and example: events.md beside this file.
"""
_INBOX: Final = f"""\
Commands are validated strictly. One that cannot be taken ends as a cxc.registration.refused.v1 event, which
names the command's id and says what is wrong, and as a dead letter; those behind it go on.

`subject` is required: the sender's own reference of a registration, the same in everything sent about it. The
Kafka key is the sender's to choose; with the reference as key the commands about it stay in order. A message
may have {topics.MAX_EVENT_BYTES:,} bytes at the most.
"""
_HEADER: Final = "# Made from shared/contracts by 'make docs'; change those.\n"


def asyncapi_yaml() -> str:
    """The document as YAML, the same for the same contracts."""
    return _HEADER + yaml.dump(
        asyncapi(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110, indent=2
    )


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice out twice: few readers of AsyncAPI follow YAML's aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _written(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _written)


def asyncapi() -> Node:
    """The document; operations are told from the platform's side."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:eu:clusterxchange:platform",
        "info": _info(),
        "defaultContentType": STRUCTURED,
        "servers": _servers(),
        "channels": {**_message_channels(), **_channels_of_every_service()},
        "operations": _operations(),
        "components": {
            "messages": {
                **{one.wire_type: _message(one) for one in everything()},
                "deadLetter": _dead_letter(replayed=False),
                "replayedDeadLetter": _dead_letter(replayed=True),
                "controlCommand": _control_command(),
            },
            "schemas": schemas(),
            "securitySchemes": {
                "saslPlain": {"type": "plain", "description": "User name and password over TLS."},
                "saslScram": {"type": "scramSha512", "description": "SCRAM-SHA-512 over TLS."},
            },
            "tags": {name: {"name": name, "description": said} for name, said in _TAGS.items()},
        },
    }


_TAGS: Final = {
    "commands": "What outside systems ask for.",
    "registration": "Who wants to take part, and who may.",
    "matching": "Who visits whom.",
    "funding": "What a visit is paid with.",
    "notifications": "Who was told what.",
    "console": "What people see and do.",
    "operations": "What operators see and do.",
}


def _tag(name: str) -> Node:
    return {"$ref": f"#/components/tags/{name}"}


def _info() -> Node:
    return {
        "title": "ClusterXchange",
        "version": version("clusterxchange"),
        "description": _ABOUT,
        "license": {"name": "EUPL-1.2", "url": "https://eupl.eu/1.2/en/"},
        "tags": [_tag(name) for name in _TAGS],
    }


def _servers() -> Node:
    host = {
        "host": "{bootstrap}",
        "variables": {
            "bootstrap": {
                "default": "127.0.0.1:9092",
                "description": "`host:port` of a broker; the services read it from CXC_KAFKA_BOOTSTRAP.",
            }
        },
        "tags": [_tag("operations")],
    }
    return {
        "plain": {
            **host,
            "protocol": "kafka",
            "description": "Kafka without encryption, as on one machine or in Docker Compose.",
        },
        "secured": {
            **host,
            "protocol": "kafka-secure",
            "description": "Kafka with TLS and SASL (CXC_KAFKA_SECURITY_PROTOCOL=SASL_SSL).",
            "security": [
                {"$ref": "#/components/securitySchemes/saslPlain"},
                {"$ref": "#/components/securitySchemes/saslScram"},
            ],
        },
    }


# ── channels ─────────────────────────────────────────────────────────────────────────────────


def _events_channel(service: ServiceName) -> str:
    return f"{service}Events"


def _message_channels() -> Node:
    inbox = {
        "address": topics.REGISTRATION_INBOX,
        "title": "Registration inbox",
        "summary": "Outside systems write here, and only here.",
        "description": _INBOX,
        "messages": {one.wire_type: _message_ref(one) for one in commands()},
        "bindings": _channel_bindings(topics.REGISTRATION_INBOX),
        "tags": [_tag("commands")],
    }
    channels: Node = {INBOX_CHANNEL: inbox}
    for service in PUBLISHERS:
        channels[_events_channel(service)] = {
            "address": topics.events(service),
            "title": f"Events of {service}",
            "summary": _TAGS[service],
            "description": f"Every change of state in {service}, keyed by the id of what changed.",
            "messages": {one.wire_type: _message_ref(one) for one in events(service)},
            "bindings": _channel_bindings(topics.events(service)),
            "tags": [_tag(service)],
        }
    return channels


def _channels_of_every_service() -> Node:
    parameters = {"service": {"enum": list(SERVICES), "description": "The service it belongs to."}}
    common: Node = {"parameters": parameters, "tags": [_tag("operations")]}
    return {
        "deadLetters": {
            "address": topics.dead_letters("{service}"),
            "title": "Dead letters",
            "summary": "What a service could not handle, byte for byte, with the reason in its headers.",
            "messages": {"deadLetter": {"$ref": "#/components/messages/deadLetter"}},
            **common,
            "bindings": _channel_bindings(topics.dead_letters(SERVICES[0]), shared=True),
        },
        "replays": {
            "address": topics.replays("{service}"),
            "title": "Replays",
            "summary": "Dead letters sent back to the one service that failed on them.",
            "messages": {"replayedDeadLetter": {"$ref": "#/components/messages/replayedDeadLetter"}},
            **common,
            "bindings": _channel_bindings(topics.replays(SERVICES[0]), shared=True),
        },
        "control": {
            "address": topics.control("{service}"),
            "title": "Control",
            "summary": "What operators say to every worker of a service.",
            "messages": {"controlCommand": {"$ref": "#/components/messages/controlCommand"}},
            **common,
            "bindings": _channel_bindings(topics.control(SERVICES[0]), shared=True),
        },
    }


def _channel_bindings(name: str, *, shared: bool = False) -> Node:
    topic = next(topic for topic in all_topics() if topic.name == name)
    kafka: Node = {} if shared else {"topic": name}
    kafka["partitions"] = topic.partitions or PARTITIONS
    kafka["topicConfiguration"] = {
        "cleanup.policy": ["delete"],
        **{setting: int(value) for setting, value in topic.config.items()},
    }
    return {"kafka": {**kafka, "bindingVersion": BINDING_VERSION}}


# ── operations ───────────────────────────────────────────────────────────────────────────────


def _operations() -> Node:
    operations: Node = {}
    for reader in SERVICES:
        for channel, written in _sources():
            read = [one for one in written if reader in one.readers]
            if read:
                where = channel[0].upper() + channel[1:]
                operations[f"{reader}Reads{where}"] = {
                    "action": "receive",
                    "channel": {"$ref": f"#/channels/{channel}"},
                    "title": f"{reader} reads {read[0].topic}",
                    "summary": f"What {reader} reacts to.",
                    "messages": [{"$ref": f"#/channels/{channel}/messages/{one.wire_type}"} for one in read],
                    "bindings": _group(topics.group(reader)),
                    "tags": [_tag(reader)],
                }
    for service in PUBLISHERS:
        operations[f"{service}Publishes"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{_events_channel(service)}"},
            "title": f"{service} publishes to {topics.events(service)}",
            "summary": f"Every change of state in {service}, once it is committed.",
            "tags": [_tag(service)],
        }
    for name, action, channel, summary in (
        ("setAside", "send", "deadLetters", "A service sets aside what it cannot handle, and goes on."),
        ("replay", "receive", "replays", "A service takes a dead letter as if it came from its first topic."),
        ("control", "receive", "control", "Every worker of a service obeys."),
    ):
        operations[name] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": summary,
            "tags": [_tag("operations")],
        }
    return operations


def _sources() -> list[tuple[str, tuple[Described, ...]]]:
    return [
        (INBOX_CHANNEL, commands()),
        *((_events_channel(service), events(service)) for service in PUBLISHERS),
    ]


def _group(name: str) -> Node:
    return {"kafka": {"groupId": {"type": "string", "const": name}, "bindingVersion": BINDING_VERSION}}


# ── messages ─────────────────────────────────────────────────────────────────────────────────


def _message_ref(one: Described) -> Node:
    return {"$ref": f"#/components/messages/{one.wire_type}"}


def _message(one: Described) -> Node:
    key = (
        "The id of what changed."
        if one.writer
        else "The sender's to choose; best the registration's reference."
    )
    summary, *more = paragraphs(one.model)
    return {
        "name": one.wire_type,
        "title": one.model.__name__,
        "summary": summary,
        **({"description": "\n\n".join(more)} if more else {}),
        "contentType": STRUCTURED,
        "headers": _content_type_header(),
        "payload": {"allOf": [{"$ref": f"{SCHEMA_REF}CloudEvent"}, _narrowed(one)]},
        "correlationId": {
            "location": "$message.payload#/correlationid",
            "description": "The id of the first event of the story.",
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": key},
                "bindingVersion": BINDING_VERSION,
            }
        },
        "tags": [_tag(one.writer or "commands")],
        "examples": [
            {
                "name": case or "plain",
                "headers": {"content-type": STRUCTURED},
                "payload": golden,
            }
            for case, golden in one.examples.items()
        ],
    }


def _narrowed(one: Described) -> Node:
    """What holds for this type beside what holds for every CloudEvent."""
    required = ["subject", "data"]
    properties: Node = {"type": {"type": "string", "const": one.wire_type}}
    if one.writer:
        required += ["time", "dataschema", "partitionkey", "sequence", "correlationid"]
        properties["source"] = {"type": "string", "const": f"/cxc/{one.writer}"}
    properties["data"] = {"$ref": SCHEMA_REF + one.model.__name__}
    return {"type": "object", "required": required, "properties": properties}


def _content_type_header() -> Node:
    return {
        "type": "object",
        "properties": {
            "content-type": {
                "type": "string",
                "description": f"`{STRUCTURED}` for structured mode.",
            }
        },
    }


_HEADERS: Final[dict[str, Node]] = {
    dead_letters.SERVICE: {
        "type": "string",
        "enum": list(SERVICES),
        "description": "The service that failed.",
    },
    dead_letters.REASON: {
        "type": "string",
        "enum": list(get_args(dead_letters.Reason)),
        "description": "Why, in one word to count by.",
    },
    dead_letters.DETAIL: {"type": "string", "description": "Why, in a sentence to act on."},
    dead_letters.SOURCE: {
        "type": "string",
        "description": "Where it was first read: topic/partition/offset.",
    },
    dead_letters.FAILED_AT: {
        "type": "string",
        "format": "date-time",
        "description": "When it was set aside.",
    },
    dead_letters.TRUNCATED: {
        "type": "string",
        "description": "Its full size in bytes, where only its beginning is kept.",
    },
    dead_letters.REPLAY_OF: {
        "type": "string",
        "description": "The dead letter that is replayed: topic/partition/offset.",
    },
}


def _dead_letter(*, replayed: bool) -> Node:
    D = dead_letters
    headers = (
        [D.SOURCE, D.REPLAY_OF]
        if replayed
        else [D.SERVICE, D.REASON, D.DETAIL, D.SOURCE, D.FAILED_AT, D.TRUNCATED]
    )
    return {
        "name": "replayedDeadLetter" if replayed else "deadLetter",
        "title": "A replayed dead letter" if replayed else "A dead letter",
        "summary": (
            "A dead letter on its way back to the service that failed on it."
            if replayed
            else "A message that could not be handled, as its original bytes."
        ),
        "description": (
            "Key, value and headers are those of the original message; the headers listed here are added. "
            "The value is shown as text, but may be anything: that can be why it is here."
        ),
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": [name for name in headers if name != D.TRUNCATED],
            "properties": {name: _HEADERS[name] for name in headers},
        },
        "payload": {"type": "string", "description": "The original value, byte for byte."},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The original key."},
                "bindingVersion": BINDING_VERSION,
            }
        },
        "tags": [_tag("operations")],
        "examples": [
            {
                "name": "notJson",
                "headers": {
                    name: value
                    for name, value in {
                        D.SERVICE: "registration",
                        D.REASON: "not_a_cloudevent",
                        D.DETAIL: "The value is not JSON in UTF-8.",
                        D.SOURCE: "cxc.registration.inbox/5/17",
                        D.FAILED_AT: "2023-01-16T11:04:00+00:00",
                        D.REPLAY_OF: "cxc.registration.dead-letters/0/3",
                    }.items()
                    if name in headers
                },
                "payload": "organisation;city\nTagus Fibre Works (sample);Lisbon",
            }
        ],
    }


def _control_command() -> Node:
    return {
        "name": "controlCommand",
        "title": "A control command",
        "summary": "Pause or resume consuming, or set the log level, in every worker of the service.",
        "contentType": "application/json",
        "payload": {
            "type": "object",
            "required": ["command"],
            "properties": {
                "command": {"type": "string", "enum": ["pause", "resume", "log_level"]},
                "level": {
                    "type": "string",
                    "enum": ["debug", "info", "warning", "error"],
                    "description": "Only with `log_level`.",
                },
            },
        },
        "tags": [_tag("operations")],
        "examples": [{"name": "logLevel", "payload": {"command": "log_level", "level": "debug"}}],
    }
