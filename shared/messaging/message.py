"""A Kafka message as it arrived: bytes, and where it came from."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

Headers = tuple[tuple[str, bytes], ...]


class Message(NamedTuple):
    """One record of a topic; nothing in it has been interpreted yet."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int = 0

    @classmethod
    def of(cls, record: Any) -> Self:
        """The message of one of aiokafka's records."""
        return cls(
            record.topic,
            record.partition,
            record.offset,
            record.key,
            record.value,
            tuple(record.headers),
            record.timestamp,
        )

    @property
    def coordinates(self) -> str:
        """`topic/partition/offset`."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    def header(self, name: str) -> str | None:
        """The last header of that name as text."""
        return next(
            (
                raw.decode("utf-8", "replace")
                for found, raw in reversed(self.headers)
                if found == name and raw
            ),
            None,
        )
