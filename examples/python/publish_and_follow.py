"""Publishes registrations and follows the event feed; may be killed at any moment and started again.

    pip install aiokafka cramjam
    python publish_and_follow.py registration.json …   publish, and end once each is answered
    python publish_and_follow.py                       follow until Ctrl-C

- The file's name is the reference (`subject`) of its registration. An event's id is made of source,
  reference and content: published again after a crash it is the same event, and is taken once.
- Every event is written to feed.jsonl, one a line, before its offset is committed. What is delivered
  again after a crash is recognised by (source, id). A system with a database has a unique index
  there instead.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

INBOX = "cxc.registration.inbox"
FEED = ("cxc.registration.events", "cxc.matching.events", "cxc.funding.events")
ANSWERS = ("cxc.registration.screened.", "cxc.registration.refused.")


class Feed:
    """The events received so far, on disk, each once."""

    def __init__(self, path: Path) -> None:
        self._known: set[tuple[str, str]] = set()
        self.answered: set[str] = set()
        """Ids of events that were answered."""
        self._file = path.open("a+b")
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break  # torn by a crash: it was not committed, and comes again
            self._note(json.loads(line))
            whole += len(line)
        self._file.truncate(whole)

    def add(self, event: dict[str, Any]) -> bool:
        """Whether the event is new; it is on disk when this returns."""
        if (event["source"], event["id"]) in self._known:
            return False
        self._file.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._note(event)
        return True

    def _note(self, event: dict[str, Any]) -> None:
        self._known.add((event["source"], event["id"]))
        if event["type"].startswith(ANSWERS) and "causationid" in event:
            self.answered.add(event["causationid"])


def submission(source: str, file: Path) -> dict[str, Any]:
    """The CloudEvent that registers what the file holds."""
    registration = json.loads(file.read_text(encoding="utf-8"))
    content = hashlib.sha256(json.dumps(registration, sort_keys=True).encode()).hexdigest()
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source}|{file.stem}|{content}")),
        "source": source,
        "type": "cxc.registration.submit.v1",
        "subject": file.stem,
        "datacontenttype": "application/json",
        "data": registration,
    }


async def publish(kafka: str, events: list[dict[str, Any]]) -> None:
    """Send the events; returns when the broker has all of them."""
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, compression_type="gzip"
    ) as producer:
        for event in events:
            await producer.send_and_wait(
                INBOX,
                json.dumps(event).encode(),
                key=f"{event['source']}|{event['subject']}".encode(),
                headers=[("content-type", b"application/cloudevents+json")],
            )
            print("published", event["subject"], event["id"], flush=True)


async def follow(kafka: str, group: str, feed: Feed, waiting: set[str]) -> None:
    """Store what comes; ends once all of `waiting` are answered, or never when it is empty."""
    for_ever = not waiting
    async with AIOKafkaConsumer(
        *FEED,
        bootstrap_servers=kafka,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6000,  # so long a client that was killed holds up the next one
        heartbeat_interval_ms=1500,
    ) as consumer:
        while for_ever or not waiting <= feed.answered:
            for messages in (await consumer.getmany(timeout_ms=1000)).values():
                for message in messages:
                    event = json.loads(message.value)
                    if feed.add(event):
                        said = event["data"].get("detail") or event["data"].get("verdict") or ""
                        print(event["type"], event["subject"], said, flush=True)
            await consumer.commit()


async def main() -> None:
    parser = argparse.ArgumentParser(description="Publish registrations and follow the event feed.")
    parser.add_argument("registrations", nargs="*", type=Path, help="JSON files, one registration each")
    parser.add_argument("--kafka", default=os.environ.get("KAFKA", "127.0.0.1:9092"))
    parser.add_argument("--source", default="/example/crm", help="the name of your system")
    parser.add_argument("--group", default="example-crm-python")
    parser.add_argument("--feed", type=Path, default=Path("feed.jsonl"))
    given = parser.parse_args()

    events = [submission(given.source, file) for file in given.registrations]
    await publish(given.kafka, events)
    await follow(given.kafka, given.group, Feed(given.feed), {event["id"] for event in events})


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
