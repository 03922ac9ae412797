"""The audit trail: what it keeps of what people do, and who reads it."""

from __future__ import annotations

from typing import Any

import pytest

from services.registration.domain.audit import Action, AuditEntry
from services.registration.repositories import RegistrationUnitOfWork
from shared.errors import Forbidden
from shared.security import Caller
from tests.fakes import MemoryTransactions
from tests.unit.registration.service import (
    A_PARTICIPANT,
    A_PORTAL,
    AN_AUDITOR,
    HEMPCLUB_STAFF,
    SUPPORT_OFFICE,
    WOOLCLUB_STAFF,
    a_partnership,
    transactions,
)

SOLAR_STAFF = Caller("officer-s", HEMPCLUB_STAFF.role, partnership="solarclub")

Store = MemoryTransactions[RegistrationUnitOfWork]


async def noted(store: Store, by: Caller, action: Action, **about: Any) -> None:
    async def work(uow: RegistrationUnitOfWork) -> None:
        uow.trail.note(by, action, **about)

    await store.run(work)


async def read(store: Store, caller: Caller, **wanted: Any) -> list[AuditEntry]:
    return await store.read(lambda uow: uow.trail.page(caller, **wanted))


@pytest.fixture
async def store() -> Store:
    store = transactions(a_partnership("hempclub"), a_partnership("woolclub"))
    await noted(
        store, HEMPCLUB_STAFF, Action.REJECT, registration_id="r1", partnership="hempclub", why="late"
    )
    moved = {"before": {"partnership": "hempclub"}, "after": {"partnership": "woolclub"}}
    await noted(store, SUPPORT_OFFICE, Action.ASSIGN, registration_id="r2", partnership="woolclub", **moved)
    await noted(store, WOOLCLUB_STAFF, Action.ACCEPT, registration_id="r3", decision_id="d1")
    return store


async def test_the_newest_comes_first_and_pages_go_on(store: Store) -> None:
    everything = await read(store, AN_AUDITOR)
    assert [entry.registration_id for entry in everything] == ["r3", "r2", "r1"]
    first = await read(store, AN_AUDITOR, limit=2)
    assert await read(store, AN_AUDITOR, after=first[-1].id) == everything[2:]


async def test_an_entry_says_who_what_when_and_why(store: Store) -> None:
    [entry] = await read(store, AN_AUDITOR, registration="r1")
    assert (entry.by, entry.role, entry.partnership) == ("officer-h", "staff", "hempclub")
    assert (entry.action, entry.why, entry.at.year) == ("reject", "late", 2023)


@pytest.mark.parametrize(("caller", "sees"), [
    (SUPPORT_OFFICE, {"r1", "r2", "r3"}),
    (AN_AUDITOR, {"r1", "r2", "r3"}),
    (HEMPCLUB_STAFF, {"r1", "r2"}),
    (WOOLCLUB_STAFF, {"r2", "r3"}),
    (SOLAR_STAFF, set()),
])  # fmt: skip
async def test_staff_read_what_concerns_their_partnership(
    store: Store, caller: Caller, sees: set[str]
) -> None:
    assert {entry.registration_id for entry in await read(store, caller)} == sees


@pytest.mark.parametrize("caller", [A_PARTICIPANT, A_PORTAL])
async def test_nobody_else_reads_the_trail(store: Store, caller: Caller) -> None:
    with pytest.raises(Forbidden, match="is for staff, the support office and auditors"):
        await read(store, caller)


@pytest.mark.parametrize(("wanted", "found"), [
    ({"by": "officer-h"}, ["r1"]),
    ({"action": Action.ASSIGN}, ["r2"]),
    ({"decision": "d1"}, ["r3"]),
    ({"registration": "r9"}, []),
])  # fmt: skip
async def test_the_trail_is_filtered(store: Store, wanted: dict[str, Any], found: list[str]) -> None:
    assert [entry.registration_id for entry in await read(store, SUPPORT_OFFICE, **wanted)] == found


async def test_words_about_an_erased_registration_go_and_the_action_stays(store: Store) -> None:
    await store.run(lambda uow: uow.trail.forget("r1"))
    [entry] = await read(store, AN_AUDITOR, registration="r1")
    assert (entry.why, entry.by, entry.action) == ("", "officer-h", "reject")
