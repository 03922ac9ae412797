"""Lists of registrations: what they can be filtered and sorted by, and how their pages go on."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from services.registration.domain.registration import Origin, Registration
from services.registration.filters import Cursor, Order, RegistrationFilter
from services.registration.repositories import RegistrationUnitOfWork
from services.registration.use_cases.go_through_registrations import in_chunks
from services.registration.use_cases.submit_registration import submit_registration
from shared.contracts.registration import Submission
from shared.errors import Malformed
from shared.security import Caller
from tests.builders import a_host_submission, a_submission
from tests.fakes import MemoryTransactions
from tests.unit.registration.service import (
    HEMPCLUB_STAFF,
    SUPPORT_OFFICE,
    WOOLCLUB_STAFF,
    a_partnership,
    transactions,
)

Store = MemoryTransactions[RegistrationUnitOfWork]


async def submitted(store: Store, name: str, reference: str, **changes: Any) -> str:
    data = a_submission(**changes)
    data["organisation"]["name"] = name
    origin = Origin(by="/crm", source="/crm", reference=reference, system="/crm")
    sent = Submission.model_validate(data)
    return (await store.run(lambda uow: submit_registration(uow, sent, by=origin))).id


async def page(store: Store, caller: Caller = SUPPORT_OFFICE, **options: Any) -> list[Registration]:
    paging = {key: options.pop(key) for key in ("order", "after", "limit") if key in options}
    wanted = RegistrationFilter(**options)
    return await store.read(lambda uow: uow.registrations.page(caller, wanted, **paging))


@pytest.fixture
async def store() -> Store:
    """Six registrations: one accepted, one ineligible, one to review, one without partnership, two asked."""
    store = transactions(
        a_partnership("hempclub", auto_accept=True), a_partnership("woolclub", countries=["PT"])
    )
    await submitted(store, "Çınar Tekstil", "A-1")
    no_cluster = {**a_submission()["organisation"], "memberships": []}
    await submitted(store, "Beta Looms", "A-2", organisation=no_cluster, partnership="woolclub")
    no_number = {**a_submission()["organisation"], "pic": None}
    await submitted(store, "alpha Weavers", "B-30", organisation=no_number, partnership="woolclub")
    host = {**a_host_submission()["organisation"], "country": "DE"}
    sent = a_host_submission(organisation=host, ecosystems=["health"])
    sent.pop("partnership")
    await submitted(store, "Gamma Hub", "B-4", **{**sent, "partnership": None})
    for number, day in (("5", date(2023, 3, 1)), ("6", date(2023, 2, 1))):
        id = await submitted(store, f"Delta {number}", f"C-{number}", partnership="woolclub")

        async def ask(uow: RegistrationUnitOfWork, id: str = id, day: date = day) -> None:
            registration = await uow.registrations.get(id)
            registration.ask("Which line?", answer_by=day, by="officer-w", at=uow.now)

        await store.run(ask)
    return store


@pytest.mark.parametrize(("wanted", "found"), [
    ({}, {"A-1", "A-2", "B-30", "B-4", "C-5", "C-6"}),
    ({"state": ["accepted"]}, {"A-1"}),
    ({"state": ["accepted", "ineligible"]}, {"A-1", "A-2"}),
    ({"verdict": "needs_review"}, {"B-30", "B-4"}),
    ({"partnership": "woolclub"}, {"A-2", "B-30", "C-5", "C-6"}),
    ({"partnership": "none"}, {"B-4"}),
    ({"role": "host"}, {"B-4"}),
    ({"country": "DE"}, {"B-4"}),
    ({"country": "DE", "state": ["accepted"]}, set()),
    ({"kind": "tech_centre"}, {"B-4"}),
    ({"ecosystem": "health"}, {"B-4"}),
    ({"waiting_for": "applicant"}, {"C-5", "C-6"}),
    ({"waiting_for": "staff"}, {"A-2", "B-30", "B-4"}),
    ({"waiting_for": "staff", "state": ["ineligible", "accepted"]}, {"A-2"}),
    ({"rule": "visitor-once-only"}, {"B-30"}),
    ({"rule": "no-such-rule"}, set()),
    ({"submitted_from": "2023-01-16", "submitted_to": "2023-01-16", "country": "DE"}, {"B-4"}),
    ({"submitted_from": "2023-01-17"}, set()),
    ({"submitted_to": "2023-01-15"}, set()),
    ({"submitted_to": "9999-12-31"}, {"A-1", "A-2", "B-30", "B-4", "C-5", "C-6"}),
    ({"text": "cinar"}, {"A-1"}),
    ({"text": "TEKSTİL"}, {"A-1"}),
    ({"text": "Looms"}, {"A-2"}),
    ({"text": "b-"}, {"B-30", "B-4"}),
    ({"text": ".*"}, set()),
    ({"text": "  weavers "}, {"B-30"}),
])  # fmt: skip
async def test_a_list_has_what_meets_every_filter(
    store: Store, wanted: dict[str, Any], found: set[str]
) -> None:
    assert {one.origin.reference for one in await page(store, **wanted)} == found


async def test_a_filter_never_shows_what_the_caller_may_not_see(store: Store) -> None:
    assert await page(store, HEMPCLUB_STAFF, partnership="woolclub") == []
    assert await page(store, WOOLCLUB_STAFF, partnership="none") == []
    assert len(await page(store, WOOLCLUB_STAFF, waiting_for="applicant")) == 2


@pytest.mark.parametrize(("order", "references"), [
    (Order.OLDEST, ["A-1", "A-2", "B-30", "B-4", "C-5", "C-6"]),
    (Order.NEWEST, ["C-6", "C-5", "B-4", "B-30", "A-2", "A-1"]),
    (Order.ORGANISATION, ["B-30", "A-2", "A-1", "C-5", "C-6", "B-4"]),
    (Order.ANSWER_BY, ["C-6", "C-5"]),
])  # fmt: skip
@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_pages_of_any_size_go_on_where_the_one_before_ended(
    store: Store, order: Order, references: list[str], limit: int
) -> None:
    seen: list[str | None] = []
    after: Cursor | None = None
    while found := await page(store, order=order, after=after, limit=limit):
        seen += [one.origin.reference for one in found]
        after = Cursor.read(str(Cursor.behind(found[-1], order)), order)
    assert seen == references


async def test_what_comes_in_or_is_gone_between_two_pages_moves_nothing_else(store: Store) -> None:
    first = await page(store, order=Order.ORGANISATION, limit=3)
    after = Cursor.behind(first[-1], Order.ORGANISATION)
    await submitted(store, "Aardvark Spinners", "Z-1", partnership="woolclub")
    await submitted(store, "Delta 5", "Z-2", partnership="woolclub")
    del store.database[Registration.COLLECTION][first[-1].id]
    rest = await page(store, order=Order.ORGANISATION, after=after)
    assert sorted(str(one.origin.reference) for one in rest) == ["B-4", "C-5", "C-6", "Z-2"]
    assert [one.party.organisation for one in rest] == ["Delta 5", "Delta 5", "Delta 6", "Gamma Hub"]


async def test_a_cursor_of_another_order_is_refused_and_says_so(store: Store) -> None:
    [last] = await page(store, limit=1)
    cursor = str(Cursor.behind(last, Order.OLDEST))
    with pytest.raises(Malformed, match="sorted by submitted_at, not by organisation"):
        Cursor.read(cursor, Order.ORGANISATION)


@pytest.mark.parametrize("text", ["", "x", "é", "W10=", "WzEsMiwzXQ==", "eyJhIjoxfQ==", "bnVsbA==", "\x00"])
def test_what_never_was_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="is not the `next` of a page"):
        Cursor.read(text, Order.ID)


@pytest.mark.parametrize(
    "wanted",
    [{"stat": ["accepted"]}, {"text": "a"}, {"text": "a\x00b"}, {"rule": "$where"}, {"country": "ZZ"}],
)
def test_a_filter_that_cannot_be_meant_is_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RegistrationFilter(**wanted)


@pytest.mark.parametrize("size", [1, 4, 6, 7])
async def test_a_long_list_is_gone_through_in_chunks(store: Store, size: int) -> None:
    chunks = [chunk async for chunk in in_chunks(store, SUPPORT_OFFICE, order=Order.OLDEST, size=size)]
    assert [one.origin.reference for chunk in chunks for one in chunk] == [
        "A-1", "A-2", "B-30", "B-4", "C-5", "C-6",
    ]  # fmt: skip
    assert all(len(chunk) == size for chunk in chunks[:-1])
