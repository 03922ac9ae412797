"""The queue on MongoDB: it finds, sorts and pages as the one in memory does, and by its index."""

from __future__ import annotations

import copy
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest

from services.registration.bootstrap import Registering
from services.registration.domain.registration import SCREENED, Registration
from services.registration.filters import Cursor, Order, RegistrationFilter
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.go_through_registrations import in_chunks
from services.registration.use_cases.submit_registration import submit_registration
from shared.contracts.registration import Submission
from shared.security import Caller, CallerRole
from tests.builders import a_submission
from tests.fakes import MemoryTransactions
from tests.integration.apis import running_root, settings_of
from tests.unit.registration.service import SUPPORT_OFFICE

pytestmark = pytest.mark.integration

WOOL_STAFF = Caller("officer", CallerRole.STAFF, partnership="woolclub")
FILTERS: list[dict[str, Any]] = [
    {},
    {"state": ["eligible"]},
    {"state": ["ineligible", "needs_review"], "partnership": "woolclub"},
    {"partnership": "none"},
    {"waiting_for": "staff"},
    {"waiting_for": "applicant"},
    {"rule": "visitor-once-only"},
    {"rule": "partnership-to-decide", "country": "PT"},
    {"role": "host", "kind": "cluster"},
    {"ecosystem": "tourism"},
    {"text": "łodz"},
    {"text": "(a+)+$"},
    {"text": "ref-1"},
    {"submitted_from": "2023-01-10", "submitted_to": "2023-01-20"},
    {"verdict": "needs_review", "submitted_to": "2023-01-31"},
]


@pytest.fixture(scope="module")
async def root(mongo_url: str) -> AsyncIterator[Registering]:
    database = f"test-queue-{random.getrandbits(40):x}"
    async with running_root("registration", settings_of("registration", mongo_url), database) as root:
        yield root
        await root.client.drop_database(database)


@pytest.fixture(scope="module")
async def everything(root: Registering) -> MemoryTransactions[RegistrationUnitOfWork]:
    """The same 120 registrations on MongoDB and in memory."""
    rng = random.Random(4)
    names = ["Łódź Len", "lodz flax", "Çınar", "alpha", "Alpha", "(a+)+$", "Ωμέγα", "Beta"]
    caller = Caller("portal", CallerRole.EXTERNAL)

    async def submit(uow: RegistrationUnitOfWork) -> None:
        uow.now = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=rng.randrange(900))
        sent = a_submission(
            partnership=rng.choice(["woolclub", "linenclub", None]),
            roles=rng.choice([["visitor"], ["host"], ["visitor", "host"]]),
            ecosystems=[rng.choice(["textile", "tourism"])],
        )
        sent["organisation"].update(
            name=rng.choice(names),
            kind=rng.choice(["sme", "cluster"]),
            country=rng.choice(["PT", "IT", "NO"]),
            pic=rng.choice([None, f"{rng.randrange(10**8, 10**9)}"]),
        )
        registration = await submit_registration(uow, Submission.model_validate(sent), by=caller)
        registration.origin = registration.origin.model_copy(update={"reference": f"REF-{rng.randrange(30)}"})
        if registration.state in SCREENED and rng.random() < 0.3:
            day = rng.choice([None, uow.now.date() + timedelta(rng.randrange(5))])
            registration.ask("Which?", answer_by=day, by="officer", at=uow.now)

    for _ in range(120):
        await root.transactions.run(submit)
    memory: MemoryTransactions[RegistrationUnitOfWork] = MemoryTransactions(root.transactions._open_unit)
    async for document in root.database[Registration.COLLECTION].find({}):
        memory.database[Registration.COLLECTION][document["_id"]] = copy.deepcopy(document)
    return memory


async def page_of(
    uow: RegistrationUnitOfWork, *, caller: Caller, wanted: RegistrationFilter, **options: Any
) -> list[Registration]:
    return await uow.registrations.page(caller, wanted, **options)


async def count_of(uow: RegistrationUnitOfWork, *, caller: Caller, wanted: RegistrationFilter) -> int:
    return await uow.registrations.count(caller, wanted)


async def listed(transactions: Any, caller: Caller, wanted: RegistrationFilter, order: Order) -> list[str]:
    """All ids, gathered from pages of twenty, each cursor having been text in between."""
    found: list[str] = []
    after: Cursor | None = None
    while True:
        page = await transactions.read(
            partial(page_of, caller=caller, wanted=wanted, order=order, after=after, limit=20)
        )
        found += [registration.id for registration in page]
        if len(page) < 20:
            return found
        after = Cursor.read(str(Cursor.behind(page[-1], order)), order)


@pytest.mark.parametrize("caller", [SUPPORT_OFFICE, WOOL_STAFF], ids=lambda caller: caller.role)
async def test_every_filter_in_every_order_finds_the_same_as_in_memory(
    root: Registering, everything: MemoryTransactions[RegistrationUnitOfWork], caller: Caller
) -> None:
    for fields, order in product(FILTERS, Order):
        wanted = RegistrationFilter(**fields)
        found = await listed(root.transactions, caller, wanted, order)
        assert found == await listed(everything, caller, wanted, order), (fields, order)
        assert len(found) == len(set(found))
        if order is not Order.ANSWER_BY:
            assert await root.transactions.read(partial(count_of, caller=caller, wanted=wanted)) == len(found)


async def test_the_filters_are_worth_comparing(
    root: Registering, everything: MemoryTransactions[RegistrationUnitOfWork]
) -> None:
    sizes = [
        len(await listed(root.transactions, SUPPORT_OFFICE, RegistrationFilter(**fields), Order.ID))
        for fields in FILTERS
    ]
    assert sizes[0] == 120
    assert all(0 < size < 120 for size in sizes[1:])


async def test_one_stored_before_lists_were_sorted_is_listed_after_a_restart(
    root: Registering, everything: MemoryTransactions[RegistrationUnitOfWork]
) -> None:
    stored = root.database[Registration.COLLECTION]
    before = await stored.find({}).sort("_id", 1).to_list(None)
    await stored.update_many({"party.partnership": "woolclub"}, {"$unset": {"listed": ""}})
    async with running_root("registration", root.settings, root.database.name):
        assert await stored.find({}).sort("_id", 1).to_list(None) == before


async def test_chunks_hold_everything_once(
    root: Registering, everything: MemoryTransactions[RegistrationUnitOfWork]
) -> None:
    chunks = [chunk async for chunk in in_chunks(root.transactions, SUPPORT_OFFICE, size=50)]
    assert [len(chunk) for chunk in chunks] == [50, 50, 20]
    assert len({registration.id for chunk in chunks for registration in chunk}) == 120
