"""`cxc publish`: sends registrations as an outside system would, and can wait for what becomes of them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import MessageSizeTooLargeError
from pydantic import ValidationError

from ops.commands import CommandFailed
from ops.commands.cluster import Cluster
from ops.commands.gist import gist, read
from ops.commands.shown import printable
from shared.contracts.catalogue import INBOX, upcast
from shared.contracts.envelope import STRUCTURED, CloudEvent, NotACloudEvent, new_id, now, parse
from shared.contracts.registration import RegistrationRefused, RegistrationScreened
from shared.contracts.types import EventType
from shared.contracts.vocabulary import Verdict
from shared.messaging.reading import coming, go_to_end
from shared.messaging.topics import MAX_EVENT_BYTES, REGISTRATION_INBOX, events
from shared.problems import field_problems, in_words

SOURCE: Final = "/cxc/cli"

# An acceptance by the partnership's own rule is published with the verdict, right behind it.
_ACCEPTANCE_WITHIN_S: Final = 1.5
_AT_ONCE: Final = 500


@dataclass(frozen=True)
class Outgoing:
    """An event ready to be sent, and what of it is shown."""

    value: bytes
    key: bytes | None
    id: str | None
    subject: str | None


def publish(
    state: Path,
    file: str,
    *,
    subject: str | None,
    check: bool,
    print_only: bool,
    follow: bool,
    within_s: float,
) -> bool:
    """Send what the file holds; False when something was refused, unanswered, or found wrong by `check`."""
    outgoing = [as_event(document, subject) for document in documents(_content(file))]
    if subject is not None and len(outgoing) > 1:
        raise typer.BadParameter(f"it names one registration, and there are {len(outgoing)}.")
    if check and not _all_sound(outgoing):
        return False
    if print_only:
        for event in outgoing:
            typer.echo(event.value)
        return True
    cluster = Cluster.find(state)
    return asyncio.run(_publish(cluster, outgoing, within_s if follow else None))


def _content(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error


# ── what is sent ─────────────────────────────────────────────────────────────────────────────


def documents(content: bytes) -> list[Any]:
    """The JSON values of a file: one, those of a list, or one a line (JSON Lines).

    Raises CommandFailed with the place of the error when it is none of these.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandFailed(f"This is not UTF-8: {error.reason} at byte {error.start}.") from error
    if not text.strip():
        raise CommandFailed("There is nothing in it: give a registration or a CloudEvent as JSON.")
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        return _lines(text, error)
    return whole if isinstance(whole, list) else [whole]


def _lines(text: str, error_of_whole: json.JSONDecodeError) -> list[Any]:
    found: list[Any] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError as error:
            # With a value before it this is JSON Lines with a bad line, else one document with an error.
            where = f"line {number}" if found else f"line {error_of_whole.lineno}"
            said = error if found else error_of_whole
            raise CommandFailed(f"This is not JSON: {said.msg}, {where}, column {said.colno}.") from error
    return found


def as_event(document: Any, subject: str | None = None) -> Outgoing:
    """A CloudEvent as it is; a bare registration (as `POST /registrations` takes it) inside a new one.

    The Kafka key is `source|subject`, which names one registration of one sender: what is sent about it
    stays in order. Nothing is validated: that is the platform's.
    """
    if not isinstance(document, dict):
        raise CommandFailed(
            f"A registration or a CloudEvent is a JSON object; there is a {type(document).__name__} in it."
        )
    if document.keys().isdisjoint({"specversion", "type", "source"}):
        id = new_id()
        document = {
            "specversion": "1.0",
            "id": id,
            "source": SOURCE,
            "type": EventType.SUBMIT_REGISTRATION,
            "subject": subject or id,
            "time": now().isoformat(),
            "datacontenttype": "application/json",
            "data": document,
        }
    elif subject is not None:
        raise typer.BadParameter("it is for bare registrations; this CloudEvent has a subject of its own.")
    # A lone surrogate has no UTF-8; its escape means the same in JSON.
    value = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "backslashreplace"
    )
    parts = [document.get("source"), document.get("subject") or document.get("id")]
    key = "|".join(str(part) for part in parts).encode("utf-8", "backslashreplace") if all(parts) else None
    id, subject = document.get("id"), document.get("subject")
    return Outgoing(value, key, None if id is None else str(id), None if subject is None else str(subject))


def problems(value: bytes) -> list[str]:
    """What the platform would refuse an event for, as far as it can be told without its state."""
    if len(value) > MAX_EVENT_BYTES:
        return [f"it has {len(value)} bytes; the limit is {MAX_EVENT_BYTES}"]
    try:
        event = parse(value)
    except NotACloudEvent as error:
        return [str(error)]
    newest = upcast(event)
    model = INBOX.get(newest.type)
    if model is None:
        return [f"/type: '{event.type}' cannot be sent here; send one of {', '.join(sorted(INBOX))}"]
    found = [] if event.subject else ["/subject: is missing; it is your own reference of the registration"]
    try:
        model.model_validate(newest.data)
    except ValidationError as error:
        found += [in_words([problem], 1) for problem in field_problems(error.errors())]
    return found


def _all_sound(outgoing: Sequence[Outgoing]) -> bool:
    sound = True
    for number, event in enumerate(outgoing, 1):
        for problem in problems(event.value):
            sound = False
            typer.echo(printable(f"Event {number} ({event.id or 'without id'}): {problem}"), err=True)
    if not sound:
        typer.echo("Nothing was published.", err=True)
    return sound


# ── sending and following ────────────────────────────────────────────────────────────────────


async def _publish(cluster: Cluster, outgoing: Sequence[Outgoing], within_s: float | None) -> bool:
    if within_s is None:
        async for _ in _sent(cluster, outgoing):
            pass
        return True
    async with cluster.reader(events("registration")) as consumer:
        # From here on, before anything is sent: no answer can slip by.
        await go_to_end(consumer)
        places = {place: event async for place, event in _sent(cluster, outgoing)}
        return await _followed(consumer, places, within_s)


async def _sent(cluster: Cluster, outgoing: Sequence[Outgoing]) -> AsyncIterator[tuple[str, Outgoing]]:
    """Send all in order and yield each with its `topic/partition/offset` once the broker has it."""
    headers = [("content-type", STRUCTURED.encode())]
    async with cluster.producer(REGISTRATION_INBOX) as producer:
        for first in range(0, len(outgoing), _AT_ONCE):
            some = outgoing[first : first + _AT_ONCE]
            try:
                futures = [
                    await producer.send(REGISTRATION_INBOX, event.value, key=event.key, headers=headers)
                    for event in some
                ]
                confirmed = await asyncio.gather(*futures)
            except MessageSizeTooLargeError as error:
                largest = max(some, key=lambda event: len(event.value))
                raise CommandFailed(
                    f"Event {largest.id or 'without id'} is too large: {len(largest.value)} bytes, more than "
                    f"{REGISTRATION_INBOX} takes even compressed."
                ) from error
            for event, where in zip(some, confirmed, strict=True):
                place = f"{where.topic}/{where.partition}/{where.offset}"
                said = f"{event.id or 'an event without id'} (subject {event.subject or 'none'})"
                typer.echo(printable(f"Published {said} to {place}"))
                yield place, event


async def _followed(consumer: AIOKafkaConsumer, places: dict[str, Outgoing], within_s: float) -> bool:
    """Print what becomes of each event sent; False when one was refused or nothing was heard of it."""
    # An event is named by its id, and one without an id by its place, as the platform does in its answers.
    names = {place: event.id or place for place, event in places.items()}
    every = set(names.values())
    waiting = set(every)
    eligible: set[str] = set()
    refused = False
    try:
        async with asyncio.timeout(within_s) as deadline:
            async for message in coming(consumer):
                try:
                    answer = parse(message.value, message.headers)
                except NotACloudEvent:
                    continue
                content = read(answer)
                place = content.dead_letter if isinstance(content, RegistrationRefused) else None
                answered = (answer.causationid, answer.correlationid, names.get(place or ""))
                name = next((name for name in answered if name in every), None)
                if name is None:
                    continue
                typer.echo(printable(f"{name}: {_outcome(answer)}"))
                refused |= isinstance(content, RegistrationRefused)
                waiting.discard(name)
                if isinstance(content, RegistrationScreened) and content.verdict is Verdict.ELIGIBLE:
                    eligible.add(name)
                else:
                    eligible.discard(name)
                if not waiting and not eligible:
                    break
                if not waiting:
                    deadline.reschedule(asyncio.get_running_loop().time() + _ACCEPTANCE_WITHIN_S)
    except TimeoutError:
        for name in sorted(waiting):
            typer.echo(
                printable(
                    f"{name}: no answer within {within_s:g} s. See with 'cxc status' that the registration "
                    "worker runs; an event that was sent before under this id is passed over in silence."
                ),
                err=True,
            )
    return not waiting and not refused


def _outcome(answer: CloudEvent) -> str:
    what = answer.type.removeprefix("cxc.registration.").rpartition(".")[0]
    return f"{what} as registration {answer.subject}. {gist(answer)}" if what != "refused" else gist(answer)
