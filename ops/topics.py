"""Creates the platform's topics in any cluster, and says where an existing one differs from the plan."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.messaging.topics import Topic, all_topics

_SETTLING_S: Final = 30.0


@dataclass
class TopicsReport:
    """What was found and done: names of topics, and per differing topic one sentence a difference."""

    created: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    differing: dict[str, list[str]] = field(default_factory=dict)


class TopicsNotApplied(RuntimeError):
    """The cluster refused to create topics; the message says which and why."""


async def apply_topics(
    bootstrap: str | list[str],
    partitions: int = 6,
    *,
    replication_factor: int = 1,
    topics: Iterable[Topic] | None = None,
    **connection: Any,
) -> TopicsReport:
    """Create the topics that are missing, and return once every one can be used.

    Those that exist are never changed: a differing number of partitions or configuration is reported.
    `connection` goes to aiokafka's admin client (security_protocol, sasl_mechanism and so on).
    Raises TopicsNotApplied, or a KafkaError where the cluster can't be reached.
    """
    planned = {topic.name: topic for topic in (all_topics() if topics is None else topics)}
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **connection)
    try:
        await client.start()
        report = TopicsReport()
        existing = await _partition_counts(client)
        missing = [topic for name, topic in planned.items() if name not in existing]
        if missing:
            await _create(client, missing, partitions, replication_factor)
            report.created = [topic.name for topic in missing]
            await _settled(client, planned.keys())
        configurations = await _configurations(client, planned)
        for name, topic in planned.items():
            if name in report.created:
                continue
            differences = list(_differences(topic, existing[name], configurations[name], partitions))
            if differences:
                report.differing[name] = differences
            else:
                report.present.append(name)
        return report
    finally:
        await client.close()


def _differences(topic: Topic, count: int, config: Mapping[str, str], partitions: int) -> Iterable[str]:
    wanted = topic.partitions or partitions
    if count != wanted:
        yield f"has {count} partitions instead of {wanted}"
    for key, value in topic.config.items():
        if config.get(key) != value:
            yield f"has {key}={config.get(key)} instead of {value}"


async def _create(
    client: AIOKafkaAdminClient, topics: list[Topic], partitions: int, replication_factor: int
) -> None:
    answer = await client.create_topics(
        [
            NewTopic(
                topic.name, topic.partitions or partitions, replication_factor, topic_configs=topic.config
            )
            for topic in topics
        ]
    )
    refused = [
        f"{name}: {message or for_code(code).__name__}"
        for name, code, message in answer.topic_errors
        if code and code != TopicAlreadyExistsError.errno
    ]
    if refused:
        raise TopicsNotApplied("; ".join(refused))


async def _partition_counts(client: AIOKafkaAdminClient) -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in await _usable(client)}


async def _usable(client: AIOKafkaAdminClient) -> list[dict[str, Any]]:
    return [topic for topic in await client.describe_topics() if not topic["error_code"]]


async def _settled(client: AIOKafkaAdminClient, names: Collection[str]) -> None:
    """Wait until each topic has a leader for every partition: a producer before that is sent away."""
    async with asyncio.timeout(_SETTLING_S):
        while True:
            led = {
                topic["topic"]
                for topic in await _usable(client)
                if all(partition["leader"] >= 0 for partition in topic["partitions"])
            }
            if led.issuperset(names):
                return
            await asyncio.sleep(0.05)


async def _configurations(client: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    answers = await client.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    )
    found: dict[str, dict[str, str]] = {}
    for answer in answers:
        for code, message, _, name, entries in answer.resources:
            if code:
                raise KafkaError(f"the configuration of {name} can't be read: {message}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
