"""After an erasure nothing personal is in any of the five databases, in whatever order news of it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from importlib import import_module
from typing import Any, Final

import bson
import pytest

from services.funding.use_cases.erase_grants import erase_grants
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.matching.use_cases.accept_match import accept_match
from services.matching.use_cases.approve_match import approve_match
from services.matching.use_cases.propose_match import propose_match
from services.notifications.use_cases.erase_notifications import erase_notifications
from services.notifications.use_cases.notify import notify
from services.registration.chores import CHORES, do_chores
from services.registration.use_cases.amend_registration import amend_registration
from services.registration.use_cases.erase_registration import erase_registration
from services.registration.use_cases.submit_registration import submit_registration
from services.registration.use_cases.withdraw_registration import withdraw_registration
from shared.contracts.common import ERASED, Window
from shared.contracts.envelope import new_id, now
from shared.contracts.registration import Submission
from shared.contracts.types import EventType
from shared.contracts.vocabulary import GrantState, Verdict
from shared.erasure import keep_erased
from shared.messaging.consumer import BatchConsumer
from shared.messaging.message import Message
from shared.messaging.outbox import unpack
from shared.messaging.topics import SERVICES, ServiceName, dead_letters, events
from shared.security import Caller, CallerRole
from shared.storage.driver import connect
from tests.builders import a_host_submission, a_submission, an_approved_match, an_envelope
from tests.integration.apis import everything, running_root, settings_of

pytestmark = pytest.mark.integration

READS: Final[dict[ServiceName, list[ServiceName]]] = {
    "registration": ["matching"],
    "matching": ["registration"],
    "funding": ["matching", "registration"],
    "notifications": ["registration", "matching", "funding"],
    "console": ["registration", "matching", "funding", "notifications"],
}
VISITOR: Final = Caller("office", CallerRole.PARTICIPANT, organisation="tagus-fibre-works")
HOST: Final = Caller("desk", CallerRole.PARTICIPANT, organisation="navigli")
STAFF: Final = Caller("officer", CallerRole.STAFF, partnership="hempclub")

NAME, STREET, VAT = "Tagus Fibre Works (sample)", "Rua das Flores 17", "501964843"
MOTIVATION = "We want to learn how hemp fibre is spun at scale."
PERSONAL: Final = [
    NAME,
    "Tagus",
    "tagus-fibre",
    STREET,
    VAT,
    MOTIVATION,
    "madder dyeing",
]


@dataclass
class Wire:
    """The five services on real MongoDB; a test says which of them reads what, and when."""

    roots: dict[str, Any]
    topics: dict[str, list[Message]] = field(default_factory=dict)
    read: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._consumers = {
            service: BatchConsumer(import_module(f"services.{service}.handlers").handlers, root.transactions)
            for service, root in self.roots.items()
        }

    async def publish(self) -> None:
        """What the relays do: outboxes become topics."""
        for root in self.roots.values():
            outbox = root.database["outbox"]
            for row in await outbox.find({}).sort("position", 1).to_list(None):
                for sent in unpack(row):
                    topic = self.topics.setdefault(sent.topic, [])
                    topic.append(
                        Message(sent.topic, 0, len(topic), sent.key, sent.value, sent.headers, 1_700_000_000)
                    )
                await outbox.delete_one({"_id": row["_id"]})

    async def deliver(self, service: ServiceName, source: ServiceName, *, again: bool = False) -> int:
        """Let a service read what another has published since it last did, or all of it again."""
        topic = self.topics.get(events(source), [])
        first = 0 if again else self.read.get((service, source), 0)
        self.read[service, source] = len(topic)
        if batch := topic[first:]:
            await self._consumers[service].consume(batch)
            await self.publish()
        return len(batch)

    async def flow(self, *services: ServiceName) -> None:
        """Let these services read until nothing is left to be read by them."""
        await self.publish()
        while sum([await self.deliver(one, source) for one in services for source in READS[one]]):
            pass

    async def again(self, *services: ServiceName) -> None:
        """Everything is delivered a second time, and nobody remembers the first."""
        for service in services:
            await self.roots[service].database["inbox"].delete_many({})
            for source in READS[service]:
                await self.deliver(service, source, again=True)
        await self.flow(*services)

    async def personal(self, words: Sequence[str] = PERSONAL) -> dict[str, list[str]]:
        """Where a word of the organisation is found, byte by byte, in any document of any database."""
        found: dict[str, list[str]] = {}
        for service, root in self.roots.items():
            for collection, documents in (await everything(root.database)).items():
                raw = b"".join(bson.encode(document) for document in documents)
                if words_found := [word for word in words if word.encode() in raw]:
                    found[f"{service}.{collection}"] = words_found
        return found

    @property
    def set_aside(self) -> list[Message]:
        return [letter for service in SERVICES for letter in self.topics.get(dead_letters(service), [])]


@pytest.fixture
async def wire(mongo_url: str, unique: Callable[[str], str]) -> AsyncIterator[Wire]:
    databases: dict[ServiceName, str] = {service: unique(service) for service in SERVICES}
    async with AsyncExitStack() as stack:
        roots: dict[str, Any] = {
            service: await stack.enter_async_context(
                running_root(service, settings_of(service, mongo_url), database)
            )
            for service, database in databases.items()
        }
        yield Wire(roots)
    async with connect(mongo_url) as client:
        for database in databases.values():
            await client.drop_database(database)


def the_visitor(stay: Window, **changes: Any) -> Submission:
    window = {"first_day": str(stay.first_day), "last_day": str(stay.last_day)}
    organisation = {**a_submission()["organisation"], "name": NAME, "street": STREET, "vat": f"PT{VAT}"}
    given = a_submission(
        organisation=organisation, motivation=MOTIVATION, availability=[window], pic=None, **changes
    )
    del given["pic"]
    return Submission.model_validate(given)


def the_host(stay: Window) -> Submission:
    window = {"first_day": str(stay.first_day), "last_day": str(stay.last_day)}
    organisation = {
        **a_host_submission()["organisation"],
        "country": "AT",
        "city": "Vienna",
    }  # a rate is on file
    return Submission.model_validate(a_host_submission(organisation=organisation, availability=[window]))


def a_stay_to_come() -> Window:
    today = now().date()
    first = today + timedelta(days=60 - today.weekday())
    return Window(first_day=first, last_day=first + timedelta(days=4))


def a_stay_of_the_past() -> Window:
    return Window(first_day=date(2023, 2, 13), last_day=date(2023, 2, 17))


async def registered(wire: Wire, submission: Submission, by: Caller) -> str:
    registering = wire.roots["registration"]
    registration = await registering.transactions.run(lambda uow: submit_registration(uow, submission, by=by))
    return str(registration.id)


async def matched(wire: Wire, stay: Window) -> tuple[str, str, str]:
    """Visitor, host, and their match, approved; what the services know of it is what they have read."""
    registering, matching = wire.roots["registration"], wire.roots["matching"]
    visitor = await registered(wire, the_visitor(stay), VISITOR)
    host = await registered(wire, the_host(stay), HOST)
    anew = the_visitor(stay, needs=["hemp fibre", "madder dyeing"])
    await registering.transactions.run(lambda uow: amend_registration(uow, visitor, anew, by=VISITOR))
    await wire.publish()
    await wire.flow("matching")

    match = await matching.transactions.run(lambda uow: propose_match(uow, visitor, host, stay, by=VISITOR))
    for work in (
        lambda uow: accept_match(uow, match.id, by=HOST),
        lambda uow: approve_match(uow, match.id, by=STAFF),
    ):
        await matching.transactions.run(work)
    await wire.publish()
    return visitor, host, match.id


async def erase(wire: Wire, registration_id: str) -> None:
    await wire.roots["registration"].transactions.run(
        lambda uow: erase_registration(uow, registration_id, by=VISITOR, reason="We close down.")
    )
    await wire.publish()


async def the_grant(wire: Wire) -> dict[str, Any]:
    [grant] = await wire.roots["funding"].database["grants"].find({}).to_list(None)
    return dict(grant)


async def test_nothing_is_left_after_an_erasure_before_the_stay(wire: Wire) -> None:
    visitor, _, _ = await matched(wire, a_stay_to_come())
    await wire.flow(*SERVICES)
    assert {name.partition(".")[0] for name in await wire.personal()} == set(SERVICES)
    assert (await the_grant(wire))["state"] == GrantState.RESERVED

    await erase(wire, visitor)
    await wire.flow(*SERVICES)
    assert await wire.personal() == {}
    assert (await the_grant(wire))["state"] == GrantState.CANCELLED
    assert wire.set_aside == []


@pytest.mark.parametrize("late", ["funding", "notifications", "console"])
async def test_nothing_is_left_where_the_erasure_overtakes_all_that_was_before_it(
    wire: Wire, late: ServiceName
) -> None:
    """A service that was down reads the registrations' events to the end, and then the others'."""
    visitor, _, _ = await matched(wire, a_stay_to_come())
    others = [service for service in SERVICES if service != late]
    await wire.flow(*others)
    await erase(wire, visitor)
    await wire.flow(*others)
    await wire.deliver(late, "registration")
    await wire.flow(*SERVICES)
    assert await wire.personal() == {}
    assert wire.set_aside == []


async def test_nothing_comes_back_when_everything_is_delivered_again(wire: Wire) -> None:
    visitor, _, _ = await matched(wire, a_stay_to_come())
    await wire.flow(*SERVICES)
    await erase(wire, visitor)
    await wire.flow(*SERVICES)
    # Dead letters keep what is delivered again in vain; here they are bytes on a topic.
    await wire.again("matching", "funding", "notifications", "console")
    assert await wire.personal() == {}


async def test_all_of_it_in_one_batch_leaves_nothing(wire: Wire) -> None:
    stay = a_stay_to_come()
    visitor = await registered(wire, the_visitor(stay), VISITOR)
    await registered(wire, the_host(stay), HOST)
    await erase(wire, visitor)
    await wire.flow(*SERVICES)
    assert await wire.personal() == {}


async def test_after_the_stay_the_facts_of_accounting_and_the_one_visit_stay(wire: Wire) -> None:
    visitor, _, match = await matched(wire, a_stay_of_the_past())
    await wire.flow(*SERVICES)
    await erase(wire, visitor)
    await wire.flow(*SERVICES)
    assert await wire.personal() == {
        "registration.visits": [VAT],
        "matching.visit_claims": [VAT],
        "funding.grants": [NAME, "Tagus"],
    }
    grant = await the_grant(wire)
    assert (grant["state"], grant["visitor"]["organisation"], grant["visitor"]["email"]) == (
        GrantState.RESERVED,
        NAME,
        "",
    )
    assert grant["host"]["organisation"] == a_host_submission()["organisation"]["name"]
    assert grant["match_id"] == match

    again = await registered(wire, the_visitor(a_stay_to_come()), VISITOR)
    registration = await wire.roots["registration"].transactions.read(
        lambda uow: uow.registrations.get(again)
    )
    assert registration.verdict is Verdict.INELIGIBLE


async def test_the_others_keep_their_own_and_hear_what_happened_without_the_name(wire: Wire) -> None:
    visitor, host, _ = await matched(wire, a_stay_to_come())
    await wire.flow("registration", "matching", "funding")
    await erase(wire, visitor)
    await wire.flow("registration", "matching", "funding")
    await wire.deliver("notifications", "registration")
    await wire.flow(*SERVICES)

    notifications = wire.roots["notifications"].database["notifications"]
    told = await notifications.find({"recipient_registration": host}).to_list(None)
    cancelled = next(one for one in told if one["fact_type"] == EventType.MATCH_CANCELLED)
    assert f"{ERASED} withdrew its registration" in cancelled["text"]
    assert cancelled.get("address") in (None, "office@navigli-textile.example")
    assert not await notifications.count_documents(
        {"recipient_registration": visitor, "address": {"$ne": None}}
    )
    assert await wire.personal() == {}
    kept = await wire.roots["matching"].database["candidates"].find_one({"_id": host})
    assert kept is not None
    assert kept["party"]["organisation"] == a_host_submission()["organisation"]["name"]


# ── at the same moment ───────────────────────────────────────────────────────────────────────


async def until(condition: Callable[[], Any], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("service", ["funding", "notifications"])
async def test_what_a_transaction_stored_that_did_not_see_the_erasure_goes_a_moment_later(
    wire: Wire, service: ServiceName
) -> None:
    root = wire.roots[service]
    match = an_approved_match(new_id())
    visitor = match.visitor.registration_id
    envelope = an_envelope(match, service="matching", subject=match.match_id)
    erase_here: Any = erase_grants if service == "funding" else erase_notifications
    looked, erased = asyncio.Event(), asyncio.Event()

    async def unaware(uow: Any) -> None:
        if service == "funding":
            await reserve_lump_sum(uow, match)
        else:
            await notify(uow, envelope, match)
        looked.set()
        await erased.wait()

    storing = asyncio.create_task(root.transactions.once(unaware))
    await looked.wait()
    await root.transactions.run(partial(erase_here, registration_id=visitor))
    erased.set()
    await storing
    await wire.publish()
    words = [match.visitor.email]
    assert await wire.personal(words), "the two did not run at the same moment"

    stopping = asyncio.Event()
    keeping = asyncio.create_task(keep_erased(root, stopping, erase_here))

    async def gone() -> bool:
        return not await wire.personal(words)

    try:
        await until(gone)
    finally:
        stopping.set()
        await keeping


# ── by time ──────────────────────────────────────────────────────────────────────────────────


async def test_a_registration_closed_for_longer_than_the_setting_is_erased_by_the_worker(
    mongo_url: str, database: str
) -> None:
    settings = settings_of("registration", mongo_url, closed_days=1)
    async with running_root("registration", settings, database) as root:
        wire = Wire({"registration": root})
        closed = await registered(wire, the_visitor(a_stay_to_come()), VISITOR)
        await root.transactions.run(lambda uow: withdraw_registration(uow, closed, by=VISITOR))
        lately = await registered(wire, the_visitor(a_stay_to_come()), VISITOR)
        await root.transactions.run(lambda uow: withdraw_registration(uow, lately, by=VISITOR))
        await root.database["registrations"].update_one(
            {"_id": closed},
            [
                {
                    "$set": {
                        "history": {"$map": {"input": "$history", "in": {"$mergeObjects": ["$$this", OLD]}}}
                    }
                }
            ],
        )

        stopping = asyncio.Event()
        chores = [chore for chore in CHORES if chore.name == "erase closed"]
        doing = asyncio.create_task(do_chores(root, stopping, chores=chores, look_every_s=0.1))

        async def erased() -> bool:
            found = await root.database["registrations"].find_one({"_id": closed})
            return bool(found and found["erased_at"])

        try:
            await until(erased)
        finally:
            stopping.set()
            await doing
        left = await root.database["registrations"].find_one({"_id": lately})
        assert left is not None
        assert left["erased_at"] is None
        await wire.publish()
        last = wire.topics[events("registration")][-1]
        assert b'"on_behalf_of":"retention"' in (last.value or b"")


OLD: Final = {"at": "2023-01-16T09:30:00Z"}
