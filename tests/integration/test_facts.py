"""Facts on real MongoDB: two workers that hear of the same one at once, and a courier that is faster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from services.notifications.bootstrap import Notifications, bootstrap
from services.notifications.domain.fact import ToldFact, UndoneFacts
from services.notifications.domain.notification import Notification
from services.notifications.domain.wishes import Wishes
from services.notifications.outgoing import Outgoing
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.retention import delete_facts_before, delete_wishes_before
from services.notifications.use_cases.notify import notify
from services.notifications.use_cases.state_wishes import state_wishes
from shared.contracts.envelope import now
from shared.contracts.matching import MatchApproved, MatchCancelled
from shared.errors import RuleBroken
from shared.storage.store import ConcurrentChange
from shared.storage.transactions import is_outrun
from tests.builders import an_envelope
from tests.integration.apis import settings_of
from tests.unit.notifications import samples

pytestmark = pytest.mark.integration

V, H = samples.VISITOR.email, samples.HOST.email


@pytest_asyncio.fixture
async def root(mongo_url: str, database: str) -> AsyncIterator[Notifications]:
    root = await bootstrap(settings_of("notifications", mongo_url), database=database)
    yield root
    await root.close()


async def test_two_workers_that_hear_of_a_fact_under_two_ids_at_once_tell_it_once(
    root: Notifications,
) -> None:
    approved = samples.a_match(MatchApproved)
    fact = an_envelope(approved, service="matching", subject="m-1")
    twin = fact.model_copy(update={"id": "another", "time": fact.time and fact.time + timedelta(seconds=1)})
    both_have_read = asyncio.Barrier(2)
    outrun: list[str] = []

    async def hear(one: object) -> None:
        async def work(uow: NotificationsUnitOfWork) -> None:
            await notify(uow, one, approved)  # type: ignore[arg-type]
            if not outrun:
                await both_have_read.wait()

        for _ in range(8):
            try:
                await root.transactions.once(work)
                return
            except Exception as error:
                if not is_outrun(error):
                    raise
                outrun.append(type(error).__name__)
        raise AssertionError("outrun again and again")

    await asyncio.gather(hear(fact), hear(twin))
    assert outrun, "both read before either wrote: one has to see the other's"
    assert await root.database[ToldFact.COLLECTION].count_documents({}) == 1
    told = await root.database[Notification.COLLECTION].distinct("fact_id")
    assert len(told) == 1
    assert await root.database[Notification.COLLECTION].count_documents({"channel": "email"}) == 2


async def test_a_courier_that_takes_a_mail_while_it_is_undone_has_sent_it_or_finds_nothing(
    root: Notifications,
) -> None:
    approved = samples.a_match(MatchApproved)
    cancelled = samples.a_match(MatchCancelled, reason="", was_approved=True)
    fact = an_envelope(approved, service="matching", subject="m-1")
    undoing = an_envelope(cancelled, service="matching", subject="m-1").model_copy(
        update={"time": fact.time and fact.time + timedelta(seconds=1)}
    )
    await root.transactions.run(lambda uow: notify(uow, fact, approved))
    outgoing = Outgoing(root.client, root.database)
    taken: list[str | None] = []

    async def undo(uow: NotificationsUnitOfWork) -> None:
        await notify(uow, undoing, cancelled)
        if not taken:
            # It has read them as waiting; before it commits, a courier takes one.
            taken.extend(mail.address for mail in await outgoing.take(1, now() + timedelta(minutes=5)))

    await root.transactions.run(undo)
    [gone] = taken
    states = {
        mail["address"]: mail["state"]
        async for mail in root.database[Notification.COLLECTION].find(
            {"fact_type": MatchApproved.TYPE, "channel": "email"}
        )
    }
    assert states.pop(gone) == "pending", "the courier settles it"
    assert list(states.values()) == ["cancelled"]
    corrections = {
        mail["address"]: mail["state"]
        async for mail in root.database[Notification.COLLECTION].find(
            {"fact_type": MatchCancelled.TYPE, "channel": "email", "recipient": {"$ne": "staff"}}
        )
    }
    assert corrections == {gone: "pending", ({V, H} - {gone}).pop(): "cancelled"}


async def test_two_who_change_the_same_wishes_at_once_do_not_overwrite_each_other(
    root: Notifications,
) -> None:
    async def write(language: str) -> None:
        await root.transactions.run(
            lambda uow: state_wishes(
                uow,
                "organisation:o",
                language=language,
                time_zone="Europe/Rome",
                quiet=None,
                kinds={},
                seen_version=0,
            )
        )

    outcomes = await asyncio.gather(write("it"), write("fr"), return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["NoneType", "WishesChanged"]
    assert not any(isinstance(one, ConcurrentChange) for one in outcomes)
    assert any(isinstance(one, RuleBroken) for one in outcomes)


async def test_notes_of_facts_and_wishes_go_with_the_messages(mongo_url: str, database: str) -> None:
    at = now() - timedelta(days=31)
    root = await bootstrap(settings_of("notifications", mongo_url), database=database, clock=lambda: at)
    approved = samples.a_match(MatchApproved)
    cancelled = samples.a_match(MatchCancelled, reason="", was_approved=True)
    for event in (approved, cancelled):
        fact = an_envelope(event, service="matching", subject="m-1").model_copy(update={"time": at})
        await root.transactions.run(lambda uow, fact=fact, event=event: notify(uow, fact, event))  # type: ignore[misc]
    for person in ("organisation:gone", "organisation:tagus-fibre", "partnership:hempclub"):
        await root.transactions.run(
            lambda uow, person=person: state_wishes(  # type: ignore[misc]
                uow, person, language=None, time_zone="Europe/Rome", quiet=None, kinds={}, seen_version=0
            )
        )

    async def left() -> tuple[int, int, set[str]]:
        facts = await root.database[ToldFact.COLLECTION].count_documents({})
        undone = await root.database[UndoneFacts.COLLECTION].count_documents({})
        return facts, undone, set(await root.database[Wishes.COLLECTION].distinct("_id"))

    everybody = {"organisation:gone", "organisation:tagus-fibre", "partnership:hempclub"}
    for days, expected in ((32, (2, 1, everybody)), (30, (0, 0, everybody - {"organisation:gone"}))):
        await delete_facts_before(root.database, now() - timedelta(days=days))
        await delete_wishes_before(root.database, now() - timedelta(days=days))
        assert await left() == expected
    await root.close()
