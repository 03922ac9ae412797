"""The batch consumer: parse → dedupe → handle → commit → dead letter, one transaction a batch.

`consume` returns only when every message of the batch has taken effect exactly once, was recognised
as done before, concerns somebody else, or lies in the outbox as a dead letter. No exception leaves
it but cancellation: while the database is away it tries again for as long as it takes.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
import structlog
from pydantic import BaseModel, ValidationError

from shared.contracts.catalogue import INBOX, upcast
from shared.contracts.envelope import Cause, CloudEvent, NotACloudEvent, parse
from shared.contracts.registration import FieldProblem, RegistrationRefused
from shared.errors import PROBLEM_BASE, CxcError
from shared.messaging import topics
from shared.messaging.dead_letters import Reason, SetAside, dead_letter, origin
from shared.messaging.handlers import Entry, Handlers
from shared.messaging.message import Message
from shared.messaging.outbox import TYPE_HEADER, EventTooLarge
from shared.observability import BATCH_RETRIES, BATCH_SECONDS, BATCH_SIZE, CONSUMED, DEAD_LETTERS
from shared.problems import field_problems, in_words
from shared.storage.driver import Document, is_transient
from shared.storage.store import INBOX as INBOX_COLLECTION
from shared.storage.transactions import Transactions, is_outrun, worth_another_try
from shared.storage.unit_of_work import UnitOfWork, because_of

_log = structlog.get_logger(__name__)

U = TypeVar("U", bound=UnitOfWork)

MAX_BACKOFF_S = 5.0
CONFLICTS_BEFORE_SPLIT = 20
CROWDED_BATCHES = 50


@dataclass
class Delivery(Generic[U]):
    """One message on its way through the consumer."""

    message: Message
    strict: bool
    """From outside the platform: validated strictly, refused in words."""
    envelope: CloudEvent | None = None
    event: BaseModel | None = None
    entry: Entry[U] | None = None
    aside: SetAside | None = None
    problems: tuple[FieldProblem, ...] = ()
    digest: bytes | None = None

    @property
    def done_mark(self) -> str:
        """What the inbox remembers once the message took effect: the event's identity."""
        assert self.envelope is not None
        return done_mark(self.envelope.source, self.envelope.id)

    @property
    def sender(self) -> Document:
        """Who sent a message from outside, and about what: the inbox tells them what came of it."""
        if not self.strict or self.envelope is None:
            return {}
        return {"source": self.envelope.source, "subject": self.envelope.subject}

    @property
    def aside_mark(self) -> str:
        """What the inbox remembers once the message was set aside; a corrected one under its id may come."""
        return f"aside|{self.message.coordinates}|{self.message.timestamp_ms}"

    @property
    def order_key(self) -> str | bytes:
        """Messages with the same key are handled in order."""
        if self.strict and self.envelope is not None:
            return f"{self.envelope.source}|{self.envelope.subject}"
        return self.message.key or self.message.coordinates


def done_mark(source: str, event_id: str) -> str:
    """What the inbox remembers an event by once it took effect."""
    return f"{source}|{event_id}"


class BatchConsumer(Generic[U]):
    """Consumes batches for one service."""

    def __init__(
        self,
        handlers: Handlers[U],
        transactions: Transactions[U],
        *,
        after_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self.service = handlers.service
        self._handlers = handlers
        self._transactions = transactions
        self._after_commit = after_commit
        self._one_at_a_time = asyncio.Lock()
        self._crowded = 0
        """Batches still to be run one after the other, since some were in each other's way."""
        self.struggling_since: float | None = None
        """Monotonic time since which the present batch could not be committed; None when all is well."""

    async def consume(self, messages: Sequence[Message]) -> None:
        """Let every message take effect once, or set it aside; returns when that is durable."""
        started = time.monotonic()
        deliveries = [self._read(message) for message in messages]
        relevant = [delivery for delivery in deliveries if delivery.entry or delivery.aside]
        CONSUMED.labels(self.service, "ignored").inc(len(deliveries) - len(relevant))
        if relevant:
            await self._settle(relevant)
            self._after_commit()
        BATCH_SIZE.labels(self.service).observe(len(messages))
        BATCH_SECONDS.labels(self.service).observe(time.monotonic() - started)

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def _read(self, message: Message) -> Delivery[U]:
        source_topic = origin(message).rsplit("/", 2)[0]
        delivery: Delivery[U] = Delivery(message, strict=source_topic == topics.REGISTRATION_INBOX)
        if not delivery.strict and self._is_of_no_concern(message):
            return delivery
        if message.value is not None and len(message.value) > topics.MAX_EVENT_BYTES:
            delivery.aside = SetAside(
                "too_large",
                f"The message has {len(message.value)} bytes; the limit is {topics.MAX_EVENT_BYTES}.",
            )
            return delivery
        try:
            envelope = delivery.envelope = parse(message.value, message.headers)
        except NotACloudEvent as error:
            delivery.aside = SetAside("not_a_cloudevent", str(error))
            return delivery
        try:
            newest = upcast(envelope)
        except Exception as error:  # noqa: BLE001 - old data of the wrong shape must not stop the others
            delivery.aside = SetAside("invalid_data", f"{envelope.type} could not be read: {error!r}.")
            return delivery
        entry = self._handlers.get(newest.type)
        if entry is None or (newest.type in INBOX) != delivery.strict:
            delivery.aside = self._unknown(newest.type, strict=delivery.strict)
            return delivery
        try:
            delivery.event = entry.model.model_validate(newest.data)
        except ValidationError as error:
            problems = field_problems(error.errors(include_url=False))
            delivery.problems = tuple(problems)
            delivery.aside = SetAside(
                "invalid_data",
                f"The data of {envelope.type} is not valid: {in_words(problems, 8)}.",
            )
            return delivery
        delivery.entry = entry
        if delivery.strict:
            delivery.digest = _digest(envelope)
        return delivery

    def _is_of_no_concern(self, message: Message) -> bool:
        """Whether the header says so; three of four events concern other services."""
        wire_type = message.header(TYPE_HEADER)
        return wire_type is not None and not self._handlers.knows_family(wire_type)

    def _unknown(self, wire_type: str, *, strict: bool) -> SetAside | None:
        if strict:
            return SetAside(
                "unknown_type", f"'{wire_type}' cannot be sent here; send one of {', '.join(sorted(INBOX))}."
            )
        if self._handlers.knows_family(wire_type):
            return SetAside(
                "unknown_version",
                f"This version of the {self.service} service does not know {wire_type}; "
                "upgrade it, then replay this message.",
            )
        return None

    # ── committing ───────────────────────────────────────────────────────────────────────────

    async def _settle(self, deliveries: Sequence[Delivery[U]]) -> None:
        """Commit the deliveries, in one transaction if possible; tries for as long as it takes."""
        conflicts = outages = 0
        while True:
            try:
                outcome = await self._attempt(deliveries)
            except _SetAsideFirst as first:
                first.delivery.aside = first.why
            except Exception as error:  # noqa: BLE001 - what it is decides below; nothing is dropped
                self.struggling_since = self.struggling_since or time.monotonic()
                BATCH_RETRIES.labels(self.service, type(error).__name__).inc()
                if is_outrun(error):
                    conflicts += 1
                    self._crowded = CROWDED_BATCHES
                    if conflicts >= CONFLICTS_BEFORE_SPLIT and len(deliveries) > 1:
                        await self._settle_apart(deliveries)
                        return
                    await asyncio.sleep(random.uniform(0, 0.005 * conflicts))
                elif is_transient(error):
                    outages += 1
                    _log.warning(
                        "batch_retried", attempt=outages, size=len(deliveries), error=repr(error)[:300]
                    )
                    await asyncio.sleep(
                        random.uniform(0.5, 1) * min(MAX_BACKOFF_S, 0.02 * 2 ** min(outages, 10))
                    )
                elif len(deliveries) > 1:
                    _log.error("batch_not_storable", size=len(deliveries), exc_info=error)
                    await self._settle_apart(deliveries)
                    return
                elif deliveries[0].aside is None:
                    deliveries[0].aside = SetAside("not_storable", f"{type(error).__name__}: {error}")
                else:
                    _log.error("dead_letter_not_storable", exc_info=error)
                    await asyncio.sleep(MAX_BACKOFF_S)
            else:
                self.struggling_since = None
                self._count(outcome)
                return

    def _count(self, outcome: _Outcome) -> None:
        CONSUMED.labels(self.service, "handled").inc(outcome.handled)
        CONSUMED.labels(self.service, "duplicate").inc(outcome.duplicates)
        CONSUMED.labels(self.service, "dead_letter").inc(len(outcome.set_aside))
        for reason in outcome.set_aside:
            DEAD_LETTERS.labels(self.service, reason).inc()

    async def _attempt(self, deliveries: Sequence[Delivery[U]]) -> _Outcome:
        """Run the batch in one transaction: beside the other lanes', unless they were in its way lately."""
        if self._crowded == 0:
            return await self._transactions.once(lambda uow: self._handle(deliveries, uow))
        async with self._one_at_a_time:
            self._crowded = max(0, self._crowded - 1)
            return await self._transactions.once(lambda uow: self._handle(deliveries, uow))

    async def _settle_apart(self, deliveries: Sequence[Delivery[U]]) -> None:
        """Halve the batch, in order, so that one message that cannot be stored holds up no other."""
        middle = len(deliveries) // 2
        await self._settle(deliveries[:middle])
        await self._settle(deliveries[middle:])

    async def _handle(self, deliveries: Sequence[Delivery[U]], uow: U) -> _Outcome:
        """One attempt at the batch in an open unit of work."""
        fresh, copies = await self._without_duplicates(deliveries, uow)
        by_key: dict[str | bytes, list[Delivery[U]]] = {}
        for delivery in fresh:
            by_key.setdefault(delivery.order_key, []).append(delivery)
        verdicts = _Verdicts[U]()
        results = await asyncio.gather(
            *(self._handle_in_order(same_key, uow, verdicts) for same_key in by_key.values()),
            # Every handler ends before the transaction does, whatever becomes of the others.
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        if verdicts.poisoned_by is not None:
            raise verdicts.poisoned_by
        failed = {
            delivery.aside_mark: (delivery, why)
            for delivery in fresh
            if (why := delivery.aside or verdicts.aside.get(id(delivery)))
        }
        refused = {
            delivery.done_mark: verdicts.aside[id(delivery)]
            for delivery in fresh
            if id(delivery) in verdicts.aside
        }
        for copy in copies:
            # What is a copy of nothing that took effect ends as what it is a copy of.
            if copy.done_mark in refused:
                failed.setdefault(copy.aside_mark, (copy, refused[copy.done_mark]))
        known = await uow.store.load(INBOX_COLLECTION, failed) if failed else {}
        for mark, (delivery, why) in failed.items():
            if mark not in known:
                self._set_aside(delivery, why, uow)
        handled = [delivery for delivery in fresh if delivery.aside_mark not in failed]
        for delivery in handled:
            uow.mark_consumed(delivery.done_mark, delivery.digest, delivery.sender)
        return _Outcome(
            handled=len(handled),
            duplicates=len(deliveries) - len(handled) - len(failed) + len(known),
            set_aside=[why.reason for mark, (_, why) in failed.items() if mark not in known],
        )

    async def _without_duplicates(
        self, deliveries: Sequence[Delivery[U]], uow: U
    ) -> tuple[list[Delivery[U]], list[Delivery[U]]]:
        """Those that nothing has become of yet, and copies of them in this batch.

        One that was set aside stays so when it is delivered again, even if by now it could be handled:
        its sender was told that it was refused.
        """
        readable = [delivery for delivery in deliveries if delivery.aside is None]
        marks = {mark for delivery in readable for mark in (delivery.done_mark, delivery.aside_mark)}
        documents = await uow.store.load(INBOX_COLLECTION, marks) if marks else {}
        seen = {mark: document["digest"] for mark, document in documents.items()}
        fresh: list[Delivery[U]] = []
        copies: list[Delivery[U]] = []
        for delivery in deliveries:
            if delivery.aside is not None:
                fresh.append(delivery)
            elif delivery.aside_mark in documents:
                continue
            elif delivery.done_mark not in seen:
                seen[delivery.done_mark] = delivery.digest
                fresh.append(delivery)
            elif delivery.digest != seen[delivery.done_mark]:
                fresh.append(_id_reused(delivery))
            else:
                copies.append(delivery)
        return fresh, copies

    async def _handle_in_order(
        self, deliveries: Sequence[Delivery[U]], uow: U, verdicts: _Verdicts[U]
    ) -> None:
        for delivery in deliveries:
            if delivery.aside is not None:
                continue
            assert delivery.entry is not None
            assert delivery.envelope is not None
            with because_of(Cause.of(delivery.envelope)) as scope:
                try:
                    await delivery.entry.call(delivery.event, uow, delivery.envelope)
                except Exception as error:
                    if worth_another_try(error):
                        raise
                    if verdicts.poisoned_by is not None:
                        return
                    why = _why(error)
                    if why.reason == "handler_failed":
                        event_id = delivery.envelope.id
                        _log.error(
                            "handler_failed", type=delivery.envelope.type, event_id=event_id, exc_info=error
                        )
                    if scope.touched:
                        # It left half a change behind: only a clean start without it can be trusted.
                        verdicts.poisoned_by = _SetAsideFirst(delivery, why)
                        return
                    verdicts.aside[id(delivery)] = why

    def _set_aside(self, delivery: Delivery[U], why: SetAside, uow: U) -> None:
        uow.send(dead_letter(delivery.message, why, service=self.service, at=uow.now.isoformat()))
        if not delivery.strict:
            uow.mark_consumed(delivery.aside_mark)
        else:
            refused = _refusal(delivery, why)
            came_of_it = {**delivery.sender, "refused": refused.model_dump(mode="json", exclude_none=True)}
            if delivery.envelope:
                came_of_it["event"] = delivery.done_mark
            uow.mark_consumed(delivery.aside_mark, None, came_of_it)
            with because_of(Cause.of(delivery.envelope) if delivery.envelope else Cause()):
                uow.publish(refused, subject=refused.refused_subject or refused.dead_letter)


@dataclass(frozen=True)
class _Outcome:
    """What became of a batch, counted once it is committed."""

    handled: int
    duplicates: int
    set_aside: list[Reason]


class _SetAsideFirst(Exception):
    """A handler failed after it had changed something: run the batch again without its message."""

    def __init__(self, delivery: Delivery[Any], why: SetAside) -> None:
        super().__init__(why.detail)
        self.delivery = delivery
        self.why = why


class _Verdicts(Generic[U]):
    """What one attempt at a batch found out."""

    def __init__(self) -> None:
        self.aside: dict[int, SetAside] = {}
        self.poisoned_by: _SetAsideFirst | None = None


def _id_reused(delivery: Delivery[U]) -> Delivery[U]:
    envelope = delivery.envelope
    assert envelope is not None
    return Delivery(
        delivery.message,
        delivery.strict,
        envelope,
        aside=SetAside(
            "id_reused",
            f"An event with id '{envelope.id}' from '{envelope.source}' was taken before with other content; "
            "give every new event an id of its own.",
        ),
    )


def _digest(envelope: CloudEvent) -> bytes:
    content = orjson.dumps([envelope.type, envelope.subject, envelope.data], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=16).digest()


def _why(error: Exception) -> SetAside:
    if isinstance(error, CxcError):
        return SetAside("rule_broken", error.detail)
    if isinstance(error, EventTooLarge):
        return SetAside("too_large", str(error))
    return SetAside("handler_failed", f"{type(error).__name__}: {error}")


_REFUSALS: dict[Reason, tuple[str, int]] = {
    "not_a_cloudevent": ("The message is no CloudEvent", 400),
    "unknown_type": ("The event's type is not known here", 400),
    "unknown_version": ("The event's version is not known here", 400),
    "invalid_data": ("The event's data is not valid", 422),
    "too_large": ("The message is too large", 413),
    "id_reused": ("The event's id was used before", 409),
    "rule_broken": ("A rule forbids this", 409),
    "handler_failed": ("An error of ours; it will be replayed", 500),
    "not_storable": ("An error of ours; it will be replayed", 500),
}


def _refusal(delivery: Delivery[U], why: SetAside) -> RegistrationRefused:
    title, status = _REFUSALS[why.reason]
    envelope = delivery.envelope
    return RegistrationRefused(
        refused_event_id=envelope.id if envelope else None,
        refused_source=envelope.source if envelope else None,
        refused_subject=envelope.subject if envelope else None,
        type=PROBLEM_BASE + why.reason.replace("_", "-"),
        title=title,
        status=status,
        detail=why.detail,
        errors=list(delivery.problems),
        dead_letter=origin(delivery.message),
    )


Consume = Callable[[Sequence[Message]], Awaitable[None]]
