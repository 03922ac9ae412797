"""Sees what became of things: the topics, the four databases, the mails, the processes' own pages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import AsyncMongoClient

from ops.commands.cluster import Cluster
from ops.commands.status import look
from ops.platform import Platform
from shared.contracts.envelope import CloudEvent, parse
from shared.messaging.message import Message
from shared.messaging.topics import PUBLISHERS, SERVICES, ServiceName, dead_letters, events
from shared.storage.driver import Database, Document

Condition = Callable[[], Awaitable[Any]]
Mark = dict[TopicPartition, int]
"""The end of every topic at some moment."""

_READ: Final = (*(events(name) for name in PUBLISHERS), *(dead_letters(name) for name in SERVICES))
_PAGE: Final = 500


@dataclass(frozen=True)
class Published:
    """An event as a topic has it."""

    message: Message
    event: CloudEvent


def notification_of(mail: Document) -> str:
    """The id of the notification that a mail of the mail sink is; a mark nobody else can make follows it."""
    return str(mail["MessageID"]).partition("@")[0].partition(".")[0]


class Onlooker:
    """Looks at a running platform from all sides and changes nothing."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(platform.mongo_url)
        self._web = httpx.AsyncClient(timeout=30.0)

    async def close(self) -> None:
        await self._client.close()
        await self._web.aclose()

    # ── waiting ──────────────────────────────────────────────────────────────────────────────

    async def eventually(self, what: str, condition: Condition, within_s: float = 90) -> Any:
        """Ask until the answer is true and return it; fails with the last answer once the time is over."""
        deadline = time.monotonic() + within_s
        while not (answer := await condition()):
            assert time.monotonic() < deadline, (
                f"not within {within_s:.0f} s: {what}; the last answer was {answer!r}; "
                f"logs in {self.platform.log_directory}"
            )
            await asyncio.sleep(0.2)
        return answer

    async def ready(self, *names: str, within_s: float = 90) -> None:
        """Wait until these processes say that they are ready."""
        await self._all_answer(200, names, within_s)

    async def unready(self, *names: str, within_s: float = 90) -> None:
        """Wait until these processes say that they are not ready."""
        await self._all_answer(503, names, within_s)

    async def _all_answer(self, status: int, names: Sequence[str], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while others := {name: of for name, of in (await self.statuses(*names)).items() if of != status}:
            assert time.monotonic() < deadline, "\n".join(
                [f"/ready is not {status} after {within_s:.0f} s: {others}", *map(self._plight, others)]
            )
            await asyncio.sleep(0.2)

    def _plight(self, name: str) -> str:
        log = self.platform.log_directory / f"{name}.log"
        return f"{log} ends with:\n{log.read_text(errors='replace')[-3000:]}"

    async def statuses(self, *names: str) -> dict[str, int]:
        """What `/ready` of each process answers; 0 where nobody does."""

        async def status(name: str) -> int:
            try:
                return (await self._web.get(f"http://127.0.0.1:{self.platform.port(name)}/ready")).status_code
            except httpx.HTTPError:
                return 0

        return dict(zip(names, await asyncio.gather(*map(status, names)), strict=True))

    async def drained(self, *services: ServiceName, within_s: float = 120) -> None:
        """Wait until all that was published has had its effect, and all effects are told.

        Registration hears of matching's events but publishes nothing on them, so the services are
        done one after the other; the last mail's event is the last thing that happens.
        """
        for service in services or SERVICES:

            async def done(service: ServiceName = service) -> bool:
                found = await look(Cluster.find(self.platform.state), [service])
                consumption = found.consumption.get(service)
                if consumption is None or not consumption.workers or any(consumption.behind.values()):
                    return False
                if service == "matching" and await self.database("matching").newcomers.count_documents({}):
                    return False
                if service == "notifications" and await self._mails_waiting():
                    return False
                # Only now: what a message led to is in the outbox before its offset is committed.
                return await self.database(service).outbox.count_documents({}) == 0

            await self.eventually(f"{service} drained", done, within_s)

    async def _mails_waiting(self) -> int:
        return await self.database("notifications").notifications.count_documents({"state": "pending"})

    # ── databases ────────────────────────────────────────────────────────────────────────────

    def database(self, service: ServiceName) -> Database:
        return self._client[f"cxc_{service}"]

    async def documents(self, service: ServiceName, collection: str, where: Document) -> list[Document]:
        return await self.database(service)[collection].find(where).to_list(None)

    # ── topics ───────────────────────────────────────────────────────────────────────────────

    async def mark(self) -> Mark:
        """Where the topics of events and dead letters end now."""
        async with self._consumer() as consumer:
            ends: Mark = await consumer.end_offsets(consumer.assignment())
            return ends

    async def messages(self, since: Mark, *topics: str) -> AsyncIterator[Message]:
        """What was written to these topics since the mark, up to now; in order within a partition."""
        async with self._consumer(*topics) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            for place in ends:
                consumer.seek(place, since[place])
            unread = {place for place, end in ends.items() if since[place] < end}
            while unread:
                for records in (await consumer.getmany(*unread, timeout_ms=1000)).values():
                    for record in records:
                        yield Message.of(record)
                unread = {place for place in unread if await consumer.position(place) < ends[place]}

    async def published(self, since: Mark, *services: ServiceName) -> list[Published]:
        """The services' events since the mark, duplicates of the relay included."""
        topics = [events(service) for service in services]
        return [
            Published(message, parse(message.value, message.headers))
            async for message in self.messages(since, *topics)
        ]

    async def dead_letters(self, since: Mark) -> list[Message]:
        """What any service has set aside since the mark."""
        return [letter async for letter in self.messages(since, *(dead_letters(name) for name in SERVICES))]

    @asynccontextmanager
    async def _consumer(self, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
        async with AIOKafkaConsumer(
            *(topics or _READ),
            bootstrap_servers=self.platform.kafka_bootstrap,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=20 * 1024 * 1024,
        ) as consumer:
            yield consumer

    # ── mails ────────────────────────────────────────────────────────────────────────────────

    async def mails_to(self, address: str) -> list[dict[str, Any]]:
        """The mails one address got, newest first, as Mailpit's API gives them."""
        return await self._pages("search", {"query": f'to:"{address}"'})

    async def all_mails(self) -> list[dict[str, Any]]:
        """Every mail in the sink."""
        return await self._pages("messages", {})

    async def _pages(self, what: str, query: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = await self._web.get(
                f"{self.platform.mail_url}/api/v1/{what}",
                params={**query, "start": str(len(found)), "limit": str(_PAGE)},
            )
            page.raise_for_status()
            answer = page.json()
            found += answer["messages"]
            if len(found) >= answer["messages_count"]:
                return found

    async def mailed(self, addresses: Iterable[str], within_s: float = 90) -> None:
        """Wait until each address has got a mail."""
        for address in addresses:

            async def has_mail(address: str = address) -> bool:
                return bool(await self.mails_to(address))

            await self.eventually(f"a mail to {address}", has_mail, within_s)
