"""An erased registration: its personal data leave the grants, what is owed stays accounted for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.funding.domain.grant import Grant, GrantExists, grant_id
from services.funding.repositories import FundingUnitOfWork
from services.funding.use_cases.cancel_grant import cancel_grant
from services.funding.use_cases.erase_grants import erase_grants
from services.funding.use_cases.reserve_lump_sum import reserve_lump_sum
from services.funding.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts.common import ERASED
from shared.contracts.matching import MatchApproved
from shared.contracts.vocabulary import GrantState
from shared.errors import NotFound
from shared.security import Caller, CallerRole
from tests.builders import a_cancelled_match
from tests.fakes import MemoryTransactions
from tests.unit.funding.builders import a_match, a_partnership, transactions

Funding = MemoryTransactions[FundingUnitOfWork]
GIVEN_AWAY = ["office@tagus-fibre.example", "pic:visitor-m1", "Lisbon"]


async def approve(funding: Funding, match: MatchApproved) -> Grant:
    return await funding.run(lambda uow: reserve_lump_sum(uow, match))


async def erase(funding: Funding, registration_id: str) -> None:
    await funding.run(lambda uow: erase_grants(uow, registration_id))


async def the_grant(funding: Funding, match_id: str = "m1") -> Grant:
    return await funding.read(lambda uow: uow.grants.get(grant_id(match_id)))


def held(funding: Funding) -> str:
    """All that is stored of grants, without the receipt: where the stay led is how the amount came about."""
    documents: list[dict[str, Any]] = list(funding.database[Grant.COLLECTION].values())
    return str([{**document, "lump_sum": None} for document in documents])


async def test_money_that_is_reserved_keeps_the_name_it_is_for_and_nothing_else() -> None:
    funding = transactions()
    before = await approve(funding, a_match("m1"))
    await erase(funding, "visitor-m1")
    grant = await the_grant(funding)
    assert grant.visitor.organisation == before.visitor.organisation
    assert not [word for word in GIVEN_AWAY if word in held(funding)]
    assert (grant.visitor.place.country, grant.visitor.owner) == ("PT", "visitor-m1")
    assert (grant.amount, grant.stay, grant.lump_sum) == (before.amount, before.stay, before.lump_sum)
    assert grant.host == before.host


async def test_a_host_is_owed_nothing_so_its_name_goes_too() -> None:
    funding = transactions()
    before = await approve(funding, a_match("m1"))
    await erase(funding, "host-m1")
    grant = await the_grant(funding)
    assert (grant.host.organisation, grant.host.place.country) == (ERASED, "IT")
    assert grant.visitor == before.visitor


@pytest.mark.parametrize(
    ("budget", "city", "state", "named"),
    [
        ("64000.00", "Milan", GrantState.RESERVED, True),
        ("1.00", "Milan", GrantState.AWAITING_BUDGET, True),
        ("64000.00", "Nowhere at all", GrantState.NEEDS_REVIEW, True),
        ("64000.00", "Oslo", GrantState.REFUSED, False),
    ],
)
@pytest.mark.parametrize("late", [False, True])
async def test_the_visitor_is_named_while_money_is_or_may_be_set_aside_for_it(
    budget: str, city: str, state: GrantState, named: bool, late: bool
) -> None:
    funding = transactions(a_partnership(budget=budget))
    match = a_match("m1", city=city, country="NO" if city == "Oslo" else "IT")
    for step in ("erase", "approve") if late else ("approve", "erase"):
        await (approve(funding, match) if step == "approve" else erase(funding, "visitor-m1"))
    grant = await the_grant(funding)
    assert grant.state is state
    assert (grant.visitor.organisation != ERASED) is named
    assert not [word for word in GIVEN_AWAY if word in held(funding)]


@pytest.mark.parametrize("late", [False, True])
async def test_with_the_last_claim_to_money_the_name_goes(late: bool) -> None:
    funding = transactions()
    match = a_match("m1")
    cancelled = a_cancelled_match(match, reason=f"{match.visitor.organisation} withdrew its registration.")
    await approve(funding, match)
    if late:
        await erase(funding, "visitor-m1")
    await funding.run(lambda uow: cancel_grant(uow, cancelled))
    if not late:
        await erase(funding, "visitor-m1")
    grant = await the_grant(funding)
    assert (grant.state, grant.visitor.organisation, grant.reason) == (GrantState.CANCELLED, ERASED, ERASED)
    assert match.visitor.organisation not in held(funding)
    assert (await funding.read(lambda uow: uow.budgets.get("hempclub"))).reserved == 0


async def test_a_match_that_ended_before_it_was_heard_of_brings_no_data_in_after_an_erasure() -> None:
    funding = transactions()
    match = a_match("m1")
    await erase(funding, "visitor-m1")
    await funding.run(
        lambda uow: cancel_grant(uow, a_cancelled_match(match, reason="Tagus Fibre Works left"))
    )
    with pytest.raises(GrantExists):
        await approve(funding, match)
    assert "Tagus" not in held(funding)


async def test_an_approval_and_an_erasure_of_one_batch_leave_no_data_whichever_runs_first() -> None:
    match = a_match("m1")
    for turn in (0, 1):
        funding = transactions()

        async def batch(uow: FundingUnitOfWork, turn: int = turn) -> None:
            works = [reserve_lump_sum(uow, match), erase_grants(uow, "visitor-m1")]
            await asyncio.gather(*(works if turn == 0 else reversed(works)))

        await funding.run(batch)
        assert not [word for word in GIVEN_AWAY if word in held(funding)]


async def test_an_erasure_that_comes_again_changes_nothing() -> None:
    funding = transactions()
    await approve(funding, a_match("m1"))
    await erase(funding, "visitor-m1")
    before = str(funding.database.collections)
    await erase(funding, "visitor-m1")
    assert str(funding.database.collections) == before


# ── what is held ─────────────────────────────────────────────────────────────────────────────


def asking(role: CallerRole, *, partnership: str | None = None, organisation: str | None = None) -> Caller:
    return Caller("somebody", role, partnership, organisation)


STAFF = asking(CallerRole.STAFF, partnership="hempclub")


async def held_grant(funding: Funding, registration_id: str, by: Caller) -> dict[str, Any]:
    kinds = await funding.read(lambda uow: tell_what_is_held(uow, registration_id, by=by))
    kind = next(kind for kind in kinds if kind.name == "grants")
    [grant] = kind.documents
    return grant


async def test_each_side_is_told_its_own_and_of_the_other_what_is_no_secret() -> None:
    funding = transactions()
    match = a_match("m1")
    await approve(funding, match)
    visitor = await held_grant(
        funding, "visitor-m1", asking(CallerRole.PARTICIPANT, organisation="visitor-m1")
    )
    assert visitor["visitor"]["email"] == match.visitor.email
    assert visitor["lump_sum"]["amount"] == "900.00"
    assert visitor["host"] == {
        "registration_id": "host-m1",
        "kind": "tech_centre",
        "country": "IT",
        "partnership": "hempclub",
        "roles": ["host"],
    }
    host = await held_grant(funding, "host-m1", asking(CallerRole.SUPPORT_OFFICE))
    assert "email" not in host["visitor"]
    assert "lump_sum" not in host
    assert (await held_grant(funding, "host-m1", STAFF))["host"]["email"] == match.host.email


@pytest.mark.parametrize(
    "caller",
    [
        asking(CallerRole.PARTICIPANT, organisation="host-m1"),
        asking(CallerRole.STAFF, partnership="woolclub"),
        asking(CallerRole.AUDITOR),
        asking(CallerRole.EXTERNAL),
    ],
)
async def test_nobody_else_is_told_whether_there_is_a_grant(caller: Caller) -> None:
    funding = transactions()
    await approve(funding, a_match("m1"))
    with pytest.raises(NotFound, match="nothing you may see"):
        await held_grant(funding, "visitor-m1", caller)


async def test_nothing_is_held_on_whoever_has_no_grant() -> None:
    with pytest.raises(NotFound):
        await held_grant(transactions(), "somebody", STAFF)
